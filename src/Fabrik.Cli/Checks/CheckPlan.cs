using Fabrik.Checks;
using Fabrik.Cli.Commands;
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
        var installed = new InstallationGathering(reader!, from);
        var cluster = new ClusterGathering(reader!, from, installed);
        return
        [
            Step(AccessChecks.Category, ct => AccessGathering.AccessAsync(from.Config, reader, from.Clock, ct)),
            Step(VersionChecks.Category, ct => AccessGathering.ServerAsync(reader!, ct)),
            Step(RightsChecks.Category, async ct => await AccessGathering.RightsAsync(reader!, from.Phase, (await installed.InstallationAsync(ct)).Outside, ct)),
            Step(ClockChecks.Category, installed.ClocksAsync),
            Step(ZoneChecks.Category, cluster.ZonesAsync),
            Step(StorageChecks.Category, cluster.StorageAsync),
            Step(SecurityChecks.Category, cluster.SecurityAsync),
            Step(QuotaChecks.Category, cluster.QuotaAsync),
            Step(RuntimeChecks.Category, cluster.RuntimeAsync),
            Step(AuditChecks.Category, cluster.AuditAsync),
            Step(MetricsChecks.Usage, cluster.MetricsAsync),
            Step(MetricsChecks.Discovery, cluster.MetricsAsync),
            Step(DefinitionChecks.Category, installed.DefinitionsAsync),
            Step(CertificateChecks.Category, installed.CertificatesAsync),
            Step(WebhookChecks.Category, ct => WebhookGathering.GatherAsync(reader!, from.Canaries!, from.Clock, ct)),
            Step(ControlChecks.Category, installed.ControlAsync),
            Step(DatabaseChecks.Category, installed.DatabaseFactsAsync),
            Step(GatewayChecks.Category, installed.GatewaysAsync),
            Step(GatewayChecks.Providers, installed.GatewaysAsync),
            Step(OptimizerChecks.Budgets, installed.OptimizerAsync),
            Step(NetworkChecks.Category, new NetworkGathering(reader!, from, installed).GatherAsync),
            Step(OptimizerChecks.Category, installed.OptimizerAsync),
            Step(ReleaseChecks.Category, ct => installed.ReleasesAsync(VersionCommand.Own, ct)),
            Step(LeftoverChecks.Category, ct => LeftoverGathering.GatherAsync(reader!, from, ct)),
        ];
    }

    private static CategoryStep Step<TFacts>(Category<TFacts> category, Func<CancellationToken, Task<TFacts>> gather) where TFacts : class =>
        new(category.Name, [.. category.Infos], async (book, ct) => book.Judge(category, book.Wants(category) ? await gather(ct) : null));
}
