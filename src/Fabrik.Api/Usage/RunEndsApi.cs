using Fabrik.Api.Callers;
using Fabrik.Gateway;
using Fabrik.Storage;

namespace Fabrik.Api.Usage;

/// <summary>Which runs have ended: gateways ask every few seconds, and refuse their tokens from then on.</summary>
internal static class RunEndsApi
{
    private const int LongestCursor = 128;

    public static void MapRunEnds(this IEndpointRouteBuilder routes) => routes.MapGet(Names.Paths.RunEnds, AnswerAsync).WithName("listRunEnds").WithTags("usage")
        .WithSummary("Runs that have ended since a cursor of an earlier answer, and whose tokens have not expired yet; for gateways").Produces<RunEnds>().ProducesProblem(400).ProducesProblem(401).ProducesProblem(403).ProducesProblem(503);

    private static async Task<IResult> AnswerAsync(HttpContext http, Reviews reviews, RunEndReader ends, TimeProvider clock, string? after = null)
    {
        var (caller, stranger) = await reviews.IdentifyAsync(http);
        if (caller is null) return stranger!.ToResult();

        // Who delivers what runs called must know when to refuse them: one permission for both.
        if (await reviews.MayAsync(caller, "create", null, http.RequestAborted, Names.Resources.Usage) is { } refused) return refused.ToResult();
        if (after?.Length > LongestCursor) return Problem.BadParameter("after", "it is too long", "give the value of cursor of an earlier answer").ToResult();
        return Results.Json(ends.After(after, clock.GetUtcNow()), GatewayJson.Default.RunEnds);
    }
}
