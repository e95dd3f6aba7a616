using System.Text.Json;
using System.Text.Json.Serialization;
using Fabrik.Gateway.Budgets;
using Fabrik.Gateway.Prices;

namespace Fabrik.Gateway;

/// <summary>The gateway's values as JSON: in its spool, to the API and in its configuration.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UseStringEnumConverter = true,
    ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true)]
[JsonSerializable(typeof(UsageEvent))]
[JsonSerializable(typeof(List<UsageEvent>))]
[JsonSerializable(typeof(GatewayConfig))]
[JsonSerializable(typeof(LeaseRequest))]
[JsonSerializable(typeof(LeaseAnswer))]
[JsonSerializable(typeof(BudgetList))]
[JsonSerializable(typeof(RunEnds))]
[JsonSerializable(typeof(GatewayStatus))]
[JsonSerializable(typeof(List<VirtualKey>))]
[JsonSerializable(typeof(ModelPrice))]
public sealed partial class GatewayJson : JsonSerializerContext;
