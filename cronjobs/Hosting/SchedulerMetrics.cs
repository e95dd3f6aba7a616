using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Fabrik.CronJobs.Hosting;

/// <summary>A dead man's switch for each scheduled task: an alert fires when the time of the last success stops moving.</summary>
public sealed class SchedulerMetrics : IDisposable
{
    private readonly Meter meter = new(Names.Meters.CronJobs);
    private readonly ConcurrentDictionary<string, double> succeeded = new(StringComparer.Ordinal);
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
        meter.CreateObservableGauge("fabrik.scheduler.leading", () => Volatile.Read(ref leading), "{replica}", "1 where this replica does the work");
    }

    public bool Leading => Volatile.Read(ref leading) == 1;

    internal Meter Meter => meter;

    public void Succeeded(string task) => succeeded[task] = clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;

    public void Leads(bool now) => Volatile.Write(ref leading, now ? 1 : 0);

    public void Dispose() => meter.Dispose();
}
