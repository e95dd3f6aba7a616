using System.Text.Json;

namespace Fabrik.Admission;

/// <summary>Whether a patched Job is what was planned, and what Kubernetes takes.</summary>
internal static class ResultCheck
{
    /// <summary>Bytes of all annotations that an API server allows.</summary>
    private const int MaximumAnnotations = 256 * 1024;

    public static bool Holds(JobDraft planned, PatchedValue job)
    {
        var metadata = job.Member("metadata"u8);
        var annotations = metadata.Member("annotations"u8);
        var spec = job.Member("spec"u8);
        var template = spec.Member("template"u8);
        var pod = template.Member("spec"u8);
        return annotations.Size <= MaximumAnnotations
            && Became(planned.Labels, metadata.Member("labels"u8))
            && Became(planned.Assignment, annotations.Member(Utf8Names.Assignment))
            && Became(planned.TemplateLabels, template.Member("metadata"u8).Member("labels"u8))
            && Became(planned.Parallelism, spec.Member("parallelism"u8))
            && Became(planned.Ttl, spec.Member("ttlSecondsAfterFinished"u8))
            && Became(planned.NodeSelector, pod.Member("nodeSelector"u8))
            && Became(planned.Tolerations, pod.Member("tolerations"u8))
            && Became(planned.RuntimeClass, pod.Member("runtimeClassName"u8))
            && Safety(planned, spec, pod)
            && Holds(planned, pod.Member("containers"u8), isInit: false)
            && Became(planned.Gate, pod.Member("initContainers"u8), out var init)
            && Holds(planned, init, isInit: true);
    }

    private static bool Safety(JobDraft planned, PatchedValue spec, PatchedValue pod) =>
        planned.KnownSafety is not { } safety
        || (Became(safety.Deadline, spec.Member("activeDeadlineSeconds"u8))
            && Became(safety.ServiceAccountToken, pod.Member("automountServiceAccountToken"u8))
            && Became(safety.Security, pod.Member("securityContext"u8))
            && BecameEntries([safety.Volume, safety.Resume], pod.Member("volumes"u8)));

    /// <summary>Entries of a list that has nothing else of ours: each once, or not at all.</summary>
    private static bool BecameEntries(JobValue[] planned, PatchedValue list)
    {
        if (!Array.Exists(planned, entry => entry.IsChanged)) return true;
        var items = list.Items();
        return Array.TrueForAll(planned, entry => items.FindAll(item => item.Member("name"u8).Is(entry.Key)) is var found
            && (entry.Current.Length == 0 ? found.Count == 0 : found.Count == 1 && entry.Current.Span.SequenceEqual(Json.Raw(found[0]))));
    }

    /// <summary>An entry of a list; rest is the list for whatever else lies below it.</summary>
    private static bool Became(JobValue entry, PatchedValue list, out PatchedValue rest)
    {
        rest = list;
        return !entry.IsChanged || entry.Current.Span.SequenceEqual(list.Entry(entry.Position, out rest));
    }

    private static bool Holds(JobDraft planned, PatchedValue containers, bool isInit)
    {
        // Without an operation below them they are as received, which is what was planned.
        if (!containers.IsTouched || (isInit && containers.IsPut)) return !Array.Exists(planned.Containers, one => one.IsInit == isInit && one.IsChanged);
        foreach (var container in planned.Containers)
            if (container.IsInit == isInit && !Holds(container, containers.Item(container.Element, container.Index))) return false;
        return true;
    }

    private static bool Holds(ContainerDraft planned, PatchedValue container)
    {
        var resources = container.Member("resources"u8);
        var requests = resources.Member("requests"u8);
        var limits = resources.Member("limits"u8);
        for (var i = 0; i < ResourceNames.Count; i++)
        {
            var name = ResourceNames.Utf8((ResourceName)i);
            var request = requests.Member(name);
            var limit = limits.Member(name);
            if (!Became(planned.Request(i), request) || !Became(planned.Limit(i), limit)) return false;
            if ((planned.Request(i).IsChanged || planned.Limit(i).IsChanged) && Json.Amount(request.Raw) > Json.Amount(limit.Raw)) return false;
        }

        if (planned.Safety.Length > 0 && (!Became(planned.Security, container.Member("securityContext"u8)) || !BecameEntries(planned.Mounted, container.Member("volumeMounts"u8)))) return false;
        return planned.Environment.Count == 0 || Environment(planned, container.Member("env"u8).Items());
    }

    /// <summary>Every variable of ours once, with its value.</summary>
    private static bool Environment(ContainerDraft planned, List<JsonElement> entries)
    {
        foreach (var variable in planned.Environment)
        {
            var found = 0;
            foreach (var entry in entries)
            {
                if (!entry.Member("name"u8).Is(variable.Key)) continue;
                found++;
                if (variable.IsChanged && !variable.Current.Span.SequenceEqual(Json.Raw(ContainerDraft.ValueOf(entry)))) return false;
            }

            if (variable.IsChanged && found != (variable.Current.Length == 0 ? 0 : 1)) return false;
        }

        return true;
    }

    private static bool Became(IReadOnlyList<JobValue> planned, PatchedValue map)
    {
        for (var i = 0; i < planned.Count; i++)
            if (!Became(planned[i], map.Member(planned[i].Key))) return false;
        return true;
    }

    private static bool Became(JobValue planned, PatchedValue result) => planned.Current.Span.SequenceEqual(result.Raw);
}
