using System.Reflection;
using Fabrik.Api.Callers;
using Fabrik.Reports;
using Fabrik.Storage;

namespace Fabrik.Api.Hosting;

/// <summary>How the control database stands, for <c>fabrik check</c>. Callers need the permission to list runs in all namespaces.</summary>
internal static class DatabaseApi
{
    /// <summary>The whole file is read for a report: no caller makes that happen more often.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(30);

    private static readonly string Version = typeof(DatabaseApi).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public static void MapDatabase(this IEndpointRouteBuilder routes)
    {
        var (gate, last) = (new Lock(), (DatabaseReport?)null);
        routes.MapGet(Names.Paths.Database, async (HttpContext http, Reviews reviews, Database database, TimeProvider clock) =>
        {
            var (caller, stranger) = await reviews.IdentifyAsync(http);
            if (caller is null) return stranger!.ToResult();
            if (await reviews.MayAsync(caller, "list", null, http.RequestAborted) is { } refused) return refused.ToResult();
            lock (gate)
            {
                var now = clock.GetUtcNow();
                if (last is null || now - last.Now > Fresh) last = database.Inspect(Version, now);
                return TypedResults.Ok(last with { Now = now });
            }
        }).WithName("inspectDatabase").WithTags("health").WithSummary("How the control database stands").Produces<DatabaseReport>().ProducesProblem(401).ProducesProblem(403).ProducesProblem(503);
    }
}
