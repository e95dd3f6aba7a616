using System.Runtime.InteropServices;
using System.Text.Json;

namespace Fabrik.Admission;

/// <summary>A patch as whoever applies it will read it: the kind of each operation, and where in its text pointer and value stand.</summary>
internal static class PatchOperations
{
    /// <param name="patch">What <see cref="JobPatch"/> wrote.</param>
    /// <param name="operations">As many as it wrote.</param>
    /// <returns>False where the text is anything else than that many operations.</returns>
    public static bool Read(ReadOnlySpan<byte> patch, Span<PatchOperation> operations)
    {
        var reader = new Utf8JsonReader(patch);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray) return false;
        foreach (ref var operation in operations)
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject || !Read(ref reader, ref operation)) return false;
        }

        reader.Read();
        return reader.TokenType == JsonTokenType.EndArray && !reader.Read();
    }

    private static bool Read(ref Utf8JsonReader reader, ref PatchOperation operation)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var (isKind, isPath) = (reader.ValueTextEquals("op"u8), reader.ValueTextEquals("path"u8));
            if (!isKind && !isPath && !reader.ValueTextEquals("value"u8)) return false;
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            if (isKind)
            {
                operation.Kind = reader.ValueTextEquals("add"u8) ? PatchKind.Add : reader.ValueTextEquals("replace"u8) ? PatchKind.Replace : reader.ValueTextEquals("remove"u8) ? PatchKind.Remove : PatchKind.None;
            }
            else if (isPath)
            {
                if (reader.TokenType != JsonTokenType.String || reader.ValueIsEscaped || reader.ValueSpan.Length < 2 || reader.ValueSpan[0] != '/') return false;
                operation.Pointer = (start + 2)..(start + 1 + reader.ValueSpan.Length);
            }
            else
            {
                reader.Skip();
                operation.Value = start..(int)reader.BytesConsumed;
            }
        }

        var hasValue = operation.Value.End.Value > 0;
        return operation.Kind != PatchKind.None && operation.Pointer.End.Value > 0 && hasValue == (operation.Kind != PatchKind.Remove);
    }
}

internal enum PatchKind : byte
{
    None,
    Add,
    Replace,
    Remove,
}

[StructLayout(LayoutKind.Auto)]
internal struct PatchOperation
{
    public PatchKind Kind;

    /// <summary>Behind the slash that it begins with.</summary>
    public Range Pointer;
    public Range Value;

    /// <summary>It applied, and its value has been looked at.</summary>
    public bool IsUsed;
}
