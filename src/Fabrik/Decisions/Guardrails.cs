using System.Globalization;
using Fabrik.Admission;
using Fabrik.Experiments;
using Fabrik.Schedules;

namespace Fabrik.Decisions;

/// <summary>What keeps a change from being tried now.</summary>
public enum Hold
{
    /// <summary>It cannot be tried as it is; its author may edit it while it is proposed.</summary>
    Impossible,

    /// <summary>A person has to agree.</summary>
    Approval,

    /// <summary>Its time will come by itself.</summary>
    Queue,
}

/// <param name="Reason">For people; the same words as long as the same thing holds, so that nothing is written for nothing.</param>
public sealed record Held(Hold Hold, string Reason);

/// <summary>The guardrails before a trial, in the order in which they are told.</summary>
public static class Guardrails
{
    /// <summary>Null where the change may start now.</summary>
    /// <param name="change">Proposed or queued; no person refused it.</param>
    /// <param name="running">Experiments that run already, or start before it.</param>
    public static Held? Of(OptimizationChange change, OptimizerView view, int running) =>
        Impossible(change, view.Policy) is { } impossible ? new Held(Hold.Impossible, impossible)
        : change.Spec.Approval is not { Approved: true } && NeedsAgreement(change, view) is { } agreement ? new Held(Hold.Approval, agreement)
        : Later(change, view, running) is { } later ? new Held(Hold.Queue, later)
        : null;

    /// <summary>The environment of a protected namespace that the change is for, without a person's word; null where there is none.</summary>
    public static string? Protected(OptimizationChange change, OptimizerView view)
    {
        var target = change.Spec.Target;
        if (target.LabelSelector.TryGetValue(Names.Labels.Environment, out var label) && view.Policy.ProtectedEnvironments.Contains(label)) return $"it is for Jobs of environment {label}";
        var found = view.Namespaces.Where(one => one.Environment is { } environment && view.Policy.ProtectedEnvironments.Contains(environment)
            && (target.Namespaces.Count == 0 || target.Namespaces.Contains(one.Name))).Select(one => one.Name).Order(StringComparer.Ordinal).ToList();
        return found.Count switch
        {
            0 => null,
            1 => $"namespace {found[0]} is of a protected environment",
            _ => $"namespaces {string.Join(", ", found.Take(3))}{(found.Count > 3 ? $" and {found.Count - 3} more" : "")} are of protected environments",
        };
    }

    /// <summary>Whether its start waits for business hours: everything but a low risk, and whatever moves Jobs to other nodes.</summary>
    public static bool IsRisky(OptimizationChange change) => change.Spec.Risk != Risk.Low || change.Spec.Type == ChangeType.Scheduling;

    private static string? Impossible(OptimizationChange change, PolicySpec policy)
    {
        if (change.Spec.Type == ChangeType.Spec) return "a change of type spec rewrites a specification; no Job can be given it";
        var compiled = CompiledChange.Of(change, policy, out var problem);
        if (compiled is null) return $"it cannot be put on a Job: {problem}";
        if (compiled.Forbidden is not null) return "it sets an environment variable that the policy does not allow (allowedEnvironment)";
        return change.Spec.Evidence?.Figures.GetValueOrDefault(Names.Figures.ForecastDays90) is > ExperimentTime.MostDays and var days
            ? string.Create(CultureInfo.InvariantCulture, $"it would take {days:0} days to decide (in 90 of 100 cases), and at most {ExperimentTime.MostDays} are allowed; a wider target or a bolder change is decided sooner")
            : null;
    }

    private static string? NeedsAgreement(OptimizationChange change, OptimizerView view)
    {
        if (Protected(change, view) is { } environment) return $"{environment}: a person must agree";
        if (change.Spec.Type == ChangeType.Model) return "it changes which model is called, so what runs say and cost: a person must agree";
        var (ratio, ceiling) = (change.Spec.Evidence?.Figures.GetValueOrDefault(Names.Figures.CostRatio) ?? 0, view.Policy.Experiments.CostCeiling);
        return ratio > ceiling ? string.Create(CultureInfo.InvariantCulture, $"a run with it is expected to cost {ratio:0.0} times as much, above the ceiling of {ceiling:0.0}: a person must agree") : null;
    }

    private static string? Later(OptimizationChange change, OptimizerView view, int running)
    {
        var most = Math.Min(view.Policy.Experiments.MaxConcurrent, AssignmentBuckets.Slots);
        var hours = view.Policy.BusinessHours;
        if (IsRisky(change) && hours.Only && !IsOpen(hours, view.Now)) return $"it is risky, so it starts Monday to Friday from {hours.From} to {hours.To} ({hours.TimeZone})";
        return running >= most ? $"{most} experiments run at most; what is worth more goes first" : null;
    }

    /// <summary>Closed where the zone is not known.</summary>
    public static bool IsOpen(BusinessHours hours, DateTimeOffset now)
    {
        if (!TimeZones.TryFind(hours.TimeZone, out var zone)) return false;
        var local = TimeZoneInfo.ConvertTime(now, zone);
        var time = local.ToString("HH:mm", CultureInfo.InvariantCulture);
        return local.DayOfWeek is not (DayOfWeek.Saturday or DayOfWeek.Sunday) && string.CompareOrdinal(time, hours.From) >= 0 && string.CompareOrdinal(time, hours.To) < 0;
    }
}
