using System.Text.Json;
using Fabrik.Api.Callers;
using Fabrik.Api.Hosting;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Gateway.Prices;
using Fabrik.Kubernetes;
using Fabrik.Storage;
using Microsoft.AspNetCore.Http.Features;

namespace Fabrik.Api.Usage;

/// <summary>What is left of budgets, handed out to gateways in parts that hold for a minute.</summary>
internal static class LeasesApi
{
    private const int MostBytes = 4 << 20;
    private const int MostWishes = 20_000;
    private const int LongestText = 512;

    /// <summary>Of one account: a thousand gateways of them still add up.</summary>
    private const long MostAmount = long.MaxValue >> 12;

    public static void MapLeases(this IEndpointRouteBuilder routes) => routes.MapPost(Names.Paths.Leases, LeaseAsync).WithName("leaseBudgets").WithTags("usage")
        .WithSummary("Budgets of model calls, and a part of what is left of each for a minute; for gateways").Accepts<LeaseRequest>("application/json").Produces<LeaseAnswer>().ProducesProblem(400).ProducesProblem(401).ProducesProblem(403).ProducesProblem(503);

    private static async Task<IResult> LeaseAsync(HttpContext http, Reviews reviews, ModelCallStore calls, BudgetPolicy policy, LeaseDesk desk, TimeProvider clock)
    {
        var (caller, stranger) = await reviews.IdentifyAsync(http);
        if (caller is null) return stranger!.ToResult();
        if (await reviews.MayAsync(caller, "create", null, http.RequestAborted, Names.Resources.Usage) is { } refused) return refused.ToResult();
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size) size.MaxRequestBodySize = MostBytes;
        LeaseRequest? request;
        try
        {
            request = await JsonSerializer.DeserializeAsync(http.Request.Body, GatewayJson.Default.LeaseRequest, http.RequestAborted);
        }
        catch (JsonException)
        {
            return Problem.BadRequest(400, "the body is no request for leases").ToResult();
        }

        if (request?.Wishes is not { Count: <= MostWishes } wishes || request.Replica is not { Length: > 0 and <= LongestText } || request.Process is not { Length: > 0 and <= LongestText } || wishes.Any(wish => !IsSane(wish)))
            return Problem.BadRequest(400, $"a request for leases names its replica, its process and at most {MostWishes} accounts, with amounts from 0 to {MostAmount}").ToResult();
        var budgets = await policy.BudgetsAsync(http.RequestAborted);
        var answer = desk.Answer(request, budgets, (budget, subject, since) => calls.Spent(budget, subject, since), clock.GetUtcNow());
        return Results.Json(answer, GatewayJson.Default.LeaseAnswer);
    }

    private static bool IsSane(LeaseWish? wish) => wish?.Account is { Length: <= LongestText }
        && ((ReadOnlySpan<long>)[wish.Used, wish.Kept, wish.Wanted, wish.Back]) is var amounts && amounts.IndexOfAnyExceptInRange(0, MostAmount) < 0;
}

/// <summary>The policy's budgets, read again every few seconds.</summary>
internal sealed class BudgetPolicy(KubernetesClient cluster, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(5);
    private readonly SemaphoreSlim reading = new(1, 1);
    private IReadOnlyList<ModelBudget> budgets = [];
    private DateTimeOffset readAt = DateTimeOffset.MinValue;

    /// <summary>Those that are usable; without an answer of the API server the last ones go on.</summary>
    /// <exception cref="KubernetesException">They were never read.</exception>
    public async Task<IReadOnlyList<ModelBudget>> BudgetsAsync(CancellationToken ct)
    {
        await reading.WaitAsync(ct);
        try
        {
            if (clock.GetUtcNow() - readAt < Fresh) return budgets;
            try
            {
                var spec = ObjectJson.Policy((await cluster.GetAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, ct)).Json).Spec;
                budgets = [.. spec.Budgets.Select(budget => ModelBudget.Of(budget, ModelPriceBook.Default.Currency)).OfType<ModelBudget>()];
            }
            catch (KubernetesException e) when (e.IsNotFound)
            {
                budgets = [];
            }
            catch (KubernetesException) when (readAt > DateTimeOffset.MinValue)
            {
                return budgets;
            }

            readAt = clock.GetUtcNow();
            return budgets;
        }
        finally
        {
            reading.Release();
        }
    }

    public void Dispose() => reading.Dispose();
}
