using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Fabrik.CronJobs.Decisions;
using Fabrik.Experiments;
using Fabrik.Gateway.Budgets;
using Fabrik.Gateway.Prices;
using Fabrik.Kubernetes;
using Fabrik.Storage;

namespace Fabrik.CronJobs.Budgets;

/// <summary>
/// One look at the budgets. Each threshold is told once for a period and a limit: it is written down as reached, told by an Event whose name
/// follows from what it tells, and written down as told. A kill between any two of these leads to the same Event again, which exists already.
/// </summary>
public sealed partial class BudgetTurn(KubernetesClient cluster, OptimizerObjects objects, BudgetStore store, TimeProvider clock, ILogger<BudgetTurn> logger)
{
    /// <summary>Where Kubernetes wants Events about what is in no namespace.</summary>
    private const string EventNamespace = "default";

    /// <summary>Of a budget that each has for itself; more than so many at half of it are looked at by what they used.</summary>
    private const int MostSubjects = 1000;

    /// <summary>At one look. What is left comes with the next.</summary>
    private const int MostEvents = 50;

    private const int WarnFrom = 80;

    /// <returns>True: it is done.</returns>
    /// <exception cref="KubernetesException">The policy was not told, or not written.</exception>
    public async Task<bool> TakeAsync(CancellationToken ct)
    {
        if (await objects.FindPolicyAsync(ct) is not { } policy) return true;
        var now = clock.GetUtcNow();
        ModelBudget[] budgets = [.. policy.Spec.Budgets.Select(budget => ModelBudget.Of(budget, ModelPriceBook.Default.Currency)).OfType<ModelBudget>()];
        var states = store.States(budgets, BudgetState.Thresholds[0] / 100.0, MostSubjects, now);
        var untold = store.Reach([.. states.SelectMany(state => state.Reached)], now).ToLookup(one => one.Account, StringComparer.Ordinal);
        foreach (var state in states.Where(state => untold.Contains(state.Account)).Take(MostEvents))
        {
            // Of several that were passed at once the highest says it all.
            var highest = untold[state.Account].MaxBy(one => one.Percent)!;
            await TellAsync(state, highest, policy.Metadata.Uid, ct);
            store.Told(highest, now);
        }

        var spent = BudgetState.Exhausted(states);
        if (!spent.SequenceEqual(policy.Status.ExhaustedBudgets, StringComparer.Ordinal)) await WriteAsync(policy, spent, ct);
        return true;
    }

    private async Task WriteAsync(OptimizerPolicy policy, IReadOnlyList<string> spent, CancellationToken ct)
    {
        await cluster.PatchAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, PatchType.Merge, new JsonObject
        {
            ["status"] = new JsonObject { ["exhaustedBudgets"] = new JsonArray([.. spent.Select(name => (JsonNode)name)]), ["observedGeneration"] = policy.Metadata.Generation },
        }, ct, new WriteOptions { FieldManager = Names.FieldManager, Subresource = "status" });
        Log.Spent(logger, spent.Count == 0 ? "none" : string.Join(", ", spent));
    }

    private async Task TellAsync(BudgetState state, ThresholdReached reached, string? uid, CancellationToken ct)
    {
        var message = Message(state, reached.Percent);
        var about = new JsonObject { ["kind"] = Kinds.OptimizerPolicy.Kind, ["name"] = Names.PolicyName, ["uid"] = uid };
        try
        {
            await Told.EventAsync(
                cluster, EventNamespace, EventName(reached), about, reached.Percent >= WarnFrom, reached.Percent == 100 ? "BudgetSpent" : "BudgetThreshold", message, clock.GetUtcNow(), ct);
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            return; // told before a kill
        }

        Log.Reached(logger, message);
    }

    private static string Message(BudgetState state, int percent)
    {
        var budget = state.Budget;
        var resets = BudgetPeriods.Now(budget.Period, state.PeriodStart).Until;
        var until = resets == DateTimeOffset.MaxValue ? "" : string.Create(CultureInfo.InvariantCulture, $"; it begins anew at {resets:yyyy-MM-dd HH:mm} UTC");
        var then = percent < 100 ? "" : budget.Hard ? ". Calls that it is for are refused" : ". It is a soft one, so calls go on";
        return $"Budget {state.Account} is used to {percent} %: {budget.Say(state.Spent)} of {budget.Say(budget.Limit)}{until}{then}";
    }

    private static string EventName(ThresholdReached one)
    {
        var told = string.Create(CultureInfo.InvariantCulture, $"{one.Account}\n{one.Limit}\n{one.PeriodStart.ToUnixTimeMilliseconds()}\n{one.Percent}");
        return $"{Names.PolicyName}.budget.{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(told)))[..24]}";
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "{What}")]
        public static partial void Reached(ILogger logger, string what);

        [LoggerMessage(Level = LogLevel.Information, Message = "Budgets that are spent now: {Budgets}")]
        public static partial void Spent(ILogger logger, string budgets);
    }
}
