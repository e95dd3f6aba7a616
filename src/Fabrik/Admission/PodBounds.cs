using System.Text.Json;
using Fabrik.Quantities;

namespace Fabrik.Admission;

/// <summary>What the Pods of a Job ask for together, and how much they may: LimitRange for Pods, quotas, nodes.</summary>
internal readonly struct PodBounds(JobDraft job, NamespaceFacts facts, NodeCapacity nodes)
{
    /// <summary>Nothing bounds a Pod here.</summary>
    public bool AreNone => !facts.HasPodBounds && !nodes.IsKnown;

    /// <summary>Pods that run at the same time, at least 1.</summary>
    public int Pods => Math.Max(1, Math.Min(JobDraft.Number(job.Parallelism.Current) ?? 1, Completions ?? int.MaxValue));

    public int? Completions => job.Spec.Member("completions"u8) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var number) ? number : null;

    /// <summary>As the scheduler counts: containers and sidecars together, or the largest init container with the sidecars before it.</summary>
    public Quantity Sum(int resource, bool isRequest)
    {
        var (together, sidecars, largest) = (default(Quantity), default(Quantity), default(Quantity));
        foreach (var container in job.Containers)
        {
            var amount = Effective(container, resource, isRequest);
            if (!container.IsInit) together += amount;
            else if (container.IsSidecar) largest = Quantity.Max(largest, sidecars += amount);
            else largest = Quantity.Max(largest, sidecars + amount);
        }

        return Quantity.Max(together + sidecars, largest);
    }

    /// <summary>The most that one Pod may ask for; null where nothing bounds it.</summary>
    public Quantity? Most(int resource, bool isRequest, out string reason)
    {
        reason = AdmissionReasons.LimitRange;
        var most = facts.PodBounds[resource].Maximum;
        foreach (var quota in facts.Quotas)
        {
            if ((isRequest ? quota.Requests : quota.Limits)[resource] is not { } room || !quota.Counts(IsBestEffort(), HasDeadline)) continue;
            var each = room.Scale(Quantity.FromUnits(1), Quantity.FromUnits(Pods), Quantity.Smallest);
            if (most is null || each < most) (most, reason) = (each, AdmissionReasons.Quota);
        }

        if (isRequest && nodes.IsKnown)
        {
            Span<Quantity> requests = stackalloc Quantity[ResourceNames.Count];
            for (var i = 0; i < requests.Length; i++) requests[i] = Sum(i, isRequest: true);
            var largest = nodes.Most(resource, requests) ?? default;
            if (most is null || largest < most) (most, reason) = (largest, AdmissionReasons.Node);
        }

        return most;
    }

    /// <summary>How many Pods of this Job the quotas leave room for.</summary>
    public long MostPods()
    {
        var most = long.MaxValue;
        foreach (var quota in facts.Quotas)
        {
            if (!quota.Counts(IsBestEffort(), HasDeadline)) continue;
            if (quota.Pods is { } pods) most = Math.Min(most, pods.RoundUp());
            for (var i = 0; i < ResourceNames.Count; i++)
            {
                most = Math.Min(most, Times(quota.Requests[i], Sum(i, isRequest: true)));
                most = Math.Min(most, Times(quota.Limits[i], Sum(i, isRequest: false)));
            }
        }

        return most;

        static long Times(Quantity? room, Quantity each) => room is { } left && each.IsPositive ? (long)Int128.Min(left.Billionths / each.Billionths, long.MaxValue) : long.MaxValue;
    }

    /// <summary>Too small, or too far below its limit, for the LimitRange.</summary>
    public bool IsBelowLimitRange(int resource)
    {
        var bounds = facts.PodBounds[resource];
        if (bounds.Minimum is null && bounds.Ratio is null) return false;
        var (request, limit) = (Sum(resource, isRequest: true), Sum(resource, isRequest: false));
        return request < bounds.Minimum || bounds.RatioExceeded(request, limit);
    }

    private Quantity Effective(ContainerDraft container, int resource, bool isRequest)
    {
        var (limit, bounds) = (container.Limit(resource).Amount, facts.ContainerBounds[resource]);
        return (isRequest ? container.Request(resource).Amount ?? limit ?? bounds.DefaultRequest : limit ?? bounds.Default) ?? default;
    }

    private bool HasDeadline => job.Pod.Member("activeDeadlineSeconds"u8).ValueKind != JsonValueKind.Undefined;

    private bool IsBestEffort()
    {
        foreach (var container in job.Containers)
            for (var i = 0; i < 4; i++)
                if (container.Resources[i].Current.Length > 0) return false;
        return true;
    }
}
