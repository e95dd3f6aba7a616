using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Fabrik.Analysis;
using Fabrik.Storage;

namespace Fabrik.CronJobs.Hosting;

/// <summary>A dead man's switch for each scheduled task: an alert fires when the time of the last success stops moving.</summary>
public sealed class SchedulerMetrics : IDisposable
{
    private readonly Meter meter = new(Names.Meters.CronJobs);
    private readonly ConcurrentDictionary<string, double> succeeded = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<AlertKind, int> alerts = new();
    private readonly TimeProvider clock;
    private int leading;

    public SchedulerMetrics(TimeProvider clock)
    {
        this.clock = clock;
        meter.CreateObservableGauge(
            "fabrik.scheduler.last.success.timestamp",
            () => succeeded.Select(task => new Measurement<double>(task.Value, new KeyValuePair<string, object?>("task", task.Key))),
            "s",
            "When a scheduled task last succeeded, in seconds since 1970");
        meter.CreateObservableGauge(
            Names.Metrics.ExperimentAlerts,
            () => Leading ? alerts.Select(one => new Measurement<int>(one.Value, new KeyValuePair<string, object?>("kind", WireNames.Of(one.Key)))) : [],
            "{change}",
            "Changes on trial or applied that an alert stands for, by its kind");
        meter.CreateObservableGauge("fabrik.scheduler.leading", () => Volatile.Read(ref leading), "{replica}", "1 where this replica does the work");
    }

    public bool Leading => Volatile.Read(ref leading) == 1;

    internal Meter Meter => meter;

    public void Succeeded(string task) => succeeded[task] = clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;

    /// <summary>All alerts that stand now.</summary>
    public void Alerts(IReadOnlyCollection<Alert> standing)
    {
        foreach (var kind in Enum.GetValues<AlertKind>()) alerts[kind] = standing.Count(alert => alert.Kind == kind);
    }

    public void Leads(bool now) => Volatile.Write(ref leading, now ? 1 : 0);

    public void Dispose() => meter.Dispose();
}
