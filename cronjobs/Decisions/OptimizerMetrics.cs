using System.Diagnostics.Metrics;
using Fabrik.Analysis;
using Fabrik.Decisions;
using Fabrik.Experiments;
using Fabrik.Storage;

namespace Fabrik.CronJobs.Decisions;

/// <summary>Where the changes stand. Labels are closed sets: phases, and kinds of alerts.</summary>
public sealed class OptimizerMetrics : IDisposable
{
    private readonly Meter meter = new(Names.Meters.CronJobs);
    private readonly Counter<long> transitions;
    private readonly Counter<long> proposals;
    private IReadOnlyDictionary<Phase, int> phases = new Dictionary<Phase, int>();
    private IReadOnlyDictionary<AlertKind, int> alerts = new Dictionary<AlertKind, int>();
    private int incidents;

    public OptimizerMetrics()
    {
        transitions = meter.CreateCounter<long>(Names.Metrics.OptimizerTransitions, "{step}", "Steps of changes that were written, by the phase they led to");
        proposals = meter.CreateCounter<long>(Names.Metrics.OptimizerProposals, "{suggestion}", "Better sizes that were found, by what became of them: proposed, or why not");
        meter.CreateObservableGauge(
            Names.Metrics.OptimizerChanges,
            () => phases.Select(one => new Measurement<int>(one.Value, new KeyValuePair<string, object?>("phase", WireNames.Of(one.Key)))),
            "{change}",
            "Changes by phase");
        meter.CreateObservableGauge(
            Names.Metrics.ExperimentAlerts,
            () => alerts.Select(one => new Measurement<int>(one.Value, new KeyValuePair<string, object?>("kind", WireNames.Of(one.Key)))),
            "{change}",
            "Changes on trial or applied that an alert stands for, by its kind");
        meter.CreateObservableGauge(Names.Metrics.OptimizerIncidents, () => Volatile.Read(ref incidents), "{incident}", "Emergency rollbacks that no person has looked at");
    }

    internal Meter Meter => meter;

    public void Seen(IReadOnlyList<OptimizationChange> changes) => phases = Enum.GetValues<Phase>().ToDictionary(phase => phase, phase => changes.Count(change => change.Phase == phase));

    /// <summary>All alerts that stand now.</summary>
    public void Alerts(IReadOnlyCollection<Alert> standing) => alerts = Enum.GetValues<AlertKind>().ToDictionary(kind => kind, kind => standing.Count(alert => alert.Kind == kind));

    public void Incidents(int open) => Volatile.Write(ref incidents, open);

    /// <param name="refused">Null: it was proposed.</param>
    public void Proposed(string? refused) => proposals.Add(1, new KeyValuePair<string, object?>("result", refused ?? "proposed"));

    public void Taken(Step step)
    {
        if (step.From != step.To) transitions.Add(1, new KeyValuePair<string, object?>("to", WireNames.Of(step.To)));
        if (step.Incident is not null) Interlocked.Increment(ref incidents);
    }

    public void Dispose() => meter.Dispose();
}
