using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Fabrik.Decisions;
using Fabrik.Experiments;

namespace Fabrik.Reports;

/// <summary>Everything at a glance: what runs, what waits for what, what was taken back. Made of the objects alone, and fuller where the evidence is known.</summary>
public sealed record OptimizerStatus
{
    /// <summary>How far back rollbacks are shown.</summary>
    public static readonly TimeSpan Lately = TimeSpan.FromDays(7);

    public required bool Paused { get; init; }
    public string? PauseReason { get; init; }
    public required int MaximumExperiments { get; init; }
    public required Risk AutoApplyRisk { get; init; }

    /// <summary>Confidence asked for before a rollout.</summary>
    public required double Confidence { get; init; }
    public IReadOnlyList<string> ExhaustedBudgets { get; init; } = [];

    /// <summary>Why the scheduler stands still: nothing can be written to the control database. Null: it can.</summary>
    public string? StorageTrouble { get; init; }

    /// <summary>Since when.</summary>
    public DateTimeOffset? StorageTroubleSince { get; init; }
    public required IReadOnlyList<ChangeStatusLine> Running { get; init; }
    public required IReadOnlyList<ChangeStatusLine> Queued { get; init; }

    /// <summary>A person's word is asked for.</summary>
    public required IReadOnlyList<ChangeStatusLine> Waiting { get; init; }
    public required IReadOnlyList<ChangeStatusLine> Proposed { get; init; }
    public required IReadOnlyList<ChangeStatusLine> Applied { get; init; }

    /// <summary>Within <see cref="Lately"/>, as far as it is known when.</summary>
    public required IReadOnlyList<ChangeStatusLine> RolledBack { get; init; }

    public required OptimizerHealth Health { get; init; }

    /// <summary>Not reviewed by a person yet.</summary>
    public required IReadOnlyList<IncidentReport> IncidentsDue { get; init; }

    /// <summary>Why there is no evidence here; null where it could be asked for.</summary>
    public string? EvidenceMissing { get; init; }

    public static OptimizerStatus Of(
        PolicySpec policy, PolicyStatus? policyStatus, IEnumerable<OptimizationChange> changes, IReadOnlyDictionary<string, ExperimentReport> reports, IEnumerable<IncidentReport> incidents, string? evidenceMissing, DateTimeOffset now)
    {
        var all = changes.Select(change => (Change: change, Line: ChangeStatusLine.Of(change, policy, reports.GetValueOrDefault(change.Name), now)))
            .Select(one => evidenceMissing is not null && one.Line.Report is null ? one with { Line = one.Line with { NoForecast = null } } : one)
            .OrderBy(one => one.Line.Since ?? one.Change.Metadata.CreationTimestamp ?? DateTimeOffset.MinValue).ToList();
        IReadOnlyList<ChangeStatusLine> Which(Func<OptimizationChange, ChangeStatusLine, bool> which) => [.. all.Where(one => which(one.Change, one.Line)).Select(one => one.Line)];
        var storage = policyStatus?.Conditions.FirstOrDefault(one => one.Type == Names.Conditions.StorageWritable && one.Status == "False");
        return new OptimizerStatus
        {
            StorageTrouble = storage is null ? null : storage.Message ?? storage.Reason ?? "it does not say why",
            StorageTroubleSince = storage?.LastTransitionTime,
            Paused = policy.Paused,
            PauseReason = policy.PauseReason,
            MaximumExperiments = policy.Experiments.MaxConcurrent,
            AutoApplyRisk = policy.AutoApplyRisk,
            Confidence = policy.Experiments.Confidence,
            ExhaustedBudgets = policyStatus?.ExhaustedBudgets ?? [],
            Running = Which((change, line) => change.Phase is Phase.ExperimentRunning or Phase.Analyzing && !line.NeedsPerson),
            Queued = Which((change, line) => change.Phase == Phase.Queued && !line.NeedsPerson),
            Waiting = Which((_, line) => line.NeedsPerson),
            Proposed = Which((change, line) => change.Phase == Phase.Proposed && !line.NeedsPerson),
            Applied = Which((change, line) => change.Phase is Phase.Applied or Phase.Approved && !line.NeedsPerson),
            RolledBack = Which((change, line) => change.Phase == Phase.RolledBack && (line.Since is not { } since || now - since <= Lately)),
            Health = OptimizerHealth.Of([.. all.Select(one => (one.Change, one.Line.Since))], reports, now),
            IncidentsDue = [.. incidents.Where(incident => incident.ReviewedAt is null).OrderBy(incident => incident.ReviewBy)],
            EvidenceMissing = evidenceMissing,
        };
    }
}

/// <summary>Where one change stands.</summary>
/// <param name="Since">When it came to where it is, as far as its status tells.</param>
/// <param name="Share">Fraction of Jobs that get the treatment now.</param>
/// <param name="NeedsPerson">Nothing goes on before a person approves or refuses.</param>
/// <param name="Reason">In the scheduler's words; why it is not decided yet.</param>
public sealed record ChangeStatusLine(string Name, ChangeType Type, string Change, string Target, Phase Phase, Risk Risk, Goal Goal, DateTimeOffset? Since, double? Share, bool NeedsPerson, string? Reason)
{
    public ExperimentReport? Report { get; init; }

    /// <summary>Runs that are missing before anything can be decided, and when they will have come at the rate so far; null where there are enough.</summary>
    public string? NotYet { get; init; }

    /// <summary>Why nobody can tell when it will be decided; null where there is a forecast or a verdict, and where nothing is to be decided.</summary>
    public string? NoForecast { get; init; }

    public static ChangeStatusLine Of(OptimizationChange change, PolicySpec policy, ExperimentReport? report, DateTimeOffset now)
    {
        var status = change.Status;
        var since = change.Phase switch
        {
            Phase.ExperimentRunning or Phase.Analyzing => status.StartedAt,
            Phase.Applied => status.LastAppliedAt,
            _ => null,
        } ?? status.Conditions.Where(condition => condition.Status == "True").Max(condition => condition.LastTransitionTime);
        var isTried = change.Phase is Phase.ExperimentRunning or Phase.Analyzing;
        var forecast = isTried && report is not null ? report.Forecast ?? ForecastReport.Of(change, report) : report?.Forecast;
        return new ChangeStatusLine(
            change.Name, change.Spec.Type, Words(change.Spec.Change), Words(change.Spec.Target), change.Phase, change.Spec.Risk, change.Spec.Goal,
            since, status.Share, NeedsApproval(change, policy, report), status.Reason ?? status.Conditions.LastOrDefault(condition => condition.Message is { Length: > 0 })?.Message)
        {
            Report = report is null ? null : report with { Points = null, Forecast = forecast },
            NotYet = isTried && report is not null ? TooFew(report, policy.Experiments.MinimumRunsPerArm) : null,
            NoForecast = isTried && forecast is null && report?.Verdict is null or "continue" ? WithoutForecast(change, report, policy.Experiments.MinimumRunsPerArm) : null,
        };
    }

    private static string WithoutForecast(OptimizationChange change, ExperimentReport? report, int least)
    {
        if (report is null) return $"cannot be told yet: 0 of {least} runs";
        var (arm, name) = Smaller(report);
        return arm.Runs < least ? $"cannot be told yet: {arm.Runs} of {least} {name} runs"
            : change.Spec.Evidence?.Figures.GetValueOrDefault(Names.Figures.ForecastRuns90) is > 0 ? "cannot be told: it has had more runs than its forecast spoke of"
            : "cannot be told: it was proposed without a forecast";
    }

    private static (ArmReport Arm, string Name) Smaller(ExperimentReport report) => report.Treatment.Runs <= report.Control.Runs ? (report.Treatment, "treated") : (report.Control, "control");

    private static string? TooFew(ExperimentReport report, int least)
    {
        var (arm, name) = Smaller(report);
        if (arm.Runs >= least) return null;
        var text = $"{arm.Runs} of at least {least} {name} runs have ended";
        if (arm.Runs < 2 || report.FirstRunAt is not { } first || report.LastRunAt is not { } last || last <= first) return text;
        var left = (last - first) / arm.Runs * (least - arm.Runs);
        return $"{text}; the others take about {(left.TotalDays >= 1.5 ? $"{left.TotalDays:0} days" : left.TotalHours >= 1.5 ? $"{left.TotalHours:0} hours" : $"{Math.Max(1, left.TotalMinutes):0} minutes")} at the rate so far";
    }

    /// <summary>
    /// A change that has won, of a risk or by an author's word not applied by itself, and on which nobody has spoken. What else the scheduler asks a person for
    /// (a protected environment, a cost above the ceiling) it says with the condition <see cref="Names.Conditions.ApprovalRequired"/>.
    /// </summary>
    private static bool NeedsApproval(OptimizationChange change, PolicySpec policy, ExperimentReport? report)
    {
        if (change.Spec.Approval is not null || change.Phase is Phase.Rejected or Phase.RolledBack or Phase.Applied) return false;
        if (change.Status.Conditions.Any(condition => condition.Type == Names.Conditions.ApprovalRequired && condition.Status == "True")) return true;
        var won = change.Phase == Phase.Approved || (change.Phase == Phase.Analyzing && report?.Verdict == "rollout");
        return won && Applying.AsksPerson(change, policy) is not null;
    }

    private static string Words(Treatment treatment)
    {
        var parts = new List<string>();
        void Add(string name, object? value)
        {
            if (value is not null) parts.Add(string.Create(CultureInfo.InvariantCulture, $"{name}={value}"));
        }

        Add("memoryRequest", treatment.MemoryRequest);
        Add("memoryLimit", treatment.MemoryLimit);
        Add("cpuRequest", treatment.CpuRequest);
        Add("cpuLimit", treatment.CpuLimit);
        Add("ephemeralStorageRequest", treatment.EphemeralStorageRequest);
        Add("ephemeralStorageLimit", treatment.EphemeralStorageLimit);
        Add("parallelism", treatment.Parallelism);
        Add("runtimeClassName", treatment.RuntimeClassName);
        Add("ttlSecondsAfterFinished", treatment.TtlSecondsAfterFinished);
        Add("model", treatment.Model);
        foreach (var (name, value) in treatment.NodeSelector ?? new Dictionary<string, string>()) Add($"nodeSelector.{name}", value);
        foreach (var (name, value) in treatment.Environment ?? new Dictionary<string, string>()) Add($"environment.{name}", value);
        if (treatment.Tolerations is { Count: > 0 } tolerations) Add("tolerations", tolerations.Count);
        return parts.Count == 0 ? "by pull request" : string.Join(", ", parts);
    }

    private static string Words(ChangeTarget target)
    {
        var parts = target.LabelSelector.Select(one => $"{one.Key}={one.Value}").ToList();
        if (target.Namespaces.Count > 0) parts.Add($"namespaces {string.Join(", ", target.Namespaces)}");
        if (target.CronJob is not null) parts.Add($"CronJob {target.CronJob}");
        if (target.Containers.Count > 0) parts.Add($"containers {string.Join(", ", target.Containers)}");
        return parts.Count == 0 ? "every Job" : string.Join(", ", parts);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(OptimizerStatus))]
public sealed partial class StatusJson : JsonSerializerContext;
