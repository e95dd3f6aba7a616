using System.Reflection;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Gateway.Failover;
using Fabrik.Kubernetes.Serving;
using Fabrik.Proxy.Callers;
using Fabrik.Proxy.Providers;
using Fabrik.Proxy.Spool;

namespace Fabrik.Proxy.Hosting;

/// <summary>How this gateway stands now, for <c>fabrik gateway status</c>: whoever reaches its metrics may see it.</summary>
internal sealed class StatusPage(ProviderFiles providers, Benches benches, UsageSpool spool, UsageSender sender, BudgetBook budgets, EndedRuns ended, RunEndsFeed feed, PriceFile prices, Drain drain, ProxyOptions options)
{
    private static readonly string Version = typeof(StatusPage).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
    private readonly DateTimeOffset startedAt = options.Clock.GetUtcNow();

    public GatewayStatus Now()
    {
        var now = options.Clock.GetUtcNow();
        var (upstreams, held) = (providers.Current, benches.Now(now).ToDictionary(bench => bench.Name, StringComparer.Ordinal));
        var ((files, bytes, oldest), used) = (spool.Waiting(), budgets.Parts());
        return new GatewayStatus(
            Environment.MachineName, Version, now, startedAt, drain.IsDraining, prices.Current.Version,
            [.. upstreams.Config.Providers.Select(provider => Provider(provider, upstreams, held))],
            new SpoolStatus(files, bytes, oldest, sender.Failing),
            budgets.Budgets is not null,
            [.. (budgets.Budgets ?? []).Select(budget => new BudgetStatus(budget.Name, budget.Hard, used.GetValueOrDefault(budget.Name)))],
            new RunEndsStatus(ended.Count, feed.ToldAt))
        {
            Unpriced = [.. Named(upstreams.Config).Where(model => prices.Current.Find(model) is null).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)],
        };
    }

    /// <summary>Models that stand in the configuration by their whole names.</summary>
    private static IEnumerable<string> Named(GatewayConfig config) =>
        config.Providers.SelectMany(provider => provider.Models).Concat(config.Aliases.Values.SelectMany(aliases => aliases.Values)).Where(model => !model.EndsWith('*'));

    private static ProviderStatus Provider(ProviderConfig provider, Upstreams upstreams, Dictionary<string, (string Name, DateTimeOffset Until, string Why)> held) => new(
        provider.Name, provider.Format, new Uri(provider.Url).Authority, provider.Models, provider.Projects, Bench(provider.Name, held),
        [.. provider.Keys.Select(key =>
        {
            var prefix = $"{provider.Name}/{key.Name}/";
            return new KeyStatus(
                key.Name, key.Weight, !upstreams.All.Any(one => one.Provider == provider && one.Target.Key == key.Name), Bench($"{provider.Name}/{key.Name}", held),
                [.. held.Values.Where(bench => bench.Name.StartsWith(prefix, StringComparison.Ordinal)).Select(bench => new ModelBenchStatus(bench.Name[prefix.Length..], bench.Until, bench.Why)).OrderBy(bench => bench.Model, StringComparer.Ordinal)]);
        })]);

    private static BenchStatus? Bench(string name, Dictionary<string, (string Name, DateTimeOffset Until, string Why)> held) => held.TryGetValue(name, out var bench) ? new BenchStatus(bench.Until, bench.Why) : null;
}
