using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Validation;

/// <summary>The CEL rules of this project's own custom resources, by their twins in C#. Definitions of others may have none.</summary>
internal static class CustomRules
{
    public static void Check(JsonObject obj, JsonObject? old, List<FieldError> errors)
    {
        if (Defaults.Group(obj) != Names.Group) return;
        var problems = obj["kind"].String() switch
        {
            "OptimizationChange" => ChangeRules.Validate(Element(old), Element(obj)!.Value),
            "OptimizerPolicy" => PolicyRules.Validate(Element(old), Element(obj)!.Value),
            _ => [],
        };
        foreach (var problem in problems)
        {
            JsonNode? value = obj;
            foreach (var name in problem.Field.Split('.')) value = (value as JsonObject)?[name];
            errors.Add(value is JsonObject or null ? FieldError.Invalid(problem.Field, "object", problem.Message) : FieldError.Invalid(problem.Field, value, problem.Message));
        }
    }

    private static JsonElement? Element(JsonObject? obj) => obj is null ? null : JsonSerializer.SerializeToElement(obj, Text.Context.JsonNode);
}
