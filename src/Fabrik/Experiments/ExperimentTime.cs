using System.Globalization;

namespace Fabrik.Experiments;

/// <summary>How long an experiment may run.</summary>
public static class ExperimentTime
{
    /// <summary>Beyond this nothing is tried: what is compared has changed by then.</summary>
    public const int MostDays = 180;

    /// <summary>What its author asked for; else the policy's longest time, or the forecast's 90 of 100 cases where that is longer.</summary>
    public static TimeSpan Of(OptimizationChange change, PolicySpec policy)
    {
        var forecast = change.Spec.Evidence?.Figures.GetValueOrDefault(Names.Figures.ForecastDays90) ?? 0;
        var days = Asked(change.Spec.Experiment.Duration) ?? Math.Max(policy.Experiments.MaximumDays, double.IsFinite(forecast) ? forecast : 0);
        return TimeSpan.FromDays(Math.Clamp(days, 0, MostDays));
    }

    /// <summary>Days of a text such as 3d, 36h or 90m.</summary>
    private static double? Asked(string? duration)
    {
        if (duration is not { Length: > 1 } || !double.TryParse(duration.AsSpan(0, duration.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return null;
        return duration[^1] switch { 'd' => number, 'h' => number / 24, 'm' => number / 1440, _ => null };
    }
}
