using System.Text.Json;

namespace Fabrik.Runs;

/// <summary>What a namespace says about the Jobs in it.</summary>
public sealed record Scope
{
    /// <summary>A namespace that was never seen: only Jobs that ask for it themselves are observed.</summary>
    public static Scope Unknown { get; } = new();

    public bool Enabled { get; init; }
    public string? Project { get; init; }

    /// <summary>Projects that its Jobs may name instead, separated by commas.</summary>
    public string? Projects { get; init; }

    public static Scope Read(JsonElement @namespace)
    {
        var metadata = @namespace.Get("metadata");
        return new Scope
        {
            Enabled = metadata.Get("labels").Text(Names.Labels.Enabled) == "true",
            Project = metadata.Get("labels").Text(Names.Labels.Project),
            Projects = metadata.Get("annotations").Text(Names.Annotations.Projects),
        };
    }

    /// <summary>True where the Job is Fabrik's to observe; its own word counts before the namespace's.</summary>
    public bool Covers(JobFacts job) => job.Optimize ?? Enabled;

    /// <summary>The project that the Job names where the namespace lists it, else the namespace's own.</summary>
    public string? ProjectOf(JobFacts job) => job.Project is { Length: > 0 } named && Allowed().Contains(named, StringComparer.Ordinal) ? named : Project;

    private IEnumerable<string?> Allowed() =>
        [Project, .. (Projects ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];
}
