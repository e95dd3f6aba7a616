using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Fabrik.Storage;

namespace Fabrik.CronJobs.Hosting;

/// <summary>A dead man's switch for each scheduled task: an alert fires when the time of the last success stops moving.</summary>
public sealed class SchedulerMetrics : IDisposable
{
    private readonly Meter meter = new(Names.Meters.CronJobs);
    private readonly ConcurrentDictionary<string, double> succeeded = new(StringComparer.Ordinal);
    private readonly TimeProvider clock;
    private readonly Database? database;
    private int leading;

    /// <param name="database">Null where nothing is stored.</param>
    public SchedulerMetrics(TimeProvider clock, Database? database = null)
    {
        (this.clock, this.database) = (clock, database);
        meter.CreateObservableGauge(
            "fabrik.scheduler.last.success.timestamp",
            () => succeeded.Select(task => new Measurement<double>(task.Value, new KeyValuePair<string, object?>("task", task.Key))),
            "s",
            "When a scheduled task last succeeded, in seconds since 1970");
        meter.CreateObservableGauge("fabrik.scheduler.leading", () => Volatile.Read(ref leading), "{replica}", "1 where this replica does the work");
        meter.CreateObservableGauge(Names.Metrics.StorageWritable, () => Paused is null ? 1 : 0, "{database}", "0 while nothing can be written to the control database: the scheduler stands still");
    }

    /// <summary>Why all tasks stand still: nothing is done that could not be written down. Null: they go on.</summary>
    public StorageTrouble? Paused => database?.Trouble;

    public bool Leading => Volatile.Read(ref leading) == 1;

    internal Meter Meter => meter;

    public void Succeeded(string task) => succeeded[task] = clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;

    public void Leads(bool now) => Volatile.Write(ref leading, now ? 1 : 0);

    public void Dispose() => meter.Dispose();
}
