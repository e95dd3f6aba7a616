using System.Text.Json;

namespace Fabrik.Runs;

/// <summary>What a namespace says about the Jobs in it.</summary>
public sealed record Scope
{
    /// <summary>A namespace that was never seen: only Jobs that ask for it themselves are observed.</summary>
    public static Scope Unknown { get; } = new();

    public bool Enabled { get; init; }

    /// <summary>Whether its Jobs get a token for the LLM gateway.</summary>
    public bool Gateway { get; init; }
    public string? Project { get; init; }

    /// <summary>Projects that its Jobs may name instead, separated by commas.</summary>
    public string? Projects { get; init; }

    public static Scope Read(JsonElement @namespace)
    {
        var metadata = @namespace.Get("metadata");
        return new Scope
        {
            Enabled = metadata.Get("labels").Text(Names.Labels.Enabled) == "true",
            Gateway = metadata.Get("labels").Text(Names.Labels.Gateway) == "true",
            Project = metadata.Get("labels").Text(Names.Labels.Project),
            Projects = metadata.Get("annotations").Text(Names.Annotations.Projects),
        };
    }

    /// <summary>True where Jobs that say nothing themselves are Fabrik's to observe.</summary>
    public bool CoversSilent => Enabled || Gateway;

    /// <summary>
    /// True where the Job is Fabrik's to observe, to be optimised or for what it calls through the gateway: two words, each its own before the namespace's.
    /// One that is in the gateway alone is in no arm, and nothing is proposed for it.
    /// </summary>
    public bool Covers(JobFacts job) => (job.Optimize ?? Enabled) || (job.Gateway ?? Gateway);

    /// <summary>The project that the Job names where the namespace lists it, else the namespace's own.</summary>
    public string? ProjectOf(JobFacts job) => job.Project is { Length: > 0 } named && Allowed().Contains(named, StringComparer.Ordinal) ? named : Project;

    private IEnumerable<string?> Allowed() =>
        [Project, .. (Projects ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];
}
