using System.Globalization;
using Fabrik.Api.Callers;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Storage;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Fabrik.Api.Usage;

/// <summary>How budgets stand. Callers need the permission to list runs in all namespaces.</summary>
internal static class BudgetsApi
{
    private const string Limit = "limit";
    private const int MaximumLimit = 1000;
    private const int DefaultLimit = 20;

    public static void MapBudgets(this IEndpointRouteBuilder routes) => routes.MapGet(Names.Paths.Budgets, ListAsync).WithName("listBudgets").WithTags("usage")
        .WithSummary("Budgets of model calls: what is used of each, what is left, and when it begins anew").Produces<BudgetList>().ProducesProblem(400).ProducesProblem(401).ProducesProblem(403).ProducesProblem(503);

    public static Task Describe(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken ct)
    {
        if (operation.OperationId == "listBudgets")
        {
            operation.Parameters =
            [
                new OpenApiParameter
                {
                    Name = Limit,
                    In = ParameterLocation.Query,
                    Description = $"Of a budget that each has for itself at most so many: 1 to {MaximumLimit}, {DefaultLimit} when not given.",
                    Schema = new OpenApiSchema { Type = JsonSchemaType.Integer, Minimum = "1", Maximum = MaximumLimit.ToString(CultureInfo.InvariantCulture) },
                },
            ];
        }

        return Task.CompletedTask;
    }

    private static async Task<IResult> ListAsync(HttpContext http, Reviews reviews, BudgetPolicy policy, BudgetStore store, LeaseOffice office, TimeProvider clock)
    {
        var (caller, stranger) = await reviews.IdentifyAsync(http);
        if (caller is null) return stranger!.ToResult();
        var limit = DefaultLimit;
        foreach (var (name, values) in http.Request.Query)
        {
            if (name != Limit) return Problem.BadParameter(name.Length <= 64 ? name : name[..64], "it is not known, and a filter that is not applied would answer another question", $"use {Limit}").ToResult();
            if (values is not [{ } text] || !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit is < 1 or > MaximumLimit)
                return Problem.BadParameter(Limit, "it is not such a number", $"give a number from 1 to {MaximumLimit}").ToResult();
        }

        if (await reviews.MayAsync(caller, "list", null, http.RequestAborted) is { } refused) return refused.ToResult();
        var budgets = await policy.BudgetsAsync(http.RequestAborted);
        var states = store.States(budgets, 0, limit + 1, clock.GetUtcNow()).ToLookup(state => state.Budget);
        var items = new List<BudgetReport>();
        var more = false;
        foreach (var budget in budgets)
        {
            var holdings = office.Holdings(budget);
            BudgetReport[] found = budget.IsOfMinute
                ? [.. Minutes(budget, holdings)]
                : [.. states[budget].Select(state => BudgetReport.Of(state, holdings.GetValueOrDefault(state.Account)))];
            if (found.Length == 0) found = [BudgetReport.Of(new BudgetState(budget, "", 0, BudgetPeriods.Now(budget.Period, clock.GetUtcNow()).From, false), default)];
            items.AddRange(found.Take(limit));
            more |= found.Length > limit;
        }

        return Results.Json(new BudgetList(items, more, policy.Unusable), GatewayJson.Default.BudgetList);
    }

    private static IEnumerable<BudgetReport> Minutes(ModelBudget budget, IReadOnlyDictionary<string, AccountHolding> holdings)
    {
        if (!budget.Hard) return [BudgetReport.Of(budget, budget.Scope.Name, default(AccountHolding))];
        if (!budget.Scope.IsOfEach) return [BudgetReport.Of(budget, budget.Scope.Name, holdings.GetValueOrDefault(budget.Account(budget.Scope.Name ?? "")))];
        return holdings.Count == 0
            ? [BudgetReport.Of(budget, null, default(AccountHolding))]
            : holdings.OrderByDescending(one => one.Value.Used).ThenBy(one => one.Key, StringComparer.Ordinal).Select(one => BudgetReport.Of(budget, one.Key[(budget.Name.Length + 1)..], one.Value));
    }
}
