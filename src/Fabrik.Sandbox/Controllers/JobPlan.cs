using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.Controllers;

/// <summary>What is to be done for one Job now. Doing part of it, or all of it twice, is harmless.</summary>
internal sealed record JobPlan
{
    public static readonly JobPlan Nothing = new();

    /// <summary>One entry for each Pod to create: its completion index, or null.</summary>
    public IReadOnlyList<int?> Create { get; init; } = [];

    public IReadOnlyList<PodView> Delete { get; init; } = [];

    /// <summary>The status as it is to be, when it differs from what stands.</summary>
    public JsonObject? Status { get; init; }

    /// <summary>UIDs of the Pods that the status accounts for.</summary>
    public IReadOnlyCollection<string> Counted { get; init; } = [];

    /// <summary>To be told once the status has been written.</summary>
    public IReadOnlyList<(string Type, string Reason, string Message)> Events { get; init; } = [];

    /// <summary>When to look again though nothing changed.</summary>
    public TimeSpan? CheckAfter { get; init; }

    /// <summary>The Job has outlived its ttlSecondsAfterFinished.</summary>
    public bool DeleteJob { get; init; }
}
