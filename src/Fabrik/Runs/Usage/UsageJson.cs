using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fabrik.Runs.Usage;

/// <summary>Wire form of what was seen, as it is stored until the run is settled.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PodTally))]
public sealed partial class UsageJson : JsonSerializerContext;
