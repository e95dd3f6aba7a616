using System.Buffers.Text;
using System.Text.Json;

namespace Fabrik.Admission;

/// <summary>
/// A value of the Job as it will be once the patch is applied, looked up rather than written out: the received value and those operations that
/// lie below it, or the text that an operation puts in its place. Takes only what <see cref="JobPatch"/> writes (operations on one parent stand
/// together). An operation that does not apply is never marked as used.
/// </summary>
internal readonly ref struct PatchedValue
{
    private readonly JsonElement received;
    private readonly ReadOnlySpan<byte> text;
    private readonly bool isPut;
    private readonly ReadOnlySpan<byte> patch;
    private readonly Span<PatchOperation> operations;
    private readonly int offset;
    private readonly ref bool isAmbiguous;

    public PatchedValue(JsonElement job, ReadOnlySpan<byte> patch, Span<PatchOperation> operations, ref bool isAmbiguous)
        : this(job, patch, operations, 0, ref isAmbiguous)
    {
    }

    private PatchedValue(JsonElement received, ReadOnlySpan<byte> patch, Span<PatchOperation> operations, int offset, ref bool isAmbiguous)
    {
        this.received = received;
        this.patch = patch;
        this.operations = operations;
        this.offset = offset;
        this.isAmbiguous = ref isAmbiguous;

        // Which of two members of one name counts is not ours to say, so nothing is written below them.
        if (operations.Length > 0 && Json.NamesTwice(received)) isAmbiguous = true;
    }

    private PatchedValue(ReadOnlySpan<byte> text, ref bool isAmbiguous)
    {
        this.text = text;
        isPut = true;
        this.isAmbiguous = ref isAmbiguous;
    }

    /// <summary>As raw JSON; empty where absent. Of an object or array below which operations lie: as received.</summary>
    public ReadOnlySpan<byte> Raw => isPut ? text : Json.Raw(received);

    /// <summary>An operation put it there, whole.</summary>
    public bool IsPut => isPut;

    /// <summary>Whether anything below it, or itself, is another than received.</summary>
    public bool IsTouched => isPut || operations.Length > 0;

    /// <summary>Bytes of it and of all that comes below it.</summary>
    public int Size
    {
        get
        {
            var size = Raw.Length;
            foreach (ref readonly var operation in operations) size += patch[operation.Pointer].Length + patch[operation.Value].Length + 4;
            return size;
        }
    }

    public PatchedValue Member(ReadOnlySpan<byte> name)
    {
        if (isPut) return new PatchedValue(MemberOf(text, name), ref isAmbiguous);
        var element = received.Member(name);
        var below = Below(name, isIndex: false, 0, out var length, out var isLeaf);
        if (below.Length == 0 || received.ValueKind != JsonValueKind.Object) return new PatchedValue(element, default, default, 0, ref isAmbiguous);
        if (!isLeaf) return element.ValueKind is JsonValueKind.Object or JsonValueKind.Array ? new PatchedValue(element, patch, below, offset + length + 1, ref isAmbiguous) : default;

        ref var operation = ref below[0];
        operation.IsUsed = below.Length == 1 && (operation.Kind == PatchKind.Add || received.TryGetProperty(name, out _));
        return new PatchedValue(operation.Kind == PatchKind.Remove ? default : patch[operation.Value], ref isAmbiguous);
    }

    /// <summary>Of an array that stays as long as it was.</summary>
    public PatchedValue Item(JsonElement item, int index)
    {
        var below = Below(default, isIndex: true, index, out var length, out var isLeaf);
        return below.Length > 0 && !isLeaf ? new PatchedValue(item, patch, below, offset + length + 1, ref isAmbiguous) : new PatchedValue(item, default, default, 0, ref isAmbiguous);
    }

    /// <summary>Of an array that operations may replace as a whole, or whose entries they add, replace or remove one after another.</summary>
    public List<JsonElement> Items()
    {
        var items = new List<JsonElement>();
        if (isPut)
        {
            if (text.Length > 0 && JsonElement.Parse(text) is { ValueKind: JsonValueKind.Array } put) items.AddRange(put.EnumerateArray());
            return items;
        }

        if (received.ValueKind == JsonValueKind.Array) items.AddRange(received.EnumerateArray());
        if (received.ValueKind != JsonValueKind.Array) return items;
        foreach (ref var operation in operations)
        {
            var at = patch[operation.Pointer][offset..];
            var index = at.SequenceEqual("-"u8) ? items.Count : Utf8Parser.TryParse(at, out int number, out var used) && used == at.Length ? number : -1;
            if (index < 0 || index > (operation.Kind == PatchKind.Add ? items.Count : items.Count - 1)) continue;
            operation.IsUsed = true;
            if (operation.Kind != PatchKind.Add) items.RemoveAt(index);
            if (operation.Kind != PatchKind.Remove) items.Insert(index, JsonElement.Parse(patch[operation.Value]));
        }

        return items;
    }

    /// <summary>The entry of an array that the first operation below it adds, replaces or removes, or that stands there without one.</summary>
    /// <param name="index">Where it stands, or would.</param>
    /// <param name="rest">The array for whatever else lies below it; indices count as after the operation.</param>
    public ReadOnlySpan<byte> Entry(int index, out PatchedValue rest)
    {
        rest = this;
        if (isPut) return text.Length > 0 && JsonElement.Parse(text) is { ValueKind: JsonValueKind.Array } put && put.GetArrayLength() == 1 ? Json.Raw(put[0]) : default;
        var count = received.ValueKind == JsonValueKind.Array ? received.GetArrayLength() : 0;
        var below = Below(default, isIndex: true, index, out _, out var isLeaf);
        if (below.Length == 0 || !isLeaf) return index < count ? Json.Raw(received[index]) : default;
        ref var operation = ref below[0];
        if (!System.Runtime.CompilerServices.Unsafe.AreSame(ref operation, ref operations[0])) return default;
        operation.IsUsed = received.ValueKind == JsonValueKind.Array && (operation.Kind == PatchKind.Add ? index <= count : index < count);
        rest = new PatchedValue(received, patch, operations[1..], offset, ref isAmbiguous);
        return operation.Kind == PatchKind.Remove ? default : patch[operation.Value];
    }

    /// <summary>The operations whose next segment is the given one; length is that of the segment as it is written.</summary>
    private Span<PatchOperation> Below(ReadOnlySpan<byte> name, bool isIndex, int index, out int length, out bool isLeaf)
    {
        var (first, count) = (0, 0);
        (length, isLeaf) = (0, false);
        for (var i = 0; i < operations.Length; i++)
        {
            var rest = patch[operations[i].Pointer][offset..];
            var slash = rest.IndexOf((byte)'/');
            var segment = slash < 0 ? rest : rest[..slash];
            if (!(isIndex ? Utf8Parser.TryParse(segment, out int number, out var used) && used == segment.Length && number == index : IsName(segment, name)))
            {
                if (count > 0) break;
                continue;
            }

            if (count == 0) (first, length, isLeaf) = (i, segment.Length, slash < 0);
            else if (isLeaf != slash < 0) break;
            count++;
        }

        return operations.Slice(first, count);
    }

    private static bool IsName(ReadOnlySpan<byte> segment, ReadOnlySpan<byte> name)
    {
        if (!segment.Contains((byte)'~')) return segment.SequenceEqual(name);
        var at = 0;
        for (var i = 0; i < segment.Length; i++)
        {
            var one = segment[i] != '~' ? segment[i] : ++i < segment.Length && segment[i] == '1' ? (byte)'/' : (byte)'~';
            if (at == name.Length || name[at++] != one) return false;
        }

        return at == name.Length;
    }

    private static ReadOnlySpan<byte> MemberOf(ReadOnlySpan<byte> json, ReadOnlySpan<byte> name)
    {
        var reader = new Utf8JsonReader(json);
        if (json.Length == 0 || !reader.Read() || reader.TokenType != JsonTokenType.StartObject) return default;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var found = reader.ValueTextEquals(name);
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            if (found) return json[start..(int)reader.BytesConsumed];
        }

        return default;
    }
}
