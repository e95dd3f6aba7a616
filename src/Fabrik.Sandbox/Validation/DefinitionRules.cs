using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Validation;

/// <summary>Rules of CustomResourceDefinitions: names, one stored version, structural schemas. CEL only where this project has its twin.</summary>
internal static class DefinitionRules
{
    public static void Check(JsonObject obj, List<FieldError> errors)
    {
        if (obj["spec"] is not JsonObject spec) return;
        var group = spec["group"].String() ?? "";
        var plural = spec.At("names", "plural").String() ?? "";
        if (group.Length == 0) errors.Add(FieldError.Required("spec.group"));
        else if (!group.Contains('.', StringComparison.Ordinal)) errors.Add(FieldError.Invalid("spec.group", group, "should be a domain with at least one dot"));
        if (obj.At("metadata", "name").String() is { Length: > 0 } name && name != $"{plural}.{group}")
        {
            errors.Add(FieldError.Invalid("metadata.name", name, "must be spec.names.plural+\".\"+spec.group"));
        }

        PodRules.OneOf(spec, "scope", "spec", errors, "Cluster", "Namespaced");
        if (spec["scope"].String() is null or "") errors.Add(FieldError.Required("spec.scope"));
        foreach (var field in (ReadOnlySpan<string>)["plural", "singular", "kind", "listKind"])
        {
            var value = spec.At("names", field).String() ?? "";
            if (value.Length == 0) errors.Add(FieldError.Required("spec.names." + field));
            else if (MetaRules.LabelError(value.ToLowerInvariant()) is { } wrong) errors.Add(FieldError.Invalid("spec.names." + field, value, wrong));
        }

        if (spec["versions"] is not JsonArray { Count: > 0 }) errors.Add(FieldError.Required("spec.versions", "must have at least one version"));
        else if (spec["versions"].Objects().Count(version => version["storage"].Bool() == true) != 1)
        {
            errors.Add(FieldError.Invalid("spec.versions", spec["versions"], "must have exactly one version marked as storage version"));
        }

        var at = 0;
        foreach (var version in spec["versions"].Objects())
        {
            var path = $"spec.versions[{at++}].schema.openAPIV3Schema";
            if (version.At("schema", "openAPIV3Schema") is not JsonObject schema) errors.Add(FieldError.Required(path, "schemas are required"));
            else Structure(schema, path, group == Names.Group, root: true, errors);
        }
    }

    private static void Structure(JsonObject schema, string path, bool ours, bool root, List<FieldError> errors)
    {
        if (errors.Count > 20) return;
        var type = schema["type"].String() ?? "";
        var open = schema["x-kubernetes-int-or-string"].Bool() == true || schema["x-kubernetes-preserve-unknown-fields"].Bool() == true;
        if (root && type != "object") errors.Add(FieldError.Invalid(path + ".type", type, "must be object at the root"));
        else if (type.Length == 0 && !open) errors.Add(FieldError.Required(path + ".type", "must not be empty for specified object fields"));
        else if (type.Length > 0 && type is not ("object" or "array" or "string" or "integer" or "number" or "boolean"))
        {
            errors.Add(FieldError.NotSupported(path + ".type", type, "array", "boolean", "integer", "number", "object", "string"));
        }

        if (!ours && schema["x-kubernetes-validations"] is JsonArray { Count: > 0 })
        {
            errors.Add(FieldError.Forbidden(path + ".x-kubernetes-validations", "this sandbox evaluates no CEL expressions; remove the rules here, or use a real cluster"));
        }

        if (schema["$ref"] is not null) errors.Add(FieldError.Forbidden(path + ".$ref", "$ref is not supported"));
        if (schema["pattern"].String() is { } pattern && !CustomSchema.IsPattern(pattern)) errors.Add(FieldError.Invalid(path + ".pattern", pattern, "must be a valid regular expression"));
        foreach (var (name, property) in schema["properties"] as JsonObject ?? [])
        {
            if (property is JsonObject inner && !(root && name is "metadata" or "apiVersion" or "kind")) Structure(inner, $"{path}.properties[{name}]", ours, root: false, errors);
        }

        if (schema["additionalProperties"] is JsonObject each)
        {
            if (schema["properties"] is not null) errors.Add(FieldError.Forbidden(path + ".additionalProperties", "additionalProperties and properties are mutual exclusive"));
            Structure(each, path + ".additionalProperties", ours, root: false, errors);
        }

        if (schema["items"] is JsonObject items) Structure(items, path + ".items", ours, root: false, errors);
        else if (type == "array") errors.Add(FieldError.Required(path + ".items", "must be specified"));
    }
}
