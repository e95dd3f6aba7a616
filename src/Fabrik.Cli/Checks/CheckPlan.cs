using Fabrik.Checks;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Checks;

/// <param name="Gather">Asks, and judges what came.</param>
internal sealed record CategoryStep(string Name, IReadOnlyList<CheckInfo> Infos, Func<CheckBook, CancellationToken, Task<IReadOnlyList<CheckResult>>> RunAsync);

/// <summary>What gathering may need.</summary>
/// <param name="Config">The API server's address.</param>
/// <param name="Server">Of Fabrik's API, where the caller names it.</param>
/// <param name="Image">Of canary Pods.</param>
internal sealed record CheckSources(Reading<string> Config, KubernetesClient? Client, Canaries? Canaries, CheckPhase Phase, string? Server, string Image, Terminal Terminal, TimeProvider Clock)
{
    public Task<ApiConnection> OpenApiAsync(CancellationToken ct) => ApiConnection.OpenAsync(Client!, Server, ct);
}

/// <summary>All categories in their order, each with the way its facts are gathered.</summary>
internal static class CheckPlan
{
    public static IReadOnlyList<CategoryStep> Steps(CheckSources from)
    {
        var reader = from.Client is { } client ? new FactReader(client) : null;
        return
        [
            Step(AccessChecks.Category, ct => AccessGathering.AccessAsync(from.Config, reader, from.Clock, ct)),
            Step(VersionChecks.Category, ct => AccessGathering.ServerAsync(reader!, ct)),
            Step(RightsChecks.Category, ct => AccessGathering.RightsAsync(reader!, from.Phase, ct)),
            Step(WebhookChecks.Category, ct => WebhookGathering.GatherAsync(reader!, from.Canaries!, from.Clock, ct)),
        ];
    }

    private static CategoryStep Step<TFacts>(Category<TFacts> category, Func<CancellationToken, Task<TFacts>> gather) where TFacts : class =>
        new(category.Name, [.. category.Infos], async (book, ct) => book.Judge(category, book.Wants(category) ? await gather(ct) : null));
}
