using System.Text.Json;

namespace Fabrik.Admission;

/// <summary>Whether a patched Job is what was planned, and what Kubernetes takes.</summary>
internal static class ResultCheck
{
    /// <summary>Bytes of all annotations that an API server allows.</summary>
    private const int MaximumAnnotations = 256 * 1024;

    public static bool Holds(JobDraft planned, JsonElement job)
    {
        var (metadata, spec) = (job.Member("metadata"u8), job.Member("spec"u8));
        var (annotations, template) = (metadata.Member("annotations"u8), spec.Member("template"u8));
        var pod = template.Member("spec"u8);
        return Json.Raw(annotations).Length <= MaximumAnnotations
            && Became(planned.Labels, metadata.Member("labels"u8))
            && Became(planned.Assignment, annotations.Member(Utf8Names.Assignment))
            && Became(planned.TemplateLabels, template.Member("metadata"u8).Member("labels"u8))
            && Became(planned.Parallelism, spec.Member("parallelism"u8))
            && Became(planned.Ttl, spec.Member("ttlSecondsAfterFinished"u8))
            && Became(planned.NodeSelector, pod.Member("nodeSelector"u8))
            && Became(planned.Tolerations, pod.Member("tolerations"u8))
            && Became(planned.RuntimeClass, pod.Member("runtimeClassName"u8))
            && Holds(planned, pod.Member("containers"u8), isInit: false)
            && Holds(planned, pod.Member("initContainers"u8), isInit: true);
    }

    private static bool Holds(JobDraft planned, JsonElement containers, bool isInit)
    {
        var at = Array.FindIndex(planned.Containers, one => one.IsInit == isInit);
        if (containers.ValueKind != JsonValueKind.Array) return at < 0;
        foreach (var one in containers.EnumerateArray())
        {
            if (at < 0 || at == planned.Containers.Length || planned.Containers[at].IsInit != isInit || !Holds(planned.Containers[at], one)) return false;
            at++;
        }

        return at < 0 || at == planned.Containers.Length || planned.Containers[at].IsInit != isInit;
    }

    private static bool Holds(ContainerDraft planned, JsonElement container)
    {
        if (!Json.Raw(planned.Name).SequenceEqual(Json.Raw(container.Member("name"u8)))) return false;
        var resources = container.Member("resources"u8);
        var (requests, limits) = (resources.Member("requests"u8), resources.Member("limits"u8));
        for (var i = 0; i < ResourceNames.Count; i++)
        {
            var name = ResourceNames.Utf8((ResourceName)i);
            var (request, limit) = (requests.Member(name), limits.Member(name));
            if (!Became(planned.Request(i), request) || !Became(planned.Limit(i), limit)) return false;
            if ((planned.Request(i).IsChanged || planned.Limit(i).IsChanged) && Json.Amount(request) > Json.Amount(limit)) return false;
        }

        return planned.Environment.Count == 0 || Environment(planned, container);
    }

    /// <summary>Every variable of ours once, with its value.</summary>
    private static bool Environment(ContainerDraft planned, JsonElement container)
    {
        var variables = container.Member("env"u8);
        foreach (var variable in planned.Environment)
        {
            var found = 0;
            if (variables.ValueKind == JsonValueKind.Array)
                foreach (var entry in variables.EnumerateArray())
                {
                    if (!entry.Member("name"u8).Is(variable.Key)) continue;
                    found++;
                    if (variable.IsChanged && !Became(variable, ContainerDraft.ValueOf(entry))) return false;
                }

            if (variable.IsChanged && found != (variable.Current.Length == 0 ? 0 : 1)) return false;
        }

        return true;
    }

    private static bool Became(IReadOnlyList<JobValue> planned, JsonElement map)
    {
        for (var i = 0; i < planned.Count; i++)
            if (!Became(planned[i], map.Member(planned[i].Key))) return false;
        return true;
    }

    private static bool Became(JobValue planned, JsonElement result) => planned.Current.Span.SequenceEqual(Json.Raw(result));
}
