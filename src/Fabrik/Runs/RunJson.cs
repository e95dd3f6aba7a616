using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Fabrik.Gateway;

namespace Fabrik.Runs;

/// <summary>Wire form of runs, and of the evidence as it is stored.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Run))]
[JsonSerializable(typeof(Evidence))]
[JsonSerializable(typeof(JobFacts))]
[JsonSerializable(typeof(PodFacts))]
[JsonSerializable(typeof(CallTotal))]
[JsonSerializable(typeof(JsonObject))]
public sealed partial class RunJson : JsonSerializerContext;
