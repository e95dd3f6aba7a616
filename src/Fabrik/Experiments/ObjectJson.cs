using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Fabrik.Experiments;

/// <summary>
/// Wire form of the two custom resources: camelCase, nulls left out, unknown fields ignored. Their properties with a default have a setter, not init:
/// generated code gives every init property a value, so a field that is missing would lose its default.
/// </summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(OptimizationChange))]
[JsonSerializable(typeof(OptimizerPolicy))]
[JsonSerializable(typeof(Arm))]
[JsonSerializable(typeof(Approval))]
[JsonSerializable(typeof(JsonObject))]
public sealed partial class ObjectJson : JsonSerializerContext
{
    /// <exception cref="JsonException">The object has a field of the wrong type; the message names it.</exception>
    public static OptimizationChange Change(JsonElement json) => json.Deserialize(Default.OptimizationChange) ?? throw new JsonException("an OptimizationChange must be an object");

    /// <exception cref="JsonException">The object has a field of the wrong type; the message names it.</exception>
    public static OptimizerPolicy Policy(JsonElement json) => json.Deserialize(Default.OptimizerPolicy) ?? throw new JsonException("an OptimizerPolicy must be an object");
}
