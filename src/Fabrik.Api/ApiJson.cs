using System.Text.Json;
using System.Text.Json.Serialization;
using Fabrik.Api.Decisions;
using Fabrik.Api.Experiments;
using Fabrik.Api.Runs;
using Fabrik.Api.Usage;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Reports;
using Fabrik.Runs;

namespace Fabrik.Api;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DatabaseReport))]
[JsonSerializable(typeof(RunList))]
[JsonSerializable(typeof(Run))]
[JsonSerializable(typeof(ExperimentList))]
[JsonSerializable(typeof(ExperimentReport))]
[JsonSerializable(typeof(DecisionList))]
[JsonSerializable(typeof(IncidentList))]
[JsonSerializable(typeof(IReadOnlyList<UsageEvent>))]
[JsonSerializable(typeof(UsageReceipt))]
[JsonSerializable(typeof(LeaseRequest))]
[JsonSerializable(typeof(LeaseAnswer))]
[JsonSerializable(typeof(BudgetList))]
[JsonSerializable(typeof(RunEnds))]
[JsonSerializable(typeof(UsageTotals))]
[JsonSerializable(typeof(Problem))]
internal sealed partial class ApiJson : JsonSerializerContext;
