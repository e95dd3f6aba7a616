using System.Text;
using System.Text.Json;
using Fabrik.Experiments;

namespace Fabrik.Admission;

/// <summary>What a namespace says: opted in or not, what it permits, what bounds its Pods.</summary>
internal sealed class NamespaceFacts
{
    private readonly List<QuotaRoom> quotas = [];

    public NamespaceFacts(string name, JsonElement metadata)
    {
        var labels = metadata.Member("labels"u8);
        Name = name;
        IsEnabled = labels.Member(Utf8Names.Enabled).Is("true"u8);
        IsInGateway = labels.Member(Utf8Names.Gateway).Is("true"u8);
        IsUntrusted = labels.Member(Utf8Names.Untrusted).Is("true"u8);
        Project = labels.Member(Utf8Names.Project).Label();
        Projects = [.. (metadata.Member("annotations"u8).Member(Utf8Names.Projects).Text() ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];
        Permitted = Permissions.Default;
        foreach (var (kind, label) in Kinds)
        {
            var value = labels.Member(label);
            if (value.Is("true"u8)) Permitted |= kind;
            else if (value.ValueKind != JsonValueKind.Undefined) Permitted &= ~kind;
        }
    }

    public string Name { get; }
    public bool IsEnabled { get; }
    public bool IsInGateway { get; }
    public bool IsUntrusted { get; }

    /// <summary>Null where it has none.</summary>
    public string? Project { get; }

    /// <summary>Those that its Jobs may choose besides.</summary>
    public HashSet<string> Projects { get; }
    public Permissions Permitted { get; }
    public LimitRangeBounds[] ContainerBounds { get; } = [new(), new(), new()];
    public LimitRangeBounds[] PodBounds { get; } = [new(), new(), new()];
    public IReadOnlyList<QuotaRoom> Quotas => quotas;

    /// <summary>Neither LimitRange nor ResourceQuota: nothing has to be summed.</summary>
    public bool HasPodBounds { get; private set; }

    public void AddLimitRange(JsonElement limitRange)
    {
        LimitRangeBounds.Read(limitRange, ContainerBounds, PodBounds);
        HasPodBounds = true;
    }

    public void AddQuota(JsonElement quota)
    {
        quotas.Add(QuotaRoom.Of(quota));
        HasPodBounds = true;
    }

    private static readonly byte[][] Excluded = [.. WebhookRegistration.ExcludedNamespaces.Select(Encoding.UTF8.GetBytes)];

    /// <summary>The control planes of Kubernetes and of Fabrik: never touched, whatever their labels say.</summary>
    public static bool IsExcluded(ReadOnlySpan<byte> name)
    {
        foreach (var excluded in Excluded)
            if (name.SequenceEqual(excluded)) return true;
        return false;
    }

    private static readonly (Permissions Kind, byte[] Label)[] Kinds =
    [
        .. Enum.GetValues<Permissions>().Where(kind => System.Numerics.BitOperations.IsPow2((int)kind))
            .Select(kind => (kind, System.Text.Encoding.UTF8.GetBytes(Names.Labels.PermitPrefix + PermissionName(kind)))),
    ];

    private static string PermissionName(Permissions kind) => kind switch
    {
        Permissions.Memory => "memory",
        Permissions.Cpu => "cpu",
        Permissions.EphemeralStorage => "ephemeral-storage",
        Permissions.Ttl => "ttl",
        Permissions.Parallelism => "parallelism",
        Permissions.Scheduling => "scheduling",
        Permissions.RuntimeClass => "runtime-class",
        Permissions.Model => "model",
        _ => "environment",
    };
}
