using Fabrik.CronJobs.Hosting;
using Fabrik.CronJobs.Runs;
using Fabrik.CronJobs.Usage;
using Fabrik.Runs;
using Quartz;

namespace Fabrik.CronJobs;

/// <summary>
/// Takes what runs use: while they run from what keeps no history, once they have ended from Prometheus. Apart from <see cref="ObserveRuns"/>,
/// so that a source that is slow or away holds up nothing but itself.
/// </summary>
[DisallowConcurrentExecution]
public sealed class MeasureRuns(RunObserver observer, UsageSampler sampler, UsageSettler settler, SourceStates states, SchedulerMetrics metrics, TimeProvider clock, IHostApplicationLifetime life, PrometheusReadings? prometheus = null) : IJob
{
    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, life.ApplicationStopping);
        try
        {
            if (await MeasureAsync(stop.Token)) metrics.Succeeded(nameof(MeasureRuns));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // As asked; what was seen is stored.
        }
    }

    /// <returns>False where another replica does it.</returns>
    private async Task<bool> MeasureAsync(CancellationToken ct)
    {
        if (!observer.Synchronised || metrics.Paused is not null) return false;
        if (prometheus is not null && Due()) await prometheus.ProbeAsync(ct);
        var waiting = settler.Waiting();
        if (prometheus is null) await sampler.SampleAsync(UsageGap.NotConfigured, waiting.Count > 0, ct);
        else if (states.Gap(UsageSource.Prometheus) is { } missing) await sampler.SampleAsync(missing, waiting.Count > 0, ct);
        await settler.SettleAsync(waiting, ct);
        return true;
    }

    /// <summary>While nothing ends nobody asks Prometheus anything, and it may have gone.</summary>
    private bool Due() => states.AskedAt(UsageSource.Prometheus) is not { } asked || clock.GetUtcNow() - asked >= SourceStates.AskAgain;
}
