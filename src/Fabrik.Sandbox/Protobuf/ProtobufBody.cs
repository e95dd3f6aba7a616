using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Protobuf;

/// <summary>
/// Bodies of application/vnd.kubernetes.protobuf: four bytes "k8s\0", then a message of type meta (1: apiVersion, kind) and raw bytes (2).
/// The result is in the form the server stores, so zero values that Go always encodes are gone.
/// </summary>
public static class ProtobufBody
{
    public const string ContentType = "application/vnd.kubernetes.protobuf";

    private const int MaximumDepth = 64;

    public static bool HasMagic(ReadOnlySpan<byte> body) => body.StartsWith("k8s\0"u8);

    /// <param name="expected">The type when the envelope names none; the envelope's apiVersion and kind go first.</param>
    /// <exception cref="RequestException">400: not an envelope, an unknown kind, or malformed.</exception>
    public static JsonObject Decode(ReadOnlySpan<byte> body, TypeSchema? expected = null)
    {
        if (!HasMagic(body)) throw RequestException.BadRequest("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
        try
        {
            var (apiVersion, kind, raw) = Envelope(body[4..]);
            var type = kind.Length > 0 ? ApiTypes.Kind(apiVersion, kind) : expected;
            if (type is null) throw RequestException.BadRequest($"no kind \"{kind}\" is registered for version \"{apiVersion}\" in protobuf; send JSON instead");
            var result = Message(raw, type, 0);
            result["apiVersion"] = kind.Length > 0 ? apiVersion : type.Group.Length == 0 ? type.Version : $"{type.Group}/{type.Version}";
            result["kind"] = type.Name;
            return ObjectDecoder.FromNode(result, type).Object;
        }
        catch (ProtobufException wrong)
        {
            throw RequestException.BadRequest(wrong.Message);
        }
    }

    private static (string ApiVersion, string Kind, byte[] Raw) Envelope(ReadOnlySpan<byte> bytes)
    {
        var reader = new ProtobufReader(bytes);
        var (apiVersion, kind, raw) = ("", "", Array.Empty<byte>());
        while (!reader.AtEnd)
        {
            switch (reader.Tag())
            {
                case (1, 2):
                    var meta = new ProtobufReader(reader.Bytes());
                    while (!meta.AtEnd)
                    {
                        switch (meta.Tag())
                        {
                            case (1, 2): apiVersion = meta.String(); break;
                            case (2, 2): kind = meta.String(); break;
                            case var (_, wire): meta.Skip(wire); break;
                        }
                    }

                    break;
                case (2, 2): raw = reader.Bytes().ToArray(); break;
                case var (_, wire): reader.Skip(wire); break;
            }
        }

        return (apiVersion, kind, raw);
    }

    private static JsonObject Message(ReadOnlySpan<byte> bytes, TypeSchema type, int depth)
    {
        if (depth > MaximumDepth) throw new ProtobufException($"protobuf: nested deeper than {MaximumDepth}");
        var reader = new ProtobufReader(bytes);
        var result = new JsonObject();
        while (!reader.AtEnd)
        {
            var (number, wire) = reader.Tag();
            var field = Find(type, number);
            if (field is null)
            {
                reader.Skip(wire);
                continue;
            }

            if (field.Inline)
            {
                if (wire != 2) throw new ProtobufException($"protobuf: field {number} of {type.Name} has wire type {wire}");
                foreach (var (name, value) in Message(reader.Bytes(), field.Type.Object!, depth + 1).ToArray())
                {
                    result[name] = value?.DeepClone();
                }

                continue;
            }

            Field(ref reader, result, field, wire, depth);
        }

        return result;
    }

    private static FieldSchema? Find(TypeSchema type, int number)
    {
        foreach (var field in type.Declared)
        {
            if (field.Number == number) return field;
        }

        return null;
    }

    private static void Field(ref ProtobufReader reader, JsonObject result, FieldSchema field, int wire, int depth)
    {
        switch (field.Type.Kind)
        {
            case ValueKind.List:
                var list = result[field.Name] as JsonArray ?? [];
                result[field.Name] = list;
                var element = field.Type.Element!;
                if (wire == 2 && IsNumber(element.Kind))
                {
                    var packed = new ProtobufReader(reader.Bytes());
                    while (!packed.AtEnd) list.Add(Value(ref packed, element, 0, depth));
                }
                else
                {
                    list.Add(Value(ref reader, element, wire, depth));
                }

                break;
            case ValueKind.Map:
                if (wire != 2) throw new ProtobufException($"protobuf: wire type {wire} where a map stands");
                var map = result[field.Name] as JsonObject ?? [];
                result[field.Name] = map;
                var entry = new ProtobufReader(reader.Bytes());
                var key = "";
                JsonNode? value = null;
                while (!entry.AtEnd)
                {
                    var (number, inner) = entry.Tag();
                    if (number == 1 && inner == 2) key = entry.String();
                    else if (number == 2) value = Value(ref entry, field.Type.Element!, inner, depth);
                    else entry.Skip(inner);
                }

                map[key] = value ?? Empty(field.Type.Element!);
                break;
            default:
                result[field.Name] = Value(ref reader, field.Type, wire, depth);
                break;
        }
    }

    private static bool IsNumber(ValueKind kind) => kind is ValueKind.Int32 or ValueKind.Int64 or ValueKind.Bool or ValueKind.Double;

    private static JsonNode? Empty(FieldType type) => type.Kind switch
    {
        ValueKind.String or ValueKind.Bytes => "",
        ValueKind.Quantity => "0",
        ValueKind.Object => new JsonObject(),
        ValueKind.Extra => new JsonArray(),
        ValueKind.Bool => false,
        ValueKind.Int32 or ValueKind.Int64 or ValueKind.Double => 0L,
        _ => null,
    };

    private static JsonNode? Value(ref ProtobufReader reader, FieldType type, int wire, int depth)
    {
        var expected = type.Kind switch
        {
            ValueKind.Int32 or ValueKind.Int64 or ValueKind.Bool => 0,
            ValueKind.Double => wire == 0 ? 0 : 1,
            _ => 2,
        };
        if (wire != expected) throw new ProtobufException($"protobuf: wire type {wire} where a {type.Kind} stands");
        switch (type.Kind)
        {
            case ValueKind.String: return reader.String();
            case ValueKind.Bytes: return Convert.ToBase64String(reader.Bytes());
            case ValueKind.Bool: return reader.Varint() != 0;
            case ValueKind.Int32: return (long)(int)reader.Varint();
            case ValueKind.Int64: return (long)reader.Varint();
            case ValueKind.Double: return wire == 0 ? (double)reader.Varint() : BitConverter.UInt64BitsToDouble(reader.Fixed(8));
            case ValueKind.Object: return Message(reader.Bytes(), type.Object!, depth + 1);
            case ValueKind.Quantity: return Wrapped(reader.Bytes(), 1) is { Length: > 0 } text ? text : "0";
            case ValueKind.Time: return Time(reader.Bytes(), "yyyy-MM-dd'T'HH:mm:ss'Z'");
            case ValueKind.MicroTime: return Time(reader.Bytes(), "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'");
            case ValueKind.IntOrString: return IntOrString(reader.Bytes());
            case ValueKind.Extra: return Strings(reader.Bytes());
            case ValueKind.Raw or ValueKind.Fields or ValueKind.Json: return Json(reader.Bytes());
            default: throw new ProtobufException($"protobuf: {type.Kind} is only read from JSON; send JSON instead");
        }
    }

    private static string Wrapped(ReadOnlySpan<byte> bytes, int field)
    {
        var reader = new ProtobufReader(bytes);
        var text = "";
        while (!reader.AtEnd)
        {
            var (number, wire) = reader.Tag();
            if (number == field && wire == 2) text = reader.String();
            else reader.Skip(wire);
        }

        return text;
    }

    private static JsonNode? Json(ReadOnlySpan<byte> bytes)
    {
        var text = Wrapped(bytes, 1);
        return text.Length == 0 ? null : JsonBody.Parse(System.Text.Encoding.UTF8.GetBytes(text), out _);
    }

    private static JsonArray Strings(ReadOnlySpan<byte> bytes)
    {
        var reader = new ProtobufReader(bytes);
        var list = new JsonArray();
        while (!reader.AtEnd)
        {
            var (number, wire) = reader.Tag();
            if (number == 1 && wire == 2) list.Add(reader.String());
            else reader.Skip(wire);
        }

        return list;
    }

    // An empty message is the zero time, which JSON writes as null.
    private static JsonNode? Time(ReadOnlySpan<byte> bytes, string format)
    {
        var reader = new ProtobufReader(bytes);
        var (seconds, nanos) = (0L, 0L);
        while (!reader.AtEnd)
        {
            switch (reader.Tag())
            {
                case (1, 0): seconds = (long)reader.Varint(); break;
                case (2, 0): nanos = (int)reader.Varint(); break;
                case var (_, wire): reader.Skip(wire); break;
            }
        }

        if (seconds == 0 && nanos == 0) return null;
        if (seconds is < -62_135_596_800 or > 253_402_300_799) throw new ProtobufException($"protobuf: time of {seconds} seconds is out of range");
        return DateTimeOffset.FromUnixTimeSeconds(seconds).AddTicks(Math.Clamp(nanos, 0, 999_999_999) / 100).UtcDateTime.ToString(format, CultureInfo.InvariantCulture);
    }

    private static JsonNode IntOrString(ReadOnlySpan<byte> bytes)
    {
        var reader = new ProtobufReader(bytes);
        var (isText, number, text) = (false, 0L, "");
        while (!reader.AtEnd)
        {
            switch (reader.Tag())
            {
                case (1, 0): isText = reader.Varint() == 1; break;
                case (2, 0): number = (int)reader.Varint(); break;
                case (3, 2): text = reader.String(); break;
                case var (_, wire): reader.Skip(wire); break;
            }
        }

        return isText ? text : number;
    }
}
