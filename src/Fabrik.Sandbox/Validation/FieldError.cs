using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Validation;

/// <summary>One field that is wrong, as a cause of a Status with code 422 names it.</summary>
/// <param name="Reason">Such as FieldValueInvalid.</param>
/// <param name="Message">With the reason's own words in front.</param>
/// <param name="Field">Such as spec.template.spec.containers[0].name.</param>
public sealed record FieldError(string Reason, string Message, string Field)
{
    public static FieldError Required(string field, string detail = "") => new("FieldValueRequired", With("Required value", detail), field);

    public static FieldError Invalid(string field, string value, string detail) => new("FieldValueInvalid", $"Invalid value: {Text.Quote(value)}: {detail}", field);

    /// <param name="value">Numbers and truths as they are, objects and lists as JSON, strings quoted.</param>
    public static FieldError Invalid(string field, JsonNode? value, string detail) => new("FieldValueInvalid", $"Invalid value: {Text.Compact(value)}: {detail}", field);

    /// <summary>Without the value, where it says nothing.</summary>
    public static FieldError Invalid(string field, string detail) => new("FieldValueInvalid", "Invalid value: " + detail, field);

    public static FieldError NotSupported(string field, string value, params IEnumerable<string> supported) => new(
        "FieldValueNotSupported",
        $"Unsupported value: {Text.Quote(value)}: supported values: {string.Join(", ", supported.Select(Text.Quote))}",
        field);

    public static FieldError Forbidden(string field, string detail) => new("FieldValueForbidden", With("Forbidden", detail), field);

    public static FieldError Duplicate(string field, string value) => new("FieldValueDuplicate", $"Duplicate value: {Text.Quote(value)}", field);

    public static FieldError NotFound(string field, string value) => new("FieldValueNotFound", $"Not found: {Text.Quote(value)}", field);

    public static FieldError TooLong(string field, int bytes) => new("FieldValueTooLong", $"Too long: may not be more than {bytes} bytes", field);

    /// <summary>The refusal as a Status needs it: message and causes; the server adds name, group and kind to the details.</summary>
    /// <param name="group">Empty for the core group.</param>
    public static RequestException Refusal(string group, string kind, string name, IReadOnlyList<FieldError> errors)
    {
        string[] lines = [.. errors.Select(error => $"{error.Field}: {error.Message}").Distinct(StringComparer.Ordinal)];
        var what = group.Length == 0 ? kind : $"{kind}.{group}";
        var details = new JsonObject
        {
            ["name"] = name,
            ["group"] = group,
            ["kind"] = kind,
            ["causes"] = new JsonArray([.. errors.Select(error => new JsonObject
            {
                ["reason"] = error.Reason,
                ["message"] = error.Message,
                ["field"] = error.Field,
            })]),
        };
        if (name.Length == 0) details.Remove("name");
        if (group.Length == 0) details.Remove("group");
        return new(422, "Invalid", $"{what} {Text.Quote(name)} is invalid: " + (lines.Length == 1 ? lines[0] : $"[{string.Join(", ", lines)}]"), details);
    }

    private static string With(string reason, string detail) => detail.Length == 0 ? reason : $"{reason}: {detail}";
}
