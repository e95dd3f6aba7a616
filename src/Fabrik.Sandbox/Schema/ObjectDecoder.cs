using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.Schema;

/// <summary>How fieldValidation wants unknown and doubled fields treated.</summary>
public enum FieldValidation { Ignore, Warn, Strict }

/// <summary>An object in the form the server stores, and what strict decoding holds against the body it came from.</summary>
/// <param name="Problems">Such as: unknown field "spec.foo".</param>
public sealed record DecodedObject(JsonObject Object, IReadOnlyList<string> Problems)
{
    /// <summary>Warnings to answer with; refuses the request when it asked for strictness.</summary>
    /// <exception cref="RequestException">400.</exception>
    public IReadOnlyList<string> Judge(FieldValidation mode, string version, string kind) => mode switch
    {
        FieldValidation.Ignore => [],
        FieldValidation.Strict when Problems.Count > 0 => throw RequestException.BadRequest(
            $"{kind} in version \"{version}\" cannot be handled as a {kind}: strict decoding error: {string.Join(", ", Problems)}"),
        _ => Problems,
    };

    /// <summary>The same for an object that is the result of a patch, which is refused with 422.</summary>
    /// <param name="patch">The patch as the request had it.</param>
    public IReadOnlyList<string> JudgePatch(FieldValidation mode, string patch) => mode switch
    {
        FieldValidation.Ignore => [],
        FieldValidation.Strict when Problems.Count > 0 => throw RefusePatch(patch, $"strict decoding error: {string.Join(", ", Problems)}"),
        _ => Problems,
    };

    private static RequestException RefusePatch(string patch, string why)
    {
        var message = $"Invalid value: {System.Text.Json.JsonSerializer.Serialize(patch, Text.Context.String)}: {why}";
        return new(422, "Invalid", $" \"\" is invalid: patch: {message}", new JsonObject
        {
            ["causes"] = new JsonArray(new JsonObject { ["reason"] = "FieldValueInvalid", ["message"] = message, ["field"] = "patch" }),
        });
    }
}

/// <summary>Bodies of built-in kinds to the form the server stores.</summary>
public static class ObjectDecoder
{
    public static FieldValidation Mode(string? parameter) => parameter switch
    {
        null or "" or "Warn" => FieldValidation.Warn,
        "Ignore" => FieldValidation.Ignore,
        "Strict" => FieldValidation.Strict,
        _ => throw RequestException.Unprocessable(
            $"fieldValidation: Unsupported value: \"{parameter}\": supported values: \"Ignore\", \"Strict\", \"Warn\""),
    };

    /// <summary>A JSON body. Unknown fields are dropped, zero values left out or written as Kubernetes does.</summary>
    /// <exception cref="RequestException">400: not JSON, or a field has the wrong type.</exception>
    public static DecodedObject FromJson(ReadOnlySpan<byte> body, TypeSchema type)
    {
        var node = JsonBody.Object(body, out var duplicates);
        var decoded = FromNode(node, type);
        return duplicates.Count == 0 ? decoded : decoded with { Problems = [.. duplicates, .. decoded.Problems] };
    }

    /// <summary>The same for a document in memory, such as one that a patch or a webhook has changed. The argument stays as it is.</summary>
    /// <exception cref="RequestException">400: a field has the wrong type.</exception>
    public static DecodedObject FromNode(JsonObject node, TypeSchema type)
    {
        var canonical = new CanonicalForm(type.Name);
        try
        {
            return new(canonical.Object(node, type), canonical.Problems);
        }
        catch (FormatException wrong)
        {
            throw RequestException.BadRequest($"{type.Name} in version \"{type.Version}\" cannot be handled as a {type.Name}: {wrong.Message}");
        }
    }
}
