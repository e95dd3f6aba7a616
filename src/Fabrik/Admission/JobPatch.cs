using System.Text.Json;

namespace Fabrik.Admission;

/// <summary>
/// The difference between a Job as it came and as it shall be, as a JSON Patch: missing parents are added, only what exists is replaced
/// or removed, nothing is tested. Operations on one parent stand together.
/// </summary>
internal sealed class JobPatch(JobDraft job, Utf8JsonWriter writer, PooledBuffer path)
{
    private int operations;

    /// <returns>How many operations were written.</returns>
    public int Write()
    {
        writer.WriteStartArray();
        Map("/metadata/labels"u8, job.LabelsElement, job.Labels);
        Map("/metadata/annotations"u8, job.AnnotationsElement, [job.Assignment]);
        One(job.Parallelism);
        One(job.Ttl);
        if (job.KnownSafety is { } known) One(known.Deadline);
        TemplateLabels();
        if (job.NodeSelector.Count > 0) Map("/spec/template/spec/nodeSelector"u8, job.NodeSelectorElement, [.. job.NodeSelector]);
        One(job.Tolerations);
        One(job.RuntimeClass);
        if (job.KnownSafety is { } safety)
        {
            One(safety.ServiceAccountToken);
            Map("/spec/template/spec/securityContext"u8, safety.SecurityElement, safety.Security);
            Listed(safety.VolumesElement, safety.Volume, safety.Resume);
        }

        var isGateDone = false;
        foreach (var container in job.Containers)
        {
            if (container.IsInit && !isGateDone)
            {
                // Before what lies in other init containers: their paths reckon with it.
                Listed(job.Pod.Member("initContainers"u8), job.Gate);
                isGateDone = true;
            }

            Resources(container);
            if (container.Environment.Count > 0) Environment(container);
            if (container.Safety.Length == 0) continue;
            path.Clear();
            WrittenPaths.AppendContainer(path, container);
            path.Add("/securityContext"u8);
            Map(container.SecurityElement, container.Security);
            Listed(container.MountsElement, container.Mounted);
        }

        if (!isGateDone) Listed(job.Pod.Member("initContainers"u8), job.Gate);

        writer.WriteEndArray();
        writer.Flush();
        return operations;
    }

    private void TemplateLabels()
    {
        if (job.TemplateMetadata.ValueKind != JsonValueKind.Undefined) Map("/spec/template/metadata/labels"u8, job.TemplateLabelsElement, job.TemplateLabels);
        else if (Any(job.TemplateLabels))
        {
            Start("add"u8, "/spec/template/metadata"u8);
            writer.WriteStartObject();
            writer.WritePropertyName("labels"u8);
            Object(job.TemplateLabels);
            writer.WriteEndObject();
            End();
        }
    }

    private void Resources(ContainerDraft container)
    {
        JobValue[] requests = [container.Request(0), container.Request(1), container.Request(2)];
        JobValue[] limits = [container.Limit(0), container.Limit(1), container.Limit(2)];
        path.Clear();
        WrittenPaths.AppendContainer(path, container);
        path.Add("/resources"u8);
        var length = path.Written.Length;
        if (container.ResourcesElement.ValueKind == JsonValueKind.Undefined)
        {
            if (!Any(requests) && !Any(limits)) return;
            Start("add"u8);
            writer.WriteStartObject();
            Member("requests"u8, requests);
            Member("limits"u8, limits);
            writer.WriteEndObject();
            End();
            return;
        }

        path.Add("/requests"u8);
        Map(container.RequestsElement, requests);
        path.Truncate(length);
        path.Add("/limits"u8);
        Map(container.LimitsElement, limits);

        void Member(ReadOnlySpan<byte> name, JobValue[] values)
        {
            if (!Any(values)) return;
            writer.WritePropertyName(name);
            Object(values);
        }
    }

    private void Environment(ContainerDraft container)
    {
        var (changed, onlyAppended) = (false, container.EnvironmentElement.ValueKind == JsonValueKind.Array);
        foreach (var variable in container.Environment)
        {
            if (!variable.IsChanged) continue;
            changed = true;
            onlyAppended &= variable.Received.Length == 0 && variable.Position < 0;
        }

        if (!changed) return;
        path.Clear();
        WrittenPaths.AppendContainer(path, container);
        path.Add("/env"u8);
        if (onlyAppended)
        {
            path.Add("/-"u8);
            foreach (var variable in container.Environment)
            {
                if (!variable.IsChanged) continue;
                Start("add"u8);
                Entry(variable);
                End();
            }

            return;
        }

        Start(container.EnvironmentElement.ValueKind == JsonValueKind.Array ? "replace"u8 : "add"u8);
        writer.WriteStartArray();
        var count = 0;
        if (container.EnvironmentElement.ValueKind == JsonValueKind.Array)
        {
            foreach (var entry in container.EnvironmentElement.EnumerateArray())
            {
                var known = Find(container, entry);
                if (known is { IsChanged: true, Current.Length: 0 } or { Original.Length: 0 }) continue;
                Insert(container, ref count);
                if (known is { IsChanged: true }) Entry(known);
                else writer.WriteRawValue(Json.Raw(entry), skipInputValidation: true);
                count++;
            }
        }

        Insert(container, ref count);
        foreach (var variable in container.Environment)
        {
            // What a copy brought of Fabrik's stands behind what is the user's, in the order in which a new Job gets it.
            if (variable.Received.Length > 0 ? variable.Original.Length == 0 && variable.Current.Length > 0 : variable.IsChanged && (variable.Position < 0 || variable.Position > count)) Entry(variable);
        }

        writer.WriteEndArray();
        End();
    }

    /// <summary>Variables that come back to the place where they had been.</summary>
    private void Insert(ContainerDraft container, ref int count)
    {
        for (var again = true; again;)
        {
            again = false;
            foreach (var variable in container.Environment)
            {
                if (!variable.IsChanged || variable.Received.Length > 0 || variable.Position != count) continue;
                Entry(variable);
                count++;
                again = true;
            }
        }
    }

    private static JobValue? Find(ContainerDraft container, JsonElement entry)
    {
        foreach (var variable in container.Environment)
            if (entry.Member("name"u8).Is(variable.Key)) return variable;
        return null;
    }

    private void Entry(JobValue variable)
    {
        if (variable.Current.Span[0] == '{')
        {
            writer.WriteRawValue(variable.Current.Span, skipInputValidation: true);
            return;
        }

        writer.WriteStartObject();
        writer.WriteString("name"u8, variable.Key);
        writer.WritePropertyName("value"u8);
        writer.WriteRawValue(variable.Current.Span, skipInputValidation: true);
        writer.WriteEndObject();
    }

    private void Map(ReadOnlySpan<byte> at, JsonElement existing, JobValue[] values)
    {
        path.Clear();
        path.Add(at);
        Map(existing, values);
    }

    /// <summary>Members of the object at the current path.</summary>
    private void Map(JsonElement existing, JobValue[] values)
    {
        if (existing.ValueKind == JsonValueKind.Undefined)
        {
            if (!Any(values)) return;
            Start("add"u8);
            Object(values);
            End();
            return;
        }

        var length = path.Written.Length;
        foreach (var value in values)
        {
            if (!value.IsChanged) continue;
            path.Truncate(length);
            WrittenPaths.AppendKey(path, value.Key is null ? ResourceNames.Utf8(WrittenPaths.Resource(value)) : value.Key);
            Change(value);
        }
    }

    private void One(JobValue value)
    {
        if (!value.IsChanged) return;
        path.Clear();
        WrittenPaths.Append(path, value);
        Change(value);
    }

    /// <summary>Entries of one list: those that are there from the last to the first, then those that come from the first to the last, each where it belongs or at the end.</summary>
    private void Listed(JsonElement list, params JobValue[] entries)
    {
        var come = entries.Where(entry => entry.IsChanged && entry.Received.Length == 0).OrderBy(entry => entry.Position).ToList();
        if (list.ValueKind == JsonValueKind.Array)
        {
            var count = list.GetArrayLength();
            foreach (var entry in entries.Where(entry => entry.IsChanged && entry.Received.Length > 0).OrderByDescending(entry => entry.Position))
            {
                One(entry);
                if (entry.Current.Length == 0) count--;
            }

            foreach (var entry in come)
            {
                entry.Position = Math.Min(entry.Position, count++);
                One(entry);
            }

            return;
        }

        if (come.Count == 0) return;
        path.Clear();
        WrittenPaths.AppendList(path, come[0]);
        Start("add"u8);
        writer.WriteStartArray();
        foreach (var entry in come) writer.WriteRawValue(entry.Current.Span, skipInputValidation: true);
        writer.WriteEndArray();
        End();
    }

    private void Change(JobValue value)
    {
        if (value.Current.Length == 0)
        {
            writer.WriteStartObject();
            writer.WriteString("op"u8, "remove"u8);
            writer.WriteString("path"u8, path.Written.Span);
        }
        else
        {
            Start(value.Received.Length == 0 ? "add"u8 : "replace"u8);
            writer.WriteRawValue(value.Current.Span, skipInputValidation: true);
        }

        End();
    }

    private void Object(JobValue[] values)
    {
        writer.WriteStartObject();
        foreach (var value in values)
        {
            if (value.Current.Length == 0) continue;
            writer.WritePropertyName(value.Key is null ? ResourceNames.Utf8(WrittenPaths.Resource(value)) : value.Key);
            writer.WriteRawValue(value.Current.Span, skipInputValidation: true);
        }

        writer.WriteEndObject();
    }

    private void Start(ReadOnlySpan<byte> operation, ReadOnlySpan<byte> at)
    {
        path.Clear();
        path.Add(at);
        Start(operation);
    }

    private void Start(ReadOnlySpan<byte> operation)
    {
        writer.WriteStartObject();
        writer.WriteString("op"u8, operation);
        writer.WriteString("path"u8, path.Written.Span);
        writer.WritePropertyName("value"u8);
    }

    private void End()
    {
        writer.WriteEndObject();
        operations++;
    }

    private static bool Any(JobValue[] values)
    {
        foreach (var value in values)
            if (value.Current.Length > 0) return true;
        return false;
    }
}
