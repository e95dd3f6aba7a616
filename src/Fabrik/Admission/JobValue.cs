using Fabrik.Quantities;

namespace Fabrik.Admission;

/// <summary>One place of a Job that Fabrik may write. Values are raw JSON; empty stands for absent.</summary>
internal sealed class JobValue(JobField field, ContainerDraft? container, byte[]? key, ReadOnlyMemory<byte> received)
{
    public JobField Field { get; } = field;
    public ContainerDraft? Container { get; } = container;

    /// <summary>Key of a label or node selector, name of an environment variable.</summary>
    public byte[]? Key { get; } = key;

    /// <summary>As it came.</summary>
    public ReadOnlyMemory<byte> Received { get; } = received;

    /// <summary>What the user wanted: as it came, or as a copied assignment says it had been.</summary>
    public ReadOnlyMemory<byte> Original { get; set; } = received;

    /// <summary>As it shall be; set it through <see cref="JobDraft.Set"/>.</summary>
    public ReadOnlyMemory<byte> Current { get; set; } = received;

    /// <summary>Of an environment variable that is missing: where it goes back to, -1 for the end. Of another entry of a list: its index, there or to come.</summary>
    public int Position { get; set; } = -1;

    public Quantity? Amount => Json.Amount(Current.Span);

    public bool IsChanged => !Json.Same(Received, Current);

    public bool IsEntry => Field is JobField.Volume or JobField.Mount or JobField.Gate;

    public bool IsResource => Field is >= JobField.MemoryRequest and <= JobField.EphemeralStorageLimit;
}

internal enum JobField
{
    MemoryRequest,
    MemoryLimit,
    CpuRequest,
    CpuLimit,
    EphemeralStorageRequest,
    EphemeralStorageLimit,
    Environment,
    Parallelism,
    Ttl,
    NodeSelector,
    Tolerations,
    RuntimeClass,
    Deadline,
    ServiceAccountToken,
    PodSecurity,
    ContainerSecurity,

    /// <summary>An entry of a list, by its name; so are the next two.</summary>
    Volume,
    Mount,
    Gate,
    Label,
    TemplateLabel,
    Annotation,
}
