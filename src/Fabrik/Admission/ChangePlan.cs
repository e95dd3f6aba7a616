using System.Text.Json;
using Fabrik.Experiments;
using Fabrik.Quantities;

namespace Fabrik.Admission;

/// <summary>Puts a change on a Job, whole or not at all.</summary>
internal static class ChangePlan
{
    /// <summary>Whether the change is meant for the Job.</summary>
    public static bool Matches(CompiledChange change, JobDraft job, NamespaceFacts facts)
    {
        if (change.Namespaces.Count > 0 && !change.Namespaces.Contains(facts.Name)) return false;
        foreach (var (key, value) in change.Labels)
            if (!job.LabelsElement.Member(key).Is(value)) return false;
        return change.CronJob is null || IsOwnedBy(job, "CronJob"u8, change.CronJob);
    }

    /// <summary>Null when the change is on the Job now; else why it is not, and the Job is as before.</summary>
    public static string? Put(CompiledChange change, JobDraft job, NamespaceFacts facts, AdmissionSnapshot snapshot)
    {
        if (change.Forbidden is not null) return change.Forbidden;
        if ((change.Needs & ~facts.Permitted) != Permissions.None) return AdmissionReasons.NotPermitted;
        if (change.Rewrite is not null) return job.TakesRunToken ? null : AdmissionReasons.NotInGateway;
        var mark = job.Mark;
        var reason = Resources(change, job, facts, snapshot.Nodes)
            ?? Parallelism(change, job, facts, snapshot.Nodes)
            ?? NodeSelector(change, job)
            ?? Tolerations(change, job)
            ?? RuntimeClass(change, job, snapshot)
            ?? Environment(change, job);
        if (reason is null && change.Ttl is { } ttl && job.Ttl.Current.Length == 0) job.Set(job.Ttl, Json.Number(ttl));
        reason ??= job.Mark == mark ? AdmissionReasons.NoEffect : null;
        if (reason is not null) job.Rollback(mark);
        return reason;
    }

    private static string? Resources(CompiledChange change, JobDraft job, NamespaceFacts facts, NodeCapacity nodes)
    {
        for (var resource = 0; resource < ResourceNames.Count; resource++)
        {
            if (change.Resources[resource] is not { } target) continue;
            if (job.Pod.Member("resources"u8) is { ValueKind: JsonValueKind.Object } whole && whole.EnumerateObject().MoveNext()) return AdmissionReasons.PodResources;
            var bounds = new PodBounds(job, facts, nodes);
            var (oldRequest, oldLimit) = bounds.AreNone ? default : (bounds.Sum(resource, isRequest: true), bounds.Sum(resource, isRequest: false));
            var plans = new List<ContainerPlan>(job.Containers.Length);
            foreach (var container in job.Containers)
            {
                if (!container.IsTargetOf(change)) continue;
                var plan = new ContainerPlan(container, resource, target, facts.ContainerBounds[resource]);
                if (plan.Problem() is { } problem) return problem;
                plan.Write(job);
                plans.Add(plan);
            }

            if (plans.Count == 0) return AdmissionReasons.NoContainer;
            if (bounds.AreNone) continue;
            var reason = Fit(job, bounds, plans, resource, oldRequest, isRequest: true) ?? Fit(job, bounds, plans, resource, oldLimit, isRequest: false);
            if (reason is not null) return reason;
            if (bounds.IsBelowLimitRange(resource)) return AdmissionReasons.LimitRange;
        }

        return null;
    }

    /// <summary>Shrinks the planned containers together until the Pod fits.</summary>
    private static string? Fit(JobDraft job, PodBounds bounds, List<ContainerPlan> plans, int resource, Quantity old, bool isRequest)
    {
        var now = bounds.Sum(resource, isRequest);
        if (now <= old || bounds.Most(resource, isRequest, out var reason) is not { } most || now <= most) return null;
        var planned = default(Quantity);
        foreach (var plan in plans) planned += (isRequest ? plan.EffectiveRequest : plan.EffectiveLimit) ?? default;
        var rest = now - planned;
        if (!planned.IsPositive || rest < default(Quantity) || most <= rest) return reason;
        foreach (var plan in plans)
        {
            plan.Shrink(most - rest, planned);
            if (plan.Problem() is not null) return reason;
            plan.Write(job);
        }

        return bounds.Sum(resource, isRequest) > most ? reason : null;
    }

    private static string? Parallelism(CompiledChange change, JobDraft job, NamespaceFacts facts, NodeCapacity nodes)
    {
        if (change.Parallelism is not { } asked) return null;
        var current = JobDraft.Number(job.Parallelism.Current) ?? 1;
        var bounds = new PodBounds(job, facts, nodes);
        var want = Math.Min(asked, bounds.Completions ?? asked);

        // Zero means paused. Without completions one worker may be all there can be. Workers that all run at once may wait for each other.
        if (current == 0 || (bounds.Completions is null && current == 1)) return AdmissionReasons.Parallelism;
        if (want < current && current == bounds.Completions && job.Spec.Member("completionMode"u8).Is("Indexed"u8)) return AdmissionReasons.Parallelism;
        if (job.Spec.Member("managedBy"u8) is { ValueKind: JsonValueKind.String } manager && !manager.Is("kubernetes.io/job-controller"u8)) return AdmissionReasons.Parallelism;
        if (IsControlled(job)) return AdmissionReasons.Parallelism;

        // One volume is for one Pod at a time.
        if (want > 1 && want != current && job.Resume is not null) return AdmissionReasons.Parallelism;

        if (want > current && facts.HasPodBounds)
        {
            want = (int)Math.Min(want, bounds.MostPods());
            if (want <= current) return AdmissionReasons.Quota;
        }

        if (asked > current && want < current) return AdmissionReasons.Parallelism;
        if (want != current) job.Set(job.Parallelism, Json.Number(want));
        return null;
    }

    private static string? NodeSelector(CompiledChange change, JobDraft job)
    {
        if ((change.NodeSelector.Length > 0 || change.Tolerations.Length > 0) && job.Pod.Member("nodeName"u8).ValueKind != JsonValueKind.Undefined) return AdmissionReasons.NodeSelector;
        foreach (var (key, value) in change.NodeSelector)
        {
            var known = job.NodeSelectorFor(key);
            if (known.Current.Length == 0 && !RequiresByAffinity(job, key)) job.Set(known, value);
            else if (!known.Current.Span.SequenceEqual(value)) return AdmissionReasons.NodeSelector;
        }

        return null;
    }

    private static bool RequiresByAffinity(JobDraft job, byte[] key)
    {
        var terms = job.Pod.Member("affinity"u8).Member("nodeAffinity"u8).Member("requiredDuringSchedulingIgnoredDuringExecution"u8).Member("nodeSelectorTerms"u8);
        if (terms.ValueKind != JsonValueKind.Array) return false;
        foreach (var term in terms.EnumerateArray())
            if (term.Member("matchExpressions"u8) is { ValueKind: JsonValueKind.Array } expressions)
                foreach (var one in expressions.EnumerateArray())
                    if (one.Member("key"u8).Is(key)) return true;
        return false;
    }

    private static string? Tolerations(CompiledChange change, JobDraft job)
    {
        if (change.Tolerations.Length == 0) return null;
        var merged = TolerationList.Merge(job.Tolerations.Current, change.Tolerations);
        if (merged is not null) job.Set(job.Tolerations, merged);
        return null;
    }

    private static string? RuntimeClass(CompiledChange change, JobDraft job, AdmissionSnapshot snapshot)
    {
        if (change.RuntimeClass is not var (value, rank)) return null;
        if (rank < 0) return AdmissionReasons.RuntimeClass;
        if (job.RuntimeClass.Current.Length > 0)
        {
            var current = Array.FindIndex(snapshot.RuntimeClasses, one => job.RuntimeClass.Current.Span.SequenceEqual(one));
            if (current < 0 || current > rank) return AdmissionReasons.RuntimeClass;
        }

        job.Set(job.RuntimeClass, value);
        return null;
    }

    private static string? Environment(CompiledChange change, JobDraft job)
    {
        if (change.Environment.Length == 0) return null;
        var found = false;
        foreach (var container in job.Containers)
        {
            if (!container.IsTargetOf(change)) continue;
            found = true;

            // envFrom may set the variable from a place that is not known here.
            if (container.HasEnvironmentFrom) continue;
            foreach (var (name, value) in change.Environment)
            {
                var variable = container.Variable(name);
                if (variable.Current.Length == 0) job.Set(variable, value);
            }
        }

        return found ? null : AdmissionReasons.NoContainer;
    }

    private static bool IsOwnedBy(JobDraft job, ReadOnlySpan<byte> kind, byte[] name)
    {
        if (job.Metadata.Member("ownerReferences"u8) is not { ValueKind: JsonValueKind.Array } owners) return false;
        foreach (var owner in owners.EnumerateArray())
            if (owner.Member("kind"u8).Is(kind) && owner.Member("name"u8).Is(name)) return true;
        return false;
    }

    /// <summary>By something that counts on the parallelism it gave, such as a JobSet.</summary>
    private static bool IsControlled(JobDraft job)
    {
        if (job.Metadata.Member("ownerReferences"u8) is not { ValueKind: JsonValueKind.Array } owners) return false;
        foreach (var owner in owners.EnumerateArray())
            if (owner.Member("controller"u8).ValueKind == JsonValueKind.True && !owner.Member("kind"u8).Is("CronJob"u8)) return true;
        return false;
    }
}
