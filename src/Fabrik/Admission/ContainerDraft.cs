using System.Text.Json;

namespace Fabrik.Admission;

/// <summary>A container of the Job's Pod template.</summary>
internal sealed class ContainerDraft
{
    private const int FieldsPerResource = 2;

    /// <summary>Put there by other admission webhooks: meshes, secret agents, storage and telemetry sidecars.</summary>
    private static readonly byte[][] ForeignNames =
    [
        .. "istio-proxy istio-validation istio-init linkerd-proxy linkerd-init vault-agent vault-agent-init consul-dataplane consul-connect-inject-init daprd envoy-sidecar kuma-sidecar kuma-init osm-init envoy gke-gcsfuse-sidecar cloud-sql-proxy aws-appmesh-proxy otc-container opentelemetry-auto-instrumentation jaeger-agent datadog-agent-sidecar datadog-init-apm-inject datadog-lib-init queue-proxy secrets-init"
            .Split(' ').Select(System.Text.Encoding.ASCII.GetBytes),
    ];

    private readonly JobDraft job;
    private readonly List<JobValue> environment = [];

    public ContainerDraft(JobDraft job, JsonElement element, bool isInit, int index)
    {
        (this.job, Element, IsInit, Ordinal) = (job, element, isInit, index);
        Name = element.Member("name"u8);
        IsSidecar = isInit && element.Member("restartPolicy"u8).Is("Always"u8);
        ResourcesElement = element.Member("resources"u8);
        RequestsElement = ResourcesElement.Member("requests"u8);
        LimitsElement = ResourcesElement.Member("limits"u8);
        EnvironmentElement = element.Member("env"u8);
        Resources = new JobValue[FieldsPerResource * ResourceNames.Count];
        for (var i = 0; i < ResourceNames.Count; i++)
        {
            var name = ResourceNames.Utf8((ResourceName)i);
            Resources[2 * i] = new JobValue((JobField)(2 * i), this, null, job.Raw(RequestsElement.Member(name)));
            Resources[(2 * i) + 1] = new JobValue((JobField)((2 * i) + 1), this, null, job.Raw(LimitsElement.Member(name)));
        }
    }

    public JsonElement Element { get; }
    public JsonElement Name { get; }
    public bool IsInit { get; }
    public bool IsSidecar { get; }

    /// <summary>Among those of its kind, the gate not counted.</summary>
    public int Ordinal { get; }

    /// <summary>Where it stands in the Job as it shall be.</summary>
    public int Index => IsInit && job.Gate.Current.Length > 0 && job.Gate.Position <= Ordinal ? Ordinal + 1 : Ordinal;
    public JsonElement ResourcesElement { get; }
    public JsonElement RequestsElement { get; }
    public JsonElement LimitsElement { get; }
    public JsonElement EnvironmentElement { get; }
    public JobValue[] Resources { get; }

    /// <summary>Only those that were asked for.</summary>
    public IReadOnlyList<JobValue> Environment => environment;

    /// <summary>What was reckoned with may not be what counts.</summary>
    public bool IsAmbiguous => Json.NamesTwice(RequestsElement) || Json.NamesTwice(LimitsElement);

    public bool IsChanged => Array.Exists(Resources, value => value.IsChanged) || environment.Exists(value => value.IsChanged) || Array.Exists(Safety, value => value.IsChanged);

    /// <summary>Members of its security context, then mounts; empty before <see cref="MakeSafety"/>.</summary>
    public JobValue[] Safety { get; private set; } = [];
    public JobValue[] Security => Safety[..3];

    /// <summary>Of /tmp, and of the volume that outlives the Pod.</summary>
    public JobValue[] Mounted => Safety[3..];
    public JsonElement SecurityElement { get; private set; }
    public JsonElement MountsElement { get; private set; }
    public JobValue NoEscalation => Safety[0];
    public JobValue Capabilities => Safety[1];
    public JobValue ReadOnlyRoot => Safety[2];
    public JobValue Mount => Safety[3];
    public JobValue ResumeMount => Safety[4];
    public bool IsPrivileged => SecurityElement.Member("privileged"u8).ValueKind == JsonValueKind.True || AddsAdministrator();

    /// <returns>Whether everything has the shape that Kubernetes says.</returns>
    public bool MakeSafety()
    {
        SecurityElement = Element.Member("securityContext"u8);
        MountsElement = Element.Member("volumeMounts"u8);
        Safety =
        [
            Member("allowPrivilegeEscalation"u8), Member("capabilities"u8), Member("readOnlyRootFilesystem"u8),
            job.Entry(JobField.Mount, this, MountsElement, RunSafety.TmpName), job.Entry(JobField.Mount, this, MountsElement, ResumeVolume.Name),
        ];
        return IsObject(SecurityElement) && IsObject(SecurityElement.Member("capabilities"u8)) && JobDraft.IsNamedList(MountsElement);
    }

    /// <summary>Whether something other than <see cref="Mount"/> is mounted there.</summary>
    public bool Mounts(ReadOnlySpan<byte> path)
    {
        if (MountsElement.ValueKind != JsonValueKind.Array) return false;
        var position = 0;
        foreach (var mount in MountsElement.EnumerateArray())
            if ((position++ != Mount.Position || Mount.Received.Length == 0) && mount.Member("mountPath"u8) is { ValueKind: JsonValueKind.String } at && Json.Raw(at)[1..^1].TrimEnd((byte)'/').SequenceEqual(path)) return true;
        return false;
    }

    /// <summary>The capabilities with all dropped; null where it is said which are.</summary>
    public byte[]? WithoutCapabilities(byte[] none)
    {
        var current = Capabilities.Current;
        if (current.Length == 0) return none;
        using var document = JsonDocument.Parse(current);
        if (document.RootElement.Member("drop"u8).ValueKind != JsonValueKind.Undefined) return null;
        var buffer = new System.Buffers.ArrayBufferWriter<byte>(current.Length + none.Length);
        using (var writer = new Utf8JsonWriter(buffer, Json.Writing))
        {
            writer.WriteStartObject();
            foreach (var member in document.RootElement.EnumerateObject())
                if (!member.NameEquals("drop"u8)) member.WriteTo(writer);
            writer.WriteStartArray("drop"u8);
            writer.WriteStringValue("ALL"u8);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private JobValue Member(ReadOnlySpan<byte> key) => new(JobField.ContainerSecurity, this, key.ToArray(), job.Raw(SecurityElement.Member(key)));

    /// <summary>Kubernetes takes CAP_SYS_ADMIN as privileged when it looks at escalation.</summary>
    private bool AddsAdministrator()
    {
        if (SecurityElement.Member("capabilities"u8).Member("add"u8) is not { ValueKind: JsonValueKind.Array } added) return false;
        foreach (var one in added.EnumerateArray())
            if (one.Is("CAP_SYS_ADMIN"u8) || one.Is("SYS_ADMIN"u8)) return true;
        return false;
    }

    public JobValue Request(int resource) => Resources[2 * resource];

    public JobValue Limit(int resource) => Resources[(2 * resource) + 1];

    /// <summary>Ordinary and not another webhook's, unless the change names it.</summary>
    public bool IsTargetOf(CompiledChange change)
    {
        foreach (var name in change.Containers)
            if (Name.ValueEquals(name)) return true;
        if (change.Containers.Length > 0 || IsInit) return false;
        foreach (var name in ForeignNames)
            if (Name.ValueEquals(name)) return false;
        return true;
    }

    /// <summary>The shapes that everything else relies on: env, requests and limits are what Kubernetes says, every amount is one.</summary>
    public bool IsSound()
    {
        if (Name.ValueKind != JsonValueKind.String || !IsObject(ResourcesElement) || !IsObject(RequestsElement) || !IsObject(LimitsElement)) return false;
        if (EnvironmentElement.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Array)) return false;
        if (EnvironmentElement.ValueKind == JsonValueKind.Array)
            foreach (var one in EnvironmentElement.EnumerateArray())
                if (one.Member("name"u8).ValueKind != JsonValueKind.String) return false;
        foreach (var value in Resources)
            if (value.Received.Length > 0 && value.Amount is null) return false;
        return true;
    }

    /// <summary>The variable as the container sets it: see <see cref="ValueOf"/>.</summary>
    public JobValue Variable(ReadOnlySpan<byte> name)
    {
        foreach (var known in environment)
            if (name.SequenceEqual(known.Key)) return known;
        var received = default(JsonElement);
        if (EnvironmentElement.ValueKind == JsonValueKind.Array)
            foreach (var one in EnvironmentElement.EnumerateArray())
                if (one.Member("name"u8).Is(name)) received = ValueOf(one);
        var created = new JobValue(JobField.Environment, this, name.ToArray(), job.Raw(received));
        environment.Add(created);
        return created;
    }

    /// <summary>As above; it comes behind all that were asked for before.</summary>
    public JobValue LastVariable(ReadOnlySpan<byte> name)
    {
        var variable = Variable(name);
        environment.Remove(variable);
        environment.Add(variable);
        return variable;
    }

    /// <summary>The value of an env entry; the entry itself where it takes the value from elsewhere or has none.</summary>
    public static JsonElement ValueOf(JsonElement entry) =>
        entry.Member("valueFrom"u8).ValueKind == JsonValueKind.Undefined && entry.Member("value"u8) is { ValueKind: JsonValueKind.String } value ? value : entry;

    public bool HasEnvironmentFrom => Element.Member("envFrom"u8) is { ValueKind: JsonValueKind.Array } from && from.GetArrayLength() > 0;

    private static bool IsObject(JsonElement element) => element.ValueKind is JsonValueKind.Undefined or JsonValueKind.Object;
}
