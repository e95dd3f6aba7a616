using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.Schema;

/// <summary>
/// Rewrites a document as the API server would after reading it into its types: unknown fields go, nulls and empty optional values go,
/// required ones appear, quantities and times get their canonical spelling. One instance per document.
/// </summary>
/// <remarks>A field of the wrong type is a FormatException in the words of Go's decoder.</remarks>
internal sealed class CanonicalForm(string root)
{
    private static readonly SearchValues<char> Base64Characters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n");

    private readonly StringBuilder path = new();
    private readonly StringBuilder goPath = new();
    private string holder = root;

    public List<string> Problems { get; } = [];

    public JsonObject Object(JsonObject? input, TypeSchema type)
    {
        var outer = holder;
        holder = type.Name;
        var result = new JsonObject();
        if (type.IsKind)
        {
            Put("kind", type.Field("kind")!);
            Put("apiVersion", type.Field("apiVersion")!);
        }

        foreach (var field in type.Fields)
        {
            if (!result.ContainsKey(field.Name)) Put(field.Name, field);
        }

        if (input is not null)
        {
            foreach (var (name, _) in input)
            {
                if (type.Field(name) is null && Problems.Count < 100) Problems.Add($"unknown field \"{(path.Length > 0 ? path + "." : "")}{name}\"");
            }
        }

        holder = outer;
        return result;

        void Put(string name, FieldSchema field)
        {
            JsonNode? value = null;
            if (input?.TryGetPropertyValue(name, out value) == true && value is not null)
            {
                var (length, goLength) = Enter(name);
                holder = type.Name;
                value = Value(value, field.Type);
                (path.Length, goPath.Length) = (length, goLength);
            }

            if (field.Pointer ? value is null : IsZero(value, field.Type))
            {
                if (field.OmitZero) return;
                if (!field.Written && (field.Pointer || HasEmptyForm(field.Type.Kind))) return;
                value = field.Pointer ? null : value ?? Zero(field.Type);
            }

            result[name] = value;
        }
    }

    private JsonNode? Value(JsonNode value, FieldType type)
    {
        switch (type.Kind)
        {
            case ValueKind.Object:
                return Object(value as JsonObject ?? throw Wrong(value, "v1." + type.Object!.Name), type.Object!);
            case ValueKind.List:
                var list = new JsonArray();
                var at = 0;
                foreach (var item in value as JsonArray ?? throw Wrong(value, GoName(type)))
                {
                    var length = path.Length;
                    path.Append('[').Append(at++).Append(']');
                    list.Add(item is null ? Zero(type.Element!) : Value(item, type.Element!));
                    path.Length = length;
                }

                return list;
            case ValueKind.Map:
                var map = new JsonObject();
                foreach (var (name, item) in value as JsonObject ?? throw Wrong(value, GoName(type)))
                {
                    var (length, goLength) = Enter(name);
                    map[name] = item is null ? Zero(type.Element!) : Value(item, type.Element!);
                    (path.Length, goPath.Length) = (length, goLength);
                }

                return map;
            case ValueKind.String:
                return value.GetValueKind() == JsonValueKind.String ? value.DeepClone() : throw Wrong(value, "string");
            case ValueKind.Bool:
                return value.GetValueKind() is JsonValueKind.True or JsonValueKind.False ? value.DeepClone() : throw Wrong(value, "bool");
            case ValueKind.Int32:
                return value.Long() is >= int.MinValue and <= int.MaxValue ? value.DeepClone() : throw Wrong(value, "int32");
            case ValueKind.Int64:
                return value.Long() is not null ? value.DeepClone() : throw Wrong(value, "int64");
            case ValueKind.Double:
                return value.GetValueKind() == JsonValueKind.Number ? value.DeepClone() : throw Wrong(value, "float64");
            case ValueKind.Bytes:
                return value.String() is { } text && IsBase64(text) ? value.DeepClone()
                    : value.String() is { } bad ? throw new FormatException($"illegal base64 data at input byte {BadByte(bad)}") : throw Wrong(value, "[]uint8");
            case ValueKind.Quantity:
                var amount = value.String() ?? (value.GetValueKind() == JsonValueKind.Number ? value.ToJsonString() : throw Wrong(value, "resource.Quantity"));
                return Quantity.TryParse(amount, out var quantity, out var why) ? quantity.ToString() : throw new FormatException(why);
            case ValueKind.Time:
                return Time(value, "yyyy-MM-dd'T'HH:mm:ss'Z'", "2006-01-02T15:04:05Z07:00");
            case ValueKind.MicroTime:
                return Time(value, "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", "2006-01-02T15:04:05.000000Z07:00");
            case ValueKind.IntOrString:
                return value.GetValueKind() == JsonValueKind.String || value.Long() is >= int.MinValue and <= int.MaxValue ? value.DeepClone() : throw Wrong(value, "int32");
            case ValueKind.Extra:
                return Value(value, ExtraList);
            case ValueKind.SchemaOrArray:
                return value is JsonArray ? Value(value, SchemaList) : Value(value, Schema);
            case ValueKind.SchemaOrBool:
                return value.GetValueKind() is JsonValueKind.True or JsonValueKind.False ? value.DeepClone() : Value(value, Schema);
            case ValueKind.SchemaOrStrings:
                return value is JsonArray ? Value(value, ExtraList) : Value(value, Schema);
            default:
                return value.DeepClone();
        }
    }

    private static readonly FieldType ExtraList = new(ValueKind.List, new(ValueKind.String));

    private static FieldType Schema => new(
        ValueKind.Object,
        Object: ApiTypes.Named("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"));

    private static FieldType SchemaList => new(ValueKind.List, Schema);

    private JsonNode? Zero(FieldType type) => type.Kind switch
    {
        ValueKind.Object => Object(null, type.Object!),
        ValueKind.String => "",
        ValueKind.Bool => false,
        ValueKind.Int32 or ValueKind.Int64 or ValueKind.Double or ValueKind.IntOrString => 0L,
        ValueKind.Quantity => "0",
        _ => null,
    };

    private static bool HasEmptyForm(ValueKind kind) =>
        kind is not (ValueKind.Object or ValueKind.Time or ValueKind.MicroTime or ValueKind.Quantity or ValueKind.IntOrString or ValueKind.Raw);

    private static bool IsZero(JsonNode? value, FieldType type) => value switch
    {
        null => true,
        JsonObject map when type.Kind == ValueKind.Map => map.Count == 0,
        JsonArray list => list.Count == 0,
        JsonObject => false,
        _ => type.Kind switch
        {
            ValueKind.String or ValueKind.Bytes => value.String() is "",
            ValueKind.Bool => value.Bool() is false,
            ValueKind.Int32 or ValueKind.Int64 => value.Long() is 0,
            ValueKind.Double => value.ToJsonString() is "0" or "0.0",
            _ => false,
        },
    };

    private JsonNode Time(JsonNode value, string format, string layout)
    {
        var text = value.String() ?? throw Wrong(value, "string");
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) && text.Contains('T', StringComparison.Ordinal)
            ? time.UtcDateTime.ToString(format, CultureInfo.InvariantCulture)
            : throw new FormatException($"parsing time {Text.Quote(text)} as \"{layout}\": cannot parse {Text.Quote(text)} as \"2006\"");
    }

    private (int Path, int GoPath) Enter(string name)
    {
        var lengths = (path.Length, goPath.Length);
        if (path.Length > 0) path.Append('.');
        if (goPath.Length > 0) goPath.Append('.');
        path.Append(name);
        goPath.Append(name);
        return lengths;
    }

    private FormatException Wrong(JsonNode value, string goType)
    {
        var what = value.GetValueKind() switch
        {
            JsonValueKind.Object => "object",
            JsonValueKind.Array => "array",
            JsonValueKind.String => "string",
            JsonValueKind.Number => goType is "int32" or "int64" ? "number " + value.ToJsonString() : "number",
            _ => "bool",
        };
        return new FormatException($"json: cannot unmarshal {what} into Go struct field {holder}.{goPath} of type {goType}");
    }

    private static string GoName(FieldType type) => type.Kind switch
    {
        ValueKind.List => "[]" + GoName(type.Element!),
        ValueKind.Map => "map[string]" + GoName(type.Element!),
        ValueKind.Object => "v1." + type.Object!.Name,
        ValueKind.Int32 => "int32",
        ValueKind.Int64 => "int64",
        ValueKind.Bool => "bool",
        ValueKind.Quantity => "resource.Quantity",
        ValueKind.Bytes => "[]uint8",
        _ => "string",
    };

    private static bool IsBase64(string text) => text.Length % 4 == 0 && System.Buffers.Text.Base64.IsValid(text);

    private static int BadByte(string text)
    {
        var at = text.AsSpan().IndexOfAnyExcept(Base64Characters);
        return at < 0 ? text.Length / 4 * 4 : at;
    }
}
