using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Fabrik.Experiments;

namespace Fabrik.Admission;

/// <summary>How the places that Fabrik writes are called: JSON pointers, in patches and in signed assignments alike.</summary>
internal static class WrittenPaths
{
    private const string Pod = "/spec/template/spec/";
    private const string NodeSelector = Pod + "nodeSelector/";

    public static void Append(PooledBuffer path, JobValue value)
    {
        switch (value.Field)
        {
            case JobField.Parallelism: path.Add("/spec/parallelism"u8); break;
            case JobField.Ttl: path.Add("/spec/ttlSecondsAfterFinished"u8); break;
            case JobField.RuntimeClass: path.Add("/spec/template/spec/runtimeClassName"u8); break;
            case JobField.Tolerations: path.Add("/spec/template/spec/tolerations"u8); break;
            case JobField.Deadline: path.Add("/spec/activeDeadlineSeconds"u8); break;
            case JobField.ServiceAccountToken: path.Add("/spec/template/spec/automountServiceAccountToken"u8); break;
            case JobField.PodSecurity:
                path.Add("/spec/template/spec/securityContext"u8);
                AppendKey(path, value.Key);
                break;
            case JobField.ContainerSecurity:
                AppendContainer(path, value.Container!);
                path.Add("/securityContext"u8);
                AppendKey(path, value.Key);
                break;
            case JobField.Volume or JobField.Mount or JobField.Gate:
                AppendList(path, value);
                path.Add((byte)'/');
                AppendNumber(path, value.Position);
                break;
            case JobField.NodeSelector:
                path.Add("/spec/template/spec/nodeSelector"u8);
                AppendKey(path, value.Key);
                break;
            case JobField.Label:
                path.Add("/metadata/labels"u8);
                AppendKey(path, value.Key);
                break;
            case JobField.TemplateLabel:
                path.Add("/spec/template/metadata/labels"u8);
                AppendKey(path, value.Key);
                break;
            case JobField.Annotation:
                path.Add("/metadata/annotations"u8);
                AppendKey(path, value.Key);
                break;
            case JobField.Environment:
                AppendContainer(path, value.Container!);
                path.Add("/env"u8);
                break;
            default:
                AppendContainer(path, value.Container!);
                path.Add(IsRequest(value) ? "/resources/requests/"u8 : "/resources/limits/"u8);
                path.Add(ResourceNames.Utf8(Resource(value)));
                break;
        }
    }

    public static void AppendContainer(PooledBuffer path, ContainerDraft container)
    {
        path.Add(container.IsInit ? "/spec/template/spec/initContainers/"u8 : "/spec/template/spec/containers/"u8);
        AppendNumber(path, container.Index);
    }

    /// <summary>The list that an entry stands in.</summary>
    public static void AppendList(PooledBuffer path, JobValue entry)
    {
        if (entry.Field == JobField.Mount)
        {
            AppendContainer(path, entry.Container!);
            path.Add("/volumeMounts"u8);
        }
        else path.Add(entry.Field == JobField.Gate ? "/spec/template/spec/initContainers"u8 : "/spec/template/spec/volumes"u8);
    }

    /// <summary>A slash and the key, its own slashes and tildes escaped.</summary>
    public static void AppendKey(PooledBuffer path, ReadOnlySpan<byte> key)
    {
        path.Add((byte)'/');
        foreach (var one in key)
        {
            if (one == '~') path.Add("~0"u8);
            else if (one == '/') path.Add("~1"u8);
            else path.Add(one);
        }
    }

    private static void AppendNumber(PooledBuffer path, int number)
    {
        Span<byte> digits = stackalloc byte[11];
        Utf8Formatter.TryFormat(number, digits, out var length);
        path.Add(digits[..length]);
    }

    public static ResourceName Resource(JobValue value) => (ResourceName)((int)value.Field / 2);

    public static bool IsRequest(JobValue value) => (int)value.Field % 2 == 0;

    /// <summary>The place in this Job that a signed assignment speaks of; null where the Job has none such. Containers are found by their name.</summary>
    public static JobValue? Find(JobDraft job, WrittenValue written)
    {
        switch (written.Path)
        {
            case "/spec/parallelism": return job.Parallelism;
            case "/spec/ttlSecondsAfterFinished": return job.Ttl;
            case Pod + "runtimeClassName": return job.RuntimeClass;
            case Pod + "tolerations": return job.Tolerations;
            case "/spec/activeDeadlineSeconds": return Safe(job)?.Deadline;
            case Pod + "automountServiceAccountToken": return Safe(job)?.ServiceAccountToken;
        }

        if (written.Path.StartsWith(NodeSelector, StringComparison.Ordinal))
            return job.NodeSelectorFor(Encoding.UTF8.GetBytes(written.Path[NodeSelector.Length..].Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)));
        if (!written.Path.StartsWith(Pod, StringComparison.Ordinal)) return null;
        var parts = written.Path[Pod.Length..].Split('/');
        switch (parts)
        {
            case ["securityContext", var key]: return Safe(job) is { } safety ? Array.Find(safety.Security, value => Encoding.UTF8.GetString(value.Key!) == key) : null;
            case ["volumes", _]: return Safe(job) is { } volumes ? Named([volumes.Volume, volumes.Resume], written) : null;
            case ["initContainers", _]: return job.Gate;
        }

        if (written.Container is null || parts.Length < 3 || parts[0] is not ("containers" or "initContainers")) return null;
        if (job.Container(parts[0] == "initContainers", written.Container) is not { } container) return null;
        if (parts is [_, _, "volumeMounts", _]) return Safe(job) is null ? null : Named(container.Mounted, written);
        if (parts is [_, _, "securityContext", var member]) return Safe(job) is null ? null : Array.Find(container.Security, value => Encoding.UTF8.GetString(value.Key!) == member);
        if (parts is [_, _, "env"]) return written.Variable is { } variable ? container.Variable(Encoding.UTF8.GetBytes(variable)) : null;
        if (parts is not [_, _, "resources", "requests" or "limits", _]) return null;
        var resource = parts[4] switch { "memory" => 0, "cpu" => 1, "ephemeral-storage" => 2, _ => -1 };
        return resource < 0 ? null : parts[3] == "requests" ? container.Request(resource) : container.Limit(resource);
    }

    /// <summary>Entries of lists are known by their names, as others may have put some before them.</summary>
    private static JobValue? Named(JobValue[] entries, WrittenValue written)
    {
        var name = (written.To.ValueKind == JsonValueKind.Object ? written.To : written.From).Member("name"u8);
        return Array.Find(entries, entry => name.Is(entry.Key));
    }

    private static SafetyDraft? Safe(JobDraft job) => job.Safety is { IsSound: true } safety ? safety : null;

    /// <summary>Whether what the Job says there is what the assignment says; absent is a value too.</summary>
    public static bool Is(JobValue value, JsonElement other)
    {
        if (value.Received.Length == 0 || other.ValueKind == JsonValueKind.Undefined) return value.Received.Length == 0 && other.ValueKind == JsonValueKind.Undefined;
        if (value.Received.Span.SequenceEqual(Json.Raw(other))) return true;
        if (RunIdentity.IsRecorded(value, other)) return true;
        if (value.IsResource) return Json.Amount(value.Received.Span) is { } amount && amount == Json.Amount(other);
        using var document = JsonDocument.Parse(value.Received);
        return JsonElement.DeepEquals(document.RootElement, other);
    }

    /// <summary>The index of the container in the path; -1 where it has none.</summary>
    public static int ContainerIndex(WrittenValue written) =>
        written.Path.StartsWith(Pod, StringComparison.Ordinal) && written.Path[Pod.Length..].Split('/') is [_, var index, ..] && int.TryParse(index, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1;
}
