using Fabrik.Analysis;
using Fabrik.Decisions;
using Fabrik.Experiments;

namespace Fabrik.Tests.Decisions;

/// <summary>Changes and views for tests of the rules.</summary>
internal static class Made
{
    /// <summary>A Friday.</summary>
    public static readonly DateTimeOffset Now = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    public static OptimizationChange Change(string name, Phase? phase = null, Risk risk = Risk.Low, ChangeStatus? status = null, Approval? approval = null, params (string Name, double Value)[] figures) => new()
    {
        Metadata = new ChangeMetadata { Name = name, Uid = $"uid-{name}", ResourceVersion = "7", Generation = 1, CreationTimestamp = Now.AddDays(-1) },
        Spec = new ChangeSpec
        {
            Type = ChangeType.Resource,
            Change = new Treatment { MemoryLimit = "4Gi" },
            Risk = risk,
            AutoApply = true,
            Approval = approval,
            Evidence = figures.Length == 0 ? null : new ChangeEvidence { Figures = figures.ToDictionary(one => one.Name, one => one.Value) },
        },
        Status = (status ?? new ChangeStatus()) with { Phase = phase },
    };

    public static OptimizationChange Running(string name, int? slot, double share = 0.1, Approval? approval = null) =>
        Change(name, Phase.ExperimentRunning, status: new ChangeStatus { Slot = slot, Share = share, StartedAt = Now.AddDays(-1), ExperimentId = "exp-1" }, approval: approval);

    public static OptimizationChange With(this OptimizationChange change, Func<ChangeSpec, ChangeSpec> spec) => change with { Spec = spec(change.Spec) };

    public static OptimizerView View(params OptimizationChange[] changes) =>
        new(Now, new PolicySpec(), changes, [new NamespaceLabels("ci", null)], new HashSet<string>(), _ => null);

    public static OptimizerView Finding(this OptimizerView view, Decision decision, Action<ExperimentState>? state = null, params string[] reasons)
    {
        var found = new ExperimentState();
        state?.Invoke(found);
        return view with { Findings = _ => new Findings(view.Now, new Verdict(decision, reasons, 0.97), found) };
    }
}
