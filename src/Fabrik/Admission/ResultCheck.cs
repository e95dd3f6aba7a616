namespace Fabrik.Admission;

/// <summary>Whether a patched Job is what was planned, and what Kubernetes takes.</summary>
internal static class ResultCheck
{
    /// <summary>Bytes of all annotations that an API server allows.</summary>
    private const int MaximumAnnotations = 256 * 1024;

    public static bool Holds(JobDraft planned, JobDraft result)
    {
        for (var i = 0; i < planned.Labels.Length; i++)
            if (!Became(planned.Labels[i], result.Labels[i]) || !Became(planned.TemplateLabels[i], result.TemplateLabels[i])) return false;
        if (!Became(planned.Assignment, result.Assignment) || !Became(planned.Parallelism, result.Parallelism) || !Became(planned.Ttl, result.Ttl)) return false;
        if (!Became(planned.Tolerations, result.Tolerations) || !Became(planned.RuntimeClass, result.RuntimeClass)) return false;
        foreach (var one in planned.NodeSelector)
            if (!Became(one, result.NodeSelectorFor(one.Key))) return false;
        if (planned.Containers.Length != result.Containers.Length || Json.Raw(result.AnnotationsElement).Length > MaximumAnnotations) return false;
        for (var i = 0; i < planned.Containers.Length; i++)
            if (!Holds(planned.Containers[i], result.Containers[i])) return false;
        return true;
    }

    private static bool Holds(ContainerDraft planned, ContainerDraft result)
    {
        if (planned.IsInit != result.IsInit || !Json.Raw(planned.Name).SequenceEqual(Json.Raw(result.Name))) return false;
        for (var i = 0; i < planned.Resources.Length; i++)
            if (!Became(planned.Resources[i], result.Resources[i])) return false;
        for (var i = 0; i < ResourceNames.Count; i++)
            if ((planned.Request(i).IsChanged || planned.Limit(i).IsChanged) && result.Request(i).Amount > result.Limit(i).Amount) return false;
        foreach (var one in planned.Environment)
            if (!Became(one, result.Variable(one.Key))) return false;
        return true;
    }

    private static bool Became(JobValue planned, JobValue result) => Json.Same(planned.Current, result.Received);
}
