using System.Diagnostics;
using System.Diagnostics.Metrics;
using Fabrik.Gateway;
using Fabrik.Gateway.Failover;
using Fabrik.Metrics;
using Fabrik.Proxy.Spool;

namespace Fabrik.Proxy.Hosting;

/// <summary>What the gateway tells of itself.</summary>
internal sealed class ProxyMetrics : IDisposable
{
    private readonly Meter meter = new(Names.Meters.Proxy);
    private readonly Counter<long> refused;
    private readonly Counter<long> rewritten;
    private readonly Counter<long> attempts;
    private readonly Counter<long> failures;
    private readonly Counter<double> cost;
    private readonly Counter<long> sent;
    private readonly Counter<long> refusedUsage;
    private readonly Gauge<double> budgetUsed;
    private readonly Gauge<double> runEndsTold;
    private readonly GenAiMetrics genAi;
    private readonly MetricCollector collector;

    public ProxyMetrics(UsageSpool spool)
    {
        refused = meter.CreateCounter<long>(Names.Metrics.GatewayRefused, description: "Calls that the gateway refused itself, by code.");
        rewritten = meter.CreateCounter<long>(Names.Metrics.GatewayRewritten, description: "Calls that a change of type model is for, by result: rewritten, or not_served where no provider serves its model.");
        attempts = meter.CreateCounter<long>(Names.Metrics.GatewayAttempts, description: "Attempts at providers, by provider and outcome.");
        failures = meter.CreateCounter<long>(Names.Metrics.GatewayFailures, description: "Failed attempts, by provider, key and reason.");
        cost = meter.CreateCounter<double>(Names.Metrics.GatewayCost, description: "Cost of settled attempts, by provider and currency.");
        sent = meter.CreateCounter<long>(Names.Metrics.GatewayUsageSent, description: "Settled attempts that the API has taken in.");
        refusedUsage = meter.CreateCounter<long>(Names.Metrics.GatewayUsageRefused, description: "Settled attempts that the API refused for good; they are kept in the spool's directory.");
        meter.CreateObservableGauge(Names.Metrics.GatewaySpoolSegments, () => spool.Segments, description: "Files of the spool whose content the API has not taken in.");
        budgetUsed = meter.CreateGauge<double>(Names.Metrics.GatewayBudgetUsed, description: "Part of each budget that is used, 0 to 1.");
        runEndsTold = meter.CreateGauge<double>(Names.Metrics.GatewayRunEndsTold, "s", "When the API told last which runs have ended, in seconds since 1970.");
        genAi = new GenAiMetrics(meter);
        collector = new MetricCollector(one => one == meter || MetricCollector.IsRuntime(one));
    }

    public void Refused(string code) => refused.Add(1, new KeyValuePair<string, object?>("code", code));

    public void Rewritten(bool isServed) => rewritten.Add(1, new KeyValuePair<string, object?>("result", isServed ? "rewritten" : "not_served"));

    public void Settled(UsageEvent row, WireFormat format)
    {
        attempts.Add(1, new KeyValuePair<string, object?>("provider", row.Provider), new KeyValuePair<string, object?>("outcome", WireNames.Of(row.Outcome)));
        if (row.CostMicros > 0) cost.Add(row.CostMicros / 1e6, new KeyValuePair<string, object?>("provider", row.Provider), new KeyValuePair<string, object?>("currency", row.Currency));
        genAi.Settled(row, format);
    }

    public void Failed(Target target, in ProviderFault fault) => failures.Add(1, new KeyValuePair<string, object?>("provider", target.Provider), new KeyValuePair<string, object?>("key", target.Key), new KeyValuePair<string, object?>("reason", fault.Word));

    public void BudgetUsed(string budget, double part) => budgetUsed.Record(part, new KeyValuePair<string, object?>("budget", budget));

    public void RunEndsTold(DateTimeOffset now) => runEndsTold.Record(now.ToUnixTimeMilliseconds() / 1000.0);

    public void Sent(int count) => sent.Add(count);

    public void RefusedUsage(int count) => refusedUsage.Add(count);

    public string Expose(ExpositionFormat format) => Exposition.Write(collector.Collect(), format);

    public void Dispose()
    {
        collector.Dispose();
        meter.Dispose();
    }
}
