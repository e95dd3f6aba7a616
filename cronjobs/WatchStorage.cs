using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Hosting;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Storage;
using Quartz;

namespace Fabrik.CronJobs;

/// <summary>
/// While nothing can be written, tries whether it can again, and says both, in the log and as a condition of the policy. All else stands still
/// meanwhile: the objects are never ahead of the record.
/// </summary>
[DisallowConcurrentExecution]
public sealed partial class WatchStorage(Database database, KubernetesClient cluster, OptimizerObjects objects, SchedulerMetrics metrics, StorageTold told, TimeProvider clock, ILogger<WatchStorage> logger) : IJob
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await LookAsync(cancellationToken);
        }
        catch (KubernetesException e)
        {
            Log.Untold(logger, e.Message);
        }
    }

    /// <exception cref="KubernetesException">The policy was not told; it is with the next look.</exception>
    public async Task LookAsync(CancellationToken ct)
    {
        var now = database.Look();
        if (now is not null && told.InLog is null)
        {
            Log.Paused(logger, now.Why);
            told.InLog = now;
        }
        else if (now is null && told.InLog is { } over)
        {
            Log.Resumed(logger, clock.GetUtcNow() - over.Since);
            told.InLog = null;
        }

        if (metrics.Leading && (told.OnPolicy is null || told.OnPolicy != (now is null))) await TellAsync(now, ct);
    }

    private async Task TellAsync(StorageTrouble? trouble, CancellationToken ct)
    {
        if (await objects.FindPolicyAsync(ct) is not { } policy) return;
        var standing = policy.Status.Conditions.FirstOrDefault(one => one.Type == Names.Conditions.StorageWritable);
        var status = trouble is null ? "True" : "False";
        if (standing?.Status != status && (standing is not null || trouble is not null))
        {
            var next = Fabrik.Decisions.Conditions.With(
                policy.Status.Conditions, Names.Conditions.StorageWritable, status, trouble?.Reason ?? "Written", trouble?.Why ?? "the control database takes what is written", policy.Metadata.Generation, clock.GetUtcNow());
            await cluster.PatchAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, PatchType.Merge, new JsonObject
            {
                ["metadata"] = new JsonObject { ["resourceVersion"] = policy.Metadata.ResourceVersion },
                ["status"] = new JsonObject { ["conditions"] = JsonSerializer.SerializeToNode(new PolicyStatus { Conditions = next }, ObjectJson.Default.PolicyStatus)!["conditions"]!.DeepClone() },
            }, ct, new WriteOptions { FieldManager = Names.FieldManager, Subresource = "status" });
        }

        told.OnPolicy = trouble is null;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Error, Message = "All tasks stand still: {Why}")]
        public static partial void Paused(ILogger logger, string why);

        [LoggerMessage(Level = LogLevel.Information, Message = "The control database can be written again after {Time}; all tasks go on")]
        public static partial void Resumed(ILogger logger, TimeSpan time);

        [LoggerMessage(Level = LogLevel.Warning, Message = "The policy was not told how the control database is: {Why}")]
        public static partial void Untold(ILogger logger, string why);
    }
}

/// <summary>What <see cref="WatchStorage"/> has said, between two of its looks.</summary>
public sealed class StorageTold
{
    public StorageTrouble? InLog { get; set; }

    /// <summary>Whether the policy says that all is well; null: not known to this process.</summary>
    public bool? OnPolicy { get; set; }
}
