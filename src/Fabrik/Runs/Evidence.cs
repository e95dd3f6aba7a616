using System.Collections.Immutable;

namespace Fabrik.Runs;

/// <summary>
/// Everything that was learned of one Job while it and its Pods lived. Merging is commutative, associative and idempotent: the order of
/// arrival, repetition and later deletions change nothing.
/// </summary>
public sealed record Evidence
{
    /// <summary>UID of the Job.</summary>
    public required string Id { get; init; }
    public JobFacts? Job { get; init; }
    public EventFacts? Events { get; init; }

    /// <summary>By name; names of a Job's Pods carry a random part and are not used again.</summary>
    public ImmutableDictionary<string, PodFacts> Pods { get; init; } = ImmutableDictionary<string, PodFacts>.Empty;

    /// <summary>What the namespace said when the run was last given out; a namespace may be gone before its Jobs are settled.</summary>
    public Scope? Scope { get; init; }

    /// <summary>When the Job's deletion was seen.</summary>
    public DateTimeOffset? DeletedAt { get; init; }

    /// <summary>When the Job was found to be gone without its deletion having been seen.</summary>
    public DateTimeOffset? MissingAt { get; init; }

    public DateTimeOffset? GoneAt => DeletedAt ?? MissingAt;

    public static Evidence Merge(Evidence a, Evidence b)
    {
        var pods = a.Pods;
        foreach (var (name, facts) in b.Pods) pods = pods.SetItem(name, pods.TryGetValue(name, out var known) ? PodFacts.Merge(known, facts) : facts);
        return new Evidence
        {
            Id = a.Id,
            Job = JobFacts.Merge(a.Job, b.Job),
            Events = EventFacts.Merge(a.Events, b.Events),
            Pods = pods,
            Scope = a.Scope ?? b.Scope,
            DeletedAt = Json.Earlier(a.DeletedAt, b.DeletedAt),
            MissingAt = Json.Earlier(a.MissingAt, b.MissingAt),
        };
    }
}
