using System.Text.Json;

namespace Fabrik.Admission;

/// <summary>A Job as it came, and beside it the values that Fabrik may write as they shall become.</summary>
internal sealed class JobDraft
{
    /// <summary>More containers than any Pod has that starts.</summary>
    private const int MaximumContainers = 256;

    private readonly ReadOnlyMemory<byte> text;
    private readonly List<JobValue> nodeSelector = [];
    private readonly List<(JobValue Value, ReadOnlyMemory<byte> Before)> undo = new(16);

    private JobDraft(ReadOnlyMemory<byte> text, JsonElement job)
    {
        (this.text, Job) = (text, job);
        Metadata = job.Member("metadata"u8);
        LabelsElement = Metadata.Member("labels"u8);
        AnnotationsElement = Metadata.Member("annotations"u8);
        Spec = job.Member("spec"u8);
        Template = Spec.Member("template"u8);
        TemplateMetadata = Template.Member("metadata"u8);
        TemplateLabelsElement = TemplateMetadata.Member("labels"u8);
        Pod = Template.Member("spec"u8);
        NodeSelectorElement = Pod.Member("nodeSelector"u8);
        TolerationsElement = Pod.Member("tolerations"u8);
        Labels = new JobValue[Utf8Names.Labels.Length];
        TemplateLabels = new JobValue[Utf8Names.Labels.Length];
        for (var i = 0; i < Utf8Names.Labels.Length; i++)
        {
            Labels[i] = new JobValue(JobField.Label, null, Utf8Names.Labels[i], Raw(LabelsElement.Member(Utf8Names.Labels[i])));
            TemplateLabels[i] = new JobValue(JobField.TemplateLabel, null, Utf8Names.Labels[i], Raw(TemplateLabelsElement.Member(Utf8Names.Labels[i])));
        }

        Assignment = new JobValue(JobField.Annotation, null, Utf8Names.Assignment, Raw(AnnotationsElement.Member(Utf8Names.Assignment)));
        Parallelism = new JobValue(JobField.Parallelism, null, null, Raw(Spec.Member("parallelism"u8)));
        Ttl = new JobValue(JobField.Ttl, null, null, Raw(Spec.Member("ttlSecondsAfterFinished"u8)));
        RuntimeClass = new JobValue(JobField.RuntimeClass, null, null, Raw(Pod.Member("runtimeClassName"u8)));
        Tolerations = new JobValue(JobField.Tolerations, null, null, Raw(TolerationsElement));
        Gate = Entry(JobField.Gate, null, Pod.Member("initContainers"u8), RunSafety.GateName);
        Containers = [];
    }

    public JsonElement Job { get; }
    public JsonElement Metadata { get; }
    public JsonElement LabelsElement { get; }
    public JsonElement AnnotationsElement { get; }
    public JsonElement Spec { get; }
    public JsonElement Template { get; }
    public JsonElement TemplateMetadata { get; }
    public JsonElement TemplateLabelsElement { get; }
    public JsonElement Pod { get; }
    public JsonElement NodeSelectorElement { get; }
    public JsonElement TolerationsElement { get; }

    /// <summary>In the order of <see cref="Utf8Names.Labels"/>.</summary>
    public JobValue[] Labels { get; }
    public JobValue[] TemplateLabels { get; }
    public JobValue Assignment { get; }
    public JobValue Parallelism { get; }
    public JobValue Ttl { get; }
    public JobValue RuntimeClass { get; }
    public JobValue Tolerations { get; }
    public IReadOnlyList<JobValue> NodeSelector => nodeSelector;

    /// <summary>The init container that waits for the network policy: the first, where it is not there yet.</summary>
    public JobValue Gate { get; }

    /// <summary>Null until it is asked for.</summary>
    public SafetyDraft? KnownSafety { get; private set; }
    public SafetyDraft Safety => KnownSafety ??= new SafetyDraft(this);

    /// <summary>Ordinary containers, then init containers without <see cref="Gate"/>.</summary>
    public ContainerDraft[] Containers { get; private set; }

    /// <summary>It is in the gateway, and at least one container takes a token: asked before any change is put on, so that every arm is asked the same.</summary>
    public bool TakesRunToken { get; set; }

    /// <summary>The size of the volume that it was given to resume from, as a JSON string; null where it has none of ours.</summary>
    public byte[]? Resume { get; set; }

    /// <summary>Why it has none although it asks for one, or what its author must see to: see <see cref="ResumeVolume"/>.</summary>
    public string? ResumeNotice { get; set; }

    /// <summary>Null where the Job is not shaped as Kubernetes shapes Jobs.</summary>
    public static JobDraft? Read(ReadOnlyMemory<byte> text, JsonElement job)
    {
        var draft = new JobDraft(text, job);
        if (draft.Metadata.ValueKind != JsonValueKind.Object || draft.Pod.ValueKind != JsonValueKind.Object) return null;
        if (!IsMap(draft.LabelsElement) || !IsMap(draft.AnnotationsElement) || !IsObject(draft.TemplateMetadata) || !IsMap(draft.TemplateLabelsElement)) return null;
        if (!IsMap(draft.NodeSelectorElement) || draft.TolerationsElement.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Array)) return null;
        if (!IsCount(draft.Parallelism) || !IsCount(draft.Ttl)) return null;

        var ordinary = draft.Pod.Member("containers"u8);
        var init = draft.Pod.Member("initContainers"u8);
        if (ordinary.ValueKind != JsonValueKind.Array || init.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Array)) return null;
        var count = ordinary.GetArrayLength();
        var all = count + (init.ValueKind == JsonValueKind.Array ? init.GetArrayLength() : 0);
        if (count == 0 || all > MaximumContainers) return null;
        if (draft.Gate.Received.Length > 0) all--;
        draft.Containers = new ContainerDraft[all];
        var at = 0;
        foreach (var one in ordinary.EnumerateArray()) draft.Containers[at] = new ContainerDraft(draft, one, isInit: false, at++);
        var position = 0;
        if (init.ValueKind == JsonValueKind.Array)
            foreach (var one in init.EnumerateArray())
                if (position++ != draft.Gate.Position || draft.Gate.Received.Length == 0) draft.Containers[at] = new ContainerDraft(draft, one, isInit: true, at++ - count);
        for (var i = 0; i < all; i++)
        {
            if (!draft.Containers[i].IsSound()) return null;
            for (var j = 0; j < i; j++)
                if (Json.Raw(draft.Containers[j].Name).SequenceEqual(Json.Raw(draft.Containers[i].Name))) return null;
        }

        return draft;
    }

    public JobValue NodeSelectorFor(ReadOnlySpan<byte> key)
    {
        foreach (var known in nodeSelector)
            if (key.SequenceEqual(known.Key)) return known;
        var created = new JobValue(JobField.NodeSelector, null, key.ToArray(), Raw(NodeSelectorElement.Member(key)));
        nodeSelector.Add(created);
        return created;
    }

    /// <summary>The entry of a list that has a name of ours, there or to come: at the end, but the gate at the beginning.</summary>
    public JobValue Entry(JobField field, ContainerDraft? container, JsonElement list, ReadOnlySpan<byte> name)
    {
        var count = 0;
        if (list.ValueKind == JsonValueKind.Array)
        {
            foreach (var one in list.EnumerateArray())
            {
                if (one.Member("name"u8).Is(name)) return new JobValue(field, container, name.ToArray(), Raw(one)) { Position = count };
                count++;
            }
        }

        return new JobValue(field, container, name.ToArray(), default) { Position = field == JobField.Gate ? 0 : count };
    }

    /// <summary>Whether any label of nodes is asked for, apart from those that were taken back.</summary>
    public bool HasNodeSelector()
    {
        if (NodeSelectorElement.ValueKind != JsonValueKind.Object) return false;
        foreach (var member in NodeSelectorElement.EnumerateObject())
            if (nodeSelector.Find(known => member.NameEquals(known.Key)) is not { Current.Length: 0 }) return true;
        return false;
    }

    /// <summary>Entries of the list that an entry stands in, as it came.</summary>
    public int Length(JobValue entry)
    {
        var list = entry.Field switch
        {
            JobField.Gate => Pod.Member("initContainers"u8),
            JobField.Volume => Safety.VolumesElement,
            _ => entry.Container!.MountsElement,
        };
        return list.ValueKind == JsonValueKind.Array ? list.GetArrayLength() : 0;
    }

    public ContainerDraft? Container(bool isInit, string? name)
    {
        foreach (var container in Containers)
            if (container.IsInit == isInit && container.Name.ValueEquals(name)) return container;
        return null;
    }

    public void Set(JobValue value, ReadOnlyMemory<byte> to)
    {
        if (Json.Same(value.Current, to)) return;
        undo.Add((value, value.Current));
        value.Current = to;
    }

    /// <summary>For <see cref="Rollback"/>: how many values have been set so far.</summary>
    public int Mark => undo.Count;

    public void Rollback(int mark)
    {
        for (var i = undo.Count - 1; i >= mark; i--) undo[i].Value.Current = undo[i].Before;
        undo.RemoveRange(mark, undo.Count - mark);
    }

    /// <summary>What is set now is what the user wanted.</summary>
    public void AcceptAsOriginal()
    {
        foreach (var (value, _) in undo) value.Original = value.Current;
    }

    /// <summary>
    /// Everything that differs from what the user wanted, labels and annotations aside, in the order of the document, but of one list the last entry first: taken out one
    /// after another, each stands where its path says.
    /// </summary>
    public IEnumerable<JobValue> Written()
    {
        foreach (var value in (JobValue[])[Parallelism, Ttl, Tolerations, RuntimeClass])
            if (IsWritten(value)) yield return value;
        foreach (var value in nodeSelector)
            if (IsWritten(value)) yield return value;
        if (KnownSafety is { } safety)
        {
            foreach (var value in (JobValue[])[safety.Deadline, safety.ServiceAccountToken, .. safety.Security, safety.Resume, safety.Volume])
                if (IsWritten(value)) yield return value;
        }

        foreach (var container in Containers)
        {
            foreach (var value in container.Resources)
                if (IsWritten(value)) yield return value;
            foreach (var value in container.Environment)
                if (IsWritten(value)) yield return value;
            if (container.Safety.Length == 0) continue;
            foreach (var value in (JobValue[])[.. container.Security, container.ResumeMount, container.Mount])
                if (IsWritten(value)) yield return value;
        }

        // Last, as it moves the init containers that the paths before it name.
        if (IsWritten(Gate)) yield return Gate;

        static bool IsWritten(JobValue value) => !Json.Same(value.Original, value.Current);
    }

    public ReadOnlyMemory<byte> Raw(JsonElement element)
    {
        var raw = Json.Raw(element);
        return raw.Length > 0 && text.Span.Overlaps(raw, out var offset) ? text.Slice(offset, raw.Length) : default;
    }

    /// <summary>A whole number in the range of int32, or null.</summary>
    public static int? Number(ReadOnlyMemory<byte> raw) =>
        System.Buffers.Text.Utf8Parser.TryParse(raw.Span, out int number, out var used) && used == raw.Length ? number : null;

    /// <summary>Entries may stand there, each with a name.</summary>
    public static bool IsNamedList(JsonElement list)
    {
        if (list.ValueKind == JsonValueKind.Undefined) return true;
        if (list.ValueKind != JsonValueKind.Array) return false;
        foreach (var one in list.EnumerateArray())
            if (one.Member("name"u8).ValueKind != JsonValueKind.String) return false;
        return true;
    }

    private static bool IsCount(JobValue value) => value.Received.Length == 0 || Number(value.Received) >= 0;

    private static bool IsObject(JsonElement element) => element.ValueKind is JsonValueKind.Undefined or JsonValueKind.Object;

    private static bool IsMap(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.Undefined) return true;
        if (element.ValueKind != JsonValueKind.Object) return false;
        foreach (var member in element.EnumerateObject())
            if (member.Value.ValueKind != JsonValueKind.String) return false;
        return true;
    }
}
