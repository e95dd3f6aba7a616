using System.Text.Json;
using Fabrik.Kubernetes.Http;

namespace Fabrik.Kubernetes.Watching;

internal enum WatchLineType
{
    Added,
    Modified,
    Deleted,
    Bookmark,
}

/// <summary>One line of a watch as the server sent it. A bookmark carries an object with nothing but its resourceVersion.</summary>
internal readonly record struct WatchLine(WatchLineType Type, KubeObject Object)
{
    private static readonly JsonReaderOptions Deep = new() { MaxDepth = ObjectReader.MaxDepth };

    public bool EndsInitialEvents => Type == WatchLineType.Bookmark && Object.Annotation(Names.Annotations.InitialEventsEnd) == "true";

    /// <exception cref="KubernetesException">The line is an ERROR event, or no event at all.</exception>
    public static WatchLine Parse(ReadOnlyMemory<byte> line, ResourceKind kind, bool dropManagedFields)
    {
        WatchLineType? type = null;
        var error = false;
        ReadOnlyMemory<byte> found = default;
        try
        {
            var reader = new Utf8JsonReader(line.Span, Deep);
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isType = reader.ValueTextEquals("type"u8);
                var isObject = reader.ValueTextEquals("object"u8);
                reader.Read();
                if (isType && reader.TokenType == JsonTokenType.String)
                {
                    error = reader.ValueTextEquals("ERROR"u8);
                    type = reader.ValueTextEquals("ADDED"u8) ? WatchLineType.Added
                        : reader.ValueTextEquals("MODIFIED"u8) ? WatchLineType.Modified
                        : reader.ValueTextEquals("DELETED"u8) ? WatchLineType.Deleted
                        : reader.ValueTextEquals("BOOKMARK"u8) ? WatchLineType.Bookmark
                        : null;
                }

                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                if (isObject) found = line[start..(int)reader.BytesConsumed];
            }

            if (type is { } known && found.Length > 0) return new WatchLine(known, ObjectReader.Read(found, kind, dropManagedFields));
        }
        catch (JsonException e)
        {
            throw Strange(kind, e);
        }

        if (!error || found.Length == 0) throw Strange(kind, null);
        using var status = JsonDocument.Parse(found);
        throw Statuses.FromStatus($"watch {kind}", status.RootElement, null, null);
    }

    private static KubernetesException Strange(ResourceKind kind, Exception? inner) =>
        new($"watch {kind}: a line of the stream is not a watch event. Check what stands between here and the API server.", inner) { Reason = KubernetesException.NotKubernetes };
}
