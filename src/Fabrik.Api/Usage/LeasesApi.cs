using System.Text.Json;
using Fabrik.Api.Callers;
using Fabrik.Api.Hosting;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
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

    private static async Task<IResult> LeaseAsync(HttpContext http, Reviews reviews, BudgetPolicy policy, LeaseOffice office, TimeProvider clock)
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
        var answer = office.Answer(request, budgets, clock.GetUtcNow());
        return Results.Json(answer, GatewayJson.Default.LeaseAnswer);
    }

    private static bool IsSane(LeaseWish? wish) => wish?.Account is { Length: <= LongestText }
        && ((ReadOnlySpan<long>)[wish.Used, wish.Kept, wish.Wanted, wish.Back]) is var amounts && amounts.IndexOfAnyExceptInRange(0, MostAmount) < 0;
}
