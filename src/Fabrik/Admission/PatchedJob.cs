using System.Runtime.InteropServices;
using System.Text.Json;

namespace Fabrik.Admission;

/// <summary>
/// Applies a patch to the Job it was made for, as text, in one pass: what an API server will do with it. Takes only what <see cref="JobPatch"/>
/// writes (operations on one parent stand together). Members that no operation touches and no check reads are left out.
/// </summary>
internal static class PatchedJob
{
    private const int MaximumGroups = 64;

    /// <returns>False where an operation does not apply.</returns>
    public static bool Apply(JsonElement job, JsonElement patch, PooledBuffer result)
    {
        var operations = new Operation[patch.GetArrayLength()];
        var at = 0;
        foreach (var one in patch.EnumerateArray())
        {
            var pointer = Json.Raw(one.Member("path"u8));
            if (pointer.Length < 3 || pointer[1] != '/' || pointer.Contains((byte)'\\')) return false;
            var kind = one.Member("op"u8) is var op && op.Is("add"u8) ? Kind.Add : op.Is("replace"u8) ? Kind.Replace : op.Is("remove"u8) ? Kind.Remove : Kind.None;
            one.TryGetProperty("value"u8, out var value);
            if (kind == Kind.None || (kind == Kind.Remove) != (value.ValueKind == JsonValueKind.Undefined)) return false;
            operations[at++] = new Operation(kind, one.Member("path"u8), value);
        }

        return Write(job, operations, 1, result, depth: 0);
    }

    private static bool Write(JsonElement element, ReadOnlySpan<Operation> operations, int offset, PooledBuffer result, int depth) => element.ValueKind switch
    {
        JsonValueKind.Object => WriteObject(element, operations, offset, result, depth),
        JsonValueKind.Array => WriteArray(element, operations, offset, result, depth),
        _ => false,
    };

    private static bool WriteObject(JsonElement element, ReadOnlySpan<Operation> operations, int offset, PooledBuffer result, int depth)
    {
        Span<Group> groups = stackalloc Group[MaximumGroups];
        var count = Split(operations, offset, groups);
        if (count < 0) return false;
        var first = true;
        result.Add((byte)'{');
        foreach (var member in element.EnumerateObject())
        {
            var name = JsonMarshal.GetRawUtf8PropertyName(member);
            var at = Find(groups[..count], operations, offset, name);
            if (at < 0 && !IsRead(name, depth)) continue;
            if (at >= 0 && groups[at].IsLeaf)
            {
                ref var group = ref groups[at];
                if (group.IsUsed || group.Count != 1) return false;
                group.IsUsed = true;
                var operation = operations[group.Start];
                if (operation.Kind == Kind.Remove) continue;
                Name(name, ref first, result);
                result.Add(Json.Raw(operation.Value));
                continue;
            }

            Name(name, ref first, result);
            if (at < 0) result.Add(JsonMarshal.GetRawUtf8Value(member.Value));
            else
            {
                ref var group = ref groups[at];
                if (group.IsUsed || !Write(member.Value, operations.Slice(group.Start, group.Count), offset + group.Length + 1, result, depth + 1)) return false;
                group.IsUsed = true;
            }
        }

        Span<byte> added = stackalloc byte[512];
        foreach (ref readonly var group in groups[..count])
        {
            if (group.IsUsed) continue;
            var operation = operations[group.Start];
            var segment = operation.Pointer.Slice(offset, group.Length);
            if (!group.IsLeaf || group.Count != 1 || operation.Kind != Kind.Add || segment.Length > added.Length) return false;
            Name(added[..Unescape(segment, added)], ref first, result);
            result.Add(Json.Raw(operation.Value));
        }

        result.Add((byte)'}');
        return true;
    }

    private static bool WriteArray(JsonElement element, ReadOnlySpan<Operation> operations, int offset, PooledBuffer result, int depth)
    {
        Span<Group> groups = stackalloc Group[MaximumGroups];
        var count = Split(operations, offset, groups);
        if (count < 0) return false;
        var index = 0;
        result.Add((byte)'[');
        foreach (var item in element.EnumerateArray())
        {
            if (index > 0) result.Add((byte)',');
            var at = FindIndex(groups[..count], operations, offset, index++);
            if (at < 0) result.Add(JsonMarshal.GetRawUtf8Value(item));
            else
            {
                ref var group = ref groups[at];
                if (group.IsLeaf || group.IsUsed || !Write(item, operations.Slice(group.Start, group.Count), offset + group.Length + 1, result, depth + 1)) return false;
                group.IsUsed = true;
            }
        }

        foreach (ref readonly var group in groups[..count])
        {
            if (group.IsUsed) continue;
            if (!group.IsLeaf || group.Length != 1 || operations[group.Start].Pointer[offset] != '-') return false;
            for (var i = group.Start; i < group.Start + group.Count; i++)
            {
                if (operations[i].Kind != Kind.Add) return false;
                if (index++ > 0) result.Add((byte)',');
                result.Add(Json.Raw(operations[i].Value));
            }
        }

        result.Add((byte)']');
        return true;
    }

    /// <summary>What <see cref="ResultCheck"/> may look at, by depth: 0 the Job, 1 metadata and spec, 3 the template's, 5 a container.</summary>
    private static bool IsRead(ReadOnlySpan<byte> name, int depth) => depth switch
    {
        0 => name.SequenceEqual("metadata"u8) || name.SequenceEqual("spec"u8),
        1 => name.SequenceEqual("labels"u8) || name.SequenceEqual("annotations"u8) || name.SequenceEqual("template"u8)
            || name.SequenceEqual("parallelism"u8) || name.SequenceEqual("ttlSecondsAfterFinished"u8),
        3 => name.SequenceEqual("labels"u8) || name.SequenceEqual("nodeSelector"u8) || name.SequenceEqual("tolerations"u8)
            || name.SequenceEqual("runtimeClassName"u8) || name.SequenceEqual("containers"u8) || name.SequenceEqual("initContainers"u8),
        5 => name.SequenceEqual("name"u8) || name.SequenceEqual("resources"u8) || name.SequenceEqual("env"u8),
        _ => true,
    };

    /// <summary>Runs of operations with the same next segment; -1 where there are too many.</summary>
    private static int Split(ReadOnlySpan<Operation> operations, int offset, Span<Group> groups)
    {
        var count = 0;
        for (var i = 0; i < operations.Length; i++)
        {
            var pointer = operations[i].Pointer;
            if (offset > pointer.Length) return -1;
            var slash = pointer[offset..].IndexOf((byte)'/');
            var (length, leaf) = slash < 0 ? (pointer.Length - offset, true) : (slash, false);
            if (count > 0 && groups[count - 1] is var last && last.IsLeaf == leaf && operations[last.Start].Pointer.Slice(offset, last.Length).SequenceEqual(pointer.Slice(offset, length)))
            {
                groups[count - 1].Count++;
                continue;
            }

            if (count == groups.Length) return -1;
            groups[count++] = new Group { Start = i, Count = 1, Length = length, IsLeaf = leaf };
        }

        return count;
    }

    private static int Find(ReadOnlySpan<Group> groups, ReadOnlySpan<Operation> operations, int offset, ReadOnlySpan<byte> name)
    {
        for (var i = 0; i < groups.Length; i++)
            if (IsName(operations[groups[i].Start].Pointer.Slice(offset, groups[i].Length), name)) return i;
        return -1;
    }

    private static int FindIndex(ReadOnlySpan<Group> groups, ReadOnlySpan<Operation> operations, int offset, int index)
    {
        for (var i = 0; i < groups.Length; i++)
        {
            var segment = operations[groups[i].Start].Pointer.Slice(offset, groups[i].Length);
            if (System.Buffers.Text.Utf8Parser.TryParse(segment, out int number, out var used) && used == segment.Length && number == index) return i;
        }

        return -1;
    }

    private static bool IsName(ReadOnlySpan<byte> segment, ReadOnlySpan<byte> name)
    {
        if (!segment.Contains((byte)'~')) return segment.SequenceEqual(name);
        Span<byte> plain = stackalloc byte[512];
        return segment.Length <= plain.Length && plain[..Unescape(segment, plain)].SequenceEqual(name);
    }

    private static int Unescape(ReadOnlySpan<byte> segment, Span<byte> plain)
    {
        var length = 0;
        for (var i = 0; i < segment.Length; i++)
            plain[length++] = segment[i] != '~' ? segment[i] : segment[++i] == '1' ? (byte)'/' : (byte)'~';
        return length;
    }

    private static void Name(ReadOnlySpan<byte> name, ref bool first, PooledBuffer result)
    {
        if (!first) result.Add((byte)',');
        first = false;
        result.Add((byte)'"');
        result.Add(name);
        result.Add("\":"u8);
    }

    private enum Kind : byte
    {
        None,
        Add,
        Replace,
        Remove,
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct Operation(Kind kind, JsonElement path, JsonElement value)
    {
        private readonly JsonElement path = path;

        public Kind Kind { get; } = kind;
        public JsonElement Value { get; } = value;
        public ReadOnlySpan<byte> Pointer => Json.Raw(path)[1..^1];
    }

    [StructLayout(LayoutKind.Auto)]
    private struct Group
    {
        public int Start;
        public int Count;
        public int Length;
        public bool IsLeaf;
        public bool IsUsed;
    }
}
