using Fabrik.Experiments;
using Fabrik.Runs;

namespace Fabrik.Storage;

/// <summary>Which runs, in which order. Every filter is optional; all that are given must hold.</summary>
public sealed record RunQuery
{
    public const int DefaultLimit = 100;
    public const int MaximumLimit = 500;

    public string? Namespace { get; init; }
    public string? Change { get; init; }
    public Arm? Arm { get; init; }
    public Outcome? Outcome { get; init; }
    public string? Project { get; init; }
    public string? SpecType { get; init; }

    /// <summary>Beginning of the Job's name.</summary>
    public string? NamePrefix { get; init; }

    /// <summary>Created at this time or later.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Created before this time.</summary>
    public DateTimeOffset? Until { get; init; }
    public RunSort Sort { get; init; }
    public bool Ascending { get; init; }

    /// <summary>1 to <see cref="MaximumLimit"/>.</summary>
    public int Limit { get; init; } = DefaultLimit;
    public RunCursor? After { get; init; }
}

/// <summary>Runs without the value (not finished yet) count as the smallest: last in descending order, first in ascending.</summary>
public enum RunSort
{
    Created,
    Finished,
    Duration,
}

/// <param name="Items">At most as many as asked for; fewer, even none, do not mean that there are no more.</param>
/// <param name="Next">Where the next page begins; null at the end.</param>
public sealed record RunPage(IReadOnlyList<Run> Items, RunCursor? Next);
