namespace Fabrik.Checks;

/// <summary>When a check says anything: before Fabrik is installed, afterwards, or at both times.</summary>
[Flags]
public enum CheckPhase
{
    Before = 1,
    After = 2,
    Always = Before | After,
}

/// <summary>One thing that can be wrong. Its id never changes and is never given to another.</summary>
/// <param name="Id">FAB-3nnn; docs/troubleshooting.md has a heading for each.</param>
/// <param name="Title">What holds when all is well.</param>
public sealed record CheckInfo(string Id, string Category, string Title, CheckPhase Phase);

/// <param name="Judge">Pure: the same facts give the same finding.</param>
public sealed record Check<TFacts>(string Id, string Title, Func<TFacts, Finding> Judge)
{
    public CheckPhase Phase { get; init; } = CheckPhase.Always;

    /// <summary>Ids of checks without which this one means nothing: unless all have passed, at most with a warning, it is skipped.</summary>
    public IReadOnlyList<string> Needs { get; init; } = [];
}

/// <summary>Checks over the same facts, in the order in which they are shown.</summary>
public sealed record Category<TFacts>(string Name, IReadOnlyList<Check<TFacts>> Checks)
{
    /// <summary>As those of a check, for all of them.</summary>
    public IReadOnlyList<string> Needs { get; init; } = [];

    /// <summary>Of all its checks; each may say less.</summary>
    public CheckPhase Phase { get; init; } = CheckPhase.Always;

    public IEnumerable<CheckInfo> Infos => Checks.Select(check => new CheckInfo(check.Id, Name, check.Title, check.Phase & Phase));
}

/// <summary>One check and what it has shown.</summary>
public sealed record CheckResult(string Id, string Category, string Title, CheckStatus Status, string? Detail, string? Next)
{
    /// <summary>Where the documentation explains it.</summary>
    public string Anchor => $"{Names.Documents.Troubleshooting}#{Id.ToLowerInvariant()}";
}
