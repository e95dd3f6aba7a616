using System.Text.Json;
using Fabrik.Api.Callers;
using Fabrik.Api.Hosting;
using Fabrik.Api.Runs;
using Fabrik.Gateway;
using Fabrik.Storage;
using Microsoft.AspNetCore.Http.Features;

namespace Fabrik.Api.Usage;

/// <summary>The ledger of model calls: the gateway delivers it, those who may list runs read what it adds up to.</summary>
internal static class UsageApi
{
    public static void MapUsage(this IEndpointRouteBuilder routes)
    {
        var usage = routes.MapGroup("").WithTags("usage").ProducesProblem(400).ProducesProblem(401).ProducesProblem(403).ProducesProblem(503);
        usage.MapPost(Names.Paths.Usage, TakeAsync).WithName("deliverUsage")
            .WithSummary($"Takes in attempts at models, at most {UsageBatch.MostEvents} and {UsageBatch.MostBytes >> 20} MiB, each once by its id however often it is delivered; all of them or, where one is wrong, none")
            .Accepts<IReadOnlyList<UsageEvent>>("application/json").Produces<UsageReceipt>().ProducesProblem(413).ProducesProblem(415);
        usage.MapGet(Names.Paths.Usage, SumAsync).WithName("sumUsage").WithSummary("What calls of models add up to").Produces<UsageTotals>();
    }

    private static async Task<IResult> TakeAsync(HttpContext http, Reviews reviews, ModelCallStore calls, ApiMetrics metrics, TimeProvider clock)
    {
        var (caller, stranger) = await reviews.IdentifyAsync(http);
        if (caller is null) return stranger!.ToResult();
        if (await reviews.MayAsync(caller, "create", null, http.RequestAborted, Names.Resources.Usage) is { } refused) return refused.ToResult();
        if (RunParameters.RefuseAny(http.Request.Query) is { } wrong) return wrong.ToResult();
        if (!http.Request.HasJsonContentType()) return Problem.BadRequest(415, "the body is not application/json").ToResult();

        // Only here and only now: nobody else may send so much.
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size) size.MaxRequestBodySize = UsageBatch.MostBytes;
        IReadOnlyList<UsageEvent> events;
        try
        {
            using var body = await JsonDocument.ParseAsync(http.Request.Body, default, http.RequestAborted);
            (events, wrong) = UsageBatch.Read(body.RootElement, clock.GetUtcNow());
        }
        catch (JsonException)
        {
            return Problem.BadRequest(400, "the body is not JSON").ToResult();
        }

        if (wrong is not null)
        {
            metrics.Delivered(0, 0, wrong.Invalid?.Count ?? 0);
            return wrong.ToResult();
        }

        var inserted = events.Count == 0 ? 0 : calls.Insert(events);
        metrics.Delivered(inserted, events.Count - inserted, 0);
        return TypedResults.Ok(new UsageReceipt(inserted, events.Count - inserted));
    }

    private static async Task<IResult> SumAsync(HttpContext http, Reviews reviews, ModelCallStore calls, TimeProvider clock)
    {
        var (caller, stranger) = await reviews.IdentifyAsync(http);
        if (caller is null) return stranger!.ToResult();
        var (query, wrong) = UsageParameters.Parse(http.Request.Query, clock.GetUtcNow());
        if (wrong is not null) return wrong.ToResult();
        if (await reviews.MayAsync(caller, "list", query!.Namespace, http.RequestAborted) is { } refused) return refused.ToResult();
        var (items, total, more) = calls.Totals(query);
        return TypedResults.Ok(new UsageTotals(WireNames.Of(query.By), query.Since!.Value, query.Until!.Value, items, total, more));
    }
}
