namespace Fabrik.Benchmarks;

/// <summary>One benchmark by its name: dotnet run -c Release --project tests/Fabrik.Benchmarks -- NAME</summary>
public static class Program
{
    private static readonly Dictionary<string, Func<string[], Task<int>>> All = new(StringComparer.Ordinal)
    {
        ["webhook"] = Webhook.WebhookBenchmark.RunAsync,
        ["observe"] = ObserveBenchmark.RunAsync,
        ["propose"] = Proposals.ProposeBenchmark.RunAsync,
        ["runs-api"] = RunsApi.RunsApiBenchmark.RunAsync,
        ["statistics"] = Statistics.StatisticsBenchmark.RunAsync,
        ["sizing"] = Sizes.SizingBenchmark.RunAsync,
        ["worlds"] = Worlds.WorldsBenchmark.RunAsync,
        ["usage"] = UsageBenchmark.RunAsync,
        ["gateway"] = Gateway.GatewayBenchmark.RunAsync,
        ["budgets"] = Gateway.BudgetBenchmark.RunAsync,
        ["spool"] = Gateway.SpoolBenchmark.RunAsync,
        ["gateway-streams"] = Gateway.StreamsBenchmark.RunAsync,
        [Gateway.GatewayServers.BareYarp] = Gateway.GatewayServers.BareYarpAsync,
        [Gateway.GatewayServers.PacedProvider] = Gateway.GatewayServers.PacedProviderAsync,
    };

    public static async Task<int> Main(string[] args)
    {
        if (args is [var name, .. var rest] && All.TryGetValue(name, out var benchmark)) return await benchmark(rest);
        await Console.Error.WriteLineAsync($"give one of: {string.Join(", ", All.Keys)}");
        return 2;
    }
}
