using Fabrik.Api.Callers;
using Fabrik.Runs;
using Fabrik.Storage;

namespace Fabrik.Api.Runs;

internal static class RunsApi
{
    public static void MapRuns(this IEndpointRouteBuilder routes)
    {
        var runs = routes.MapGroup(Names.Paths.Runs).WithTags("runs")
            .ProducesProblem(401).ProducesProblem(403).ProducesProblem(503);
        runs.MapGet("/", ListAsync).WithName("listRuns").WithSummary("Runs, a page at a time").Produces<RunList>().ProducesProblem(400);
        runs.MapGet("/{id}", GetAsync).WithName("getRun").WithSummary("One run by its Job's UID or its run id").Produces<Run>().ProducesProblem(404);
        runs.MapGet("/{namespace}/{name}", LatestAsync).WithName("latestRun").WithSummary("The latest run of a Job's name").Produces<Run>().ProducesProblem(404);
    }

    private static async Task<IResult> ListAsync(HttpContext http, Reviews reviews, RunReader runs)
    {
        var (caller, stranger) = await reviews.IdentifyAsync(http);
        if (caller is null) return stranger!.ToResult();
        var (query, wrong) = RunParameters.Parse(http.Request.Query);
        if (wrong is not null) return wrong.ToResult();
        if (await reviews.MayAsync(caller, "list", query!.Namespace, http.RequestAborted) is { } refused) return refused.ToResult();
        var page = runs.List(query);
        return TypedResults.Ok(new RunList(page.Items, page.Next?.ToString()));
    }

    private static async Task<IResult> GetAsync(string id, HttpContext http, Reviews reviews, RunReader runs)
    {
        var (caller, stranger) = await reviews.IdentifyAsync(http);
        if (caller is null) return stranger!.ToResult();
        if (RunParameters.RefuseAny(http.Request.Query) is { } wrong) return wrong.ToResult();
        var run = id.Length <= 128 ? runs.Get(id) : null;

        // Who may not read all namespaces cannot tell a run that is not there from one that is not theirs.
        if (await reviews.MayAsync(caller, "get", run?.Namespace, http.RequestAborted) is { } refused) return refused.ToResult();
        return run is null ? Problem.NoSuchRun(id).ToResult() : TypedResults.Ok(run);
    }

    private static async Task<IResult> LatestAsync(string @namespace, string name, HttpContext http, Reviews reviews, RunReader runs)
    {
        var (caller, stranger) = await reviews.IdentifyAsync(http);
        if (caller is null) return stranger!.ToResult();
        if (RunParameters.RefuseAny(http.Request.Query) is { } wrong) return wrong.ToResult();
        if (await reviews.MayAsync(caller, "get", @namespace, http.RequestAborted) is { } refused) return refused.ToResult();
        return runs.Latest(@namespace, name) is { } run ? TypedResults.Ok(run) : Problem.NoSuchRun($"{@namespace}/{name}").ToResult();
    }
}
