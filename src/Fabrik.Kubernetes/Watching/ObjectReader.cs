using System.Buffers;
using System.Text.Json;

namespace Fabrik.Kubernetes.Watching;

/// <summary>Makes an object that owns exactly the memory it needs from bytes that are borrowed.</summary>
internal static class ObjectReader
{
    public const int MaxDepth = 256;
    private static readonly JsonReaderOptions Deep = new() { MaxDepth = MaxDepth };
    private static readonly JsonDocumentOptions DeepDocument = new() { MaxDepth = MaxDepth };

    /// <summary>Items of a list come without kind and apiVersion: they are put back, so that every object is whole.</summary>
    public static KubeObject Read(ReadOnlyMemory<byte> json, ResourceKind? kind = null, bool dropManagedFields = false)
    {
        var (hasKind, cutFrom, cutTo) = Scan(json.Span, dropManagedFields);
        if (cutTo == 0 && (hasKind || kind is null)) return Parse(json);
        var buffer = ArrayPool<byte>.Shared.Rent(json.Length + 512);
        try
        {
            var length = 0;
            var from = 0;
            if (!hasKind && kind is not null)
            {
                from = json.Span.IndexOf((byte)'{') + 1;
                var head = System.Text.Encoding.UTF8.GetBytes($"{{\"apiVersion\":\"{kind.ApiVersion}\",\"kind\":\"{kind.Kind}\"{(IsEmpty(json.Span[from..]) ? "" : ",")}");
                head.CopyTo(buffer, 0);
                length = head.Length;
            }

            if (cutTo == 0) cutFrom = cutTo = json.Length;
            length += Copy(json.Span[from..cutFrom], buffer.AsSpan(length));
            length += Copy(json.Span[cutTo..], buffer.AsSpan(length));
            return Parse(buffer.AsMemory(0, length));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static KubeObject Parse(ReadOnlyMemory<byte> json)
    {
        using var document = JsonDocument.Parse(json, DeepDocument);
        return new KubeObject(document.RootElement.Clone());
    }

    // Walks over the top of the object and of its metadata only; everything else is skipped as bytes.
    private static (bool HasKind, int CutFrom, int CutTo) Scan(ReadOnlySpan<byte> json, bool findManagedFields)
    {
        var reader = new Utf8JsonReader(json, Deep);
        var hasKind = false;
        var cut = (From: 0, To: 0);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw new JsonException("An object was expected");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            hasKind |= reader.ValueTextEquals("kind"u8);
            var metadata = findManagedFields && reader.ValueTextEquals("metadata"u8);
            reader.Read();
            if (!metadata || reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                continue;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var start = (int)reader.TokenStartIndex;
                var managed = reader.ValueTextEquals("managedFields"u8);
                reader.Read();
                reader.Skip();
                if (managed) cut = WithComma(json, start, (int)reader.BytesConsumed);
            }
        }

        return (hasKind, cut.From, cut.To);
    }

    private static (int From, int To) WithComma(ReadOnlySpan<byte> json, int start, int end)
    {
        var after = end;
        while (after < json.Length && json[after] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t') after++;
        if (after < json.Length && json[after] == (byte)',') return (start, after + 1);
        var before = start - 1;
        while (before > 0 && json[before] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t') before--;
        return (json[before] == (byte)',' ? before : start, end);
    }

    private static bool IsEmpty(ReadOnlySpan<byte> rest) => rest.TrimStart(" \n\r\t"u8) is [(byte)'}', ..];

    private static int Copy(ReadOnlySpan<byte> from, Span<byte> to)
    {
        from.CopyTo(to);
        return from.Length;
    }
}
