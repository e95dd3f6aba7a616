using Fabrik.CronJobs.Hosting;
using Fabrik.Kubernetes;
using Fabrik.Storage;
using Microsoft.Data.Sqlite;
using Quartz;

namespace Fabrik.CronJobs.Decisions;

/// <summary>A scheduled task of the optimizer: where it fails, what it did not do is done the next time.</summary>
[DisallowConcurrentExecution]
public abstract partial class OptimizerTask(SchedulerMetrics metrics, ILogger logger) : IJob
{
    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        if (!metrics.Leading || metrics.Paused is not null) return;
        try
        {
            if (await RunAsync(cancellationToken)) metrics.Succeeded(GetType().Name);
        }
        catch (Exception e) when (e is KubernetesException or HttpRequestException or StorageException or SqliteException)
        {
            Log.Failed(logger, GetType().Name, e.Message);
        }
    }

    /// <returns>False where another replica does it.</returns>
    /// <exception cref="KubernetesException">The API server cannot be reached, or refuses.</exception>
    /// <exception cref="StorageException">The control database cannot be used.</exception>
    public abstract Task<bool> RunAsync(CancellationToken ct);

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "{Task} did not finish and goes on with its next run: {Why}")]
        public static partial void Failed(ILogger logger, string task, string why);
    }
}
