using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Patches;
using Fabrik.Sandbox.Protobuf;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;
using Fabrik.Sandbox.Tables;
using Fabrik.Sandbox.Validation;

namespace Fabrik.Sandbox.Server;

/// <summary>The one place where the server asks what a type's fields mean: decoding, defaults, validation, patches, tables.</summary>
public static class TypeRules
{
    private static readonly string[] BodyTypes = ["application/json", "application/yaml", ProtobufBody.ContentType];

    /// <summary>Null for custom resources and for kinds that are stored without being known.</summary>
    public static TypeSchema? Schema(ResourceType type) => ApiTypes.Kind(type.Group, type.Version, type.Kind);

    public static FieldShape Shape(ResourceType type) =>
        type.Custom is { } custom ? custom.Shape : Schema(type) is { } schema ? FieldShape.Of(schema) : FieldShape.Of((JsonObject?)null);

    /// <summary>Fills in defaults. The object is changed.</summary>
    public static void Default(ResourceType type, JsonObject content)
    {
        if (type.Custom is null) Defaults.Apply(content);
    }

    /// <summary>What is wrong with an object that is about to be stored; <paramref name="old"/> is null for a new one.</summary>
    public static IReadOnlyList<FieldError> Validate(ResourceType type, JsonObject content, JsonObject? old, string subresource = "")
    {
        var own = type.Custom?.Schema.Validate(content) ?? [];
        return [.. own, .. old is null ? Validator.Create(content) : Validator.Update(content, old, subresource.Length == 0 ? null : subresource)];
    }

    /// <summary>A document that a patch or webhook has changed, in the form the server stores. Throws when a field has the wrong type.</summary>
    public static JsonObject Canonical(ResourceType type, JsonObject content) =>
        type.Custom is { } custom ? custom.Schema.Decode(content).Object : Schema(type) is { } schema ? ObjectDecoder.FromNode(content, schema).Object : content;

    /// <summary>The object in the body of a create or update, in the form the server stores.</summary>
    public static JsonObject Decode(ResourceType type, byte[] body, string mediaType, RequestContext context)
    {
        var schema = Schema(type);
        if (mediaType == ProtobufBody.ContentType) return Typed(type, ProtobufBody.Decode(body, schema));
        if (body.Length == 0) throw ApiException.BadRequest($"the object provided is unrecognized (must be of type {type.Kind}): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)");
        var node = Parse(body, mediaType, out var duplicates);
        Typed(type, node);
        var decoded = type.Custom is { } custom ? custom.Schema.Decode(node) : schema is null ? new DecodedObject(node, []) : ObjectDecoder.FromNode(node, schema);
        if (duplicates.Count > 0) decoded = decoded with { Problems = [.. duplicates, .. decoded.Problems] };
        foreach (var warning in decoded.Judge(ObjectDecoder.Mode(context.FieldValidation), type.Version, type.Kind)) context.Warn(warning);
        return decoded.Object;
    }

    /// <summary>Options, reviews and other bodies that are not stored; of any kind.</summary>
    public static JsonObject DecodeOptions(byte[] body, string mediaType, ResourceType? expected = null) =>
        mediaType == ProtobufBody.ContentType ? ProtobufBody.Decode(body, expected is null ? null : Schema(expected)) : Parse(body, mediaType, out _);

    /// <summary>How a patch of this media type changes an object.</summary>
    public static Func<JsonObject?, JsonObject> Patch(ResourceType type, byte[] body, string mediaType, string subresource, RequestContext context, DateTimeOffset now)
    {
        var schema = Schema(type);
        switch (mediaType)
        {
            case "application/json-patch+json":
                var operations = JsonBody.Parse(body, out _);
                return current => Checked(type, JsonPatch.Apply(current!, operations), context);
            case "application/merge-patch+json":
                var merge = JsonBody.Parse(body, out _);
                return current => Checked(type, MergePatch.Apply(current!, merge), context);
            case "application/strategic-merge-patch+json" when schema is not null:
                var strategic = JsonBody.Parse(body, out _);
                return current => Checked(type, StrategicMergePatch.Apply(current!, strategic, schema), context);
            case "application/apply-patch+yaml":
                var applied = Typed(type, Parse(body, mediaType, out _));
                Judge(type, applied, context);
                var writer = new FieldWriter(context.FieldManager, type.ApiVersion, now, subresource);
                return current => Canonical(type, ServerSideApply.Apply(current, applied, Shape(type), writer, context.Force));
            case "application/strategic-merge-patch+json":
                throw ApiException.UnsupportedMediaType("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml");
            default:
                throw new ApiException(415, "UnsupportedMediaType", "415: Unsupported Media Type", []);
        }
    }

    public static JsonObject Table(ResourceType type, IReadOnlyList<JsonObject> items, JsonObject metadata, DateTimeOffset now, IncludeObject include) =>
        type.Custom is { } custom
            ? TablePrinter.PrintCustom(custom.Version["additionalPrinterColumns"] as JsonArray, items, metadata, now, include)
            : TablePrinter.Print(type.Group, type.Kind, items, metadata, now, include);

    // An applied document is judged but not brought into the stored form: it would come to own what it did not say.
    private static void Judge(ResourceType type, JsonObject applied, RequestContext context)
    {
        var decoded = type.Custom is { } custom ? custom.Schema.Decode((JsonObject)applied.DeepClone()) : Schema(type) is { } schema ? ObjectDecoder.FromNode(applied, schema) : null;
        foreach (var warning in decoded?.Judge(ObjectDecoder.Mode(context.FieldValidation), type.Version, type.Kind) ?? []) context.Warn(warning);
    }

    private static JsonObject Checked(ResourceType type, JsonObject patched, RequestContext context)
    {
        var decoded = type.Custom is { } custom ? custom.Schema.Decode(patched) : Schema(type) is { } schema ? ObjectDecoder.FromNode(patched, schema) : new DecodedObject(patched, []);
        foreach (var warning in decoded.JudgePatch(ObjectDecoder.Mode(context.FieldValidation), patched.ToJsonString(ObjectJson.Options))) context.Warn(warning);
        return decoded.Object;
    }

    private static JsonObject Typed(ResourceType type, JsonObject node)
    {
        if (node.Text("kind") is { Length: > 0 } kind && kind != type.Kind)
        {
            var version = node.Text("apiVersion") ?? type.ApiVersion;
            var group = type.Group.Length == 0 ? "core" : type.Group.Split('.')[0];
            throw ApiException.BadRequest($"{kind} in version \"{version.Split('/')[^1]}\" cannot be handled as a {type.Kind}: converting ({version.Replace("/", ".", StringComparison.Ordinal)}.{kind}) to ({group}.{type.Kind}): unknown conversion");
        }

        if (node.Text("apiVersion") is { Length: > 0 } other && other != type.ApiVersion)
        {
            throw ApiException.BadRequest($"{type.Kind} in version \"{other.Split('/')[^1]}\" cannot be handled as a {type.Kind}: no kind \"{type.Kind}\" is registered for version \"{other}\" in scheme \"pkg/runtime/scheme.go:111\"");
        }

        node["kind"] = type.Kind;
        node["apiVersion"] = type.ApiVersion;
        return node;
    }

    private static JsonObject Parse(byte[] body, string mediaType, out List<string> duplicates)
    {
        switch (mediaType)
        {
            case "" or "application/json":
                return JsonBody.Object(body, out duplicates);
            case "application/yaml" or "application/x-yaml" or "application/apply-patch+yaml" when body.AsSpan().TrimStart(" \t\r\n"u8).StartsWith("{"u8):
                return JsonBody.Object(body, out duplicates);
            case "application/yaml" or "application/x-yaml" or "application/apply-patch+yaml":
                duplicates = [];
                return Yaml.Object(body);
            default:
                throw ApiException.UnsupportedMediaType(BodyTypes);
        }
    }
}
