using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Costs;
using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Hosting;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Proposals;
using Fabrik.Storage;

namespace Fabrik.CronJobs;

/// <summary>
/// Takes in what runs used, each once, and proposes better sizes. A new change has no status: that is the scheduler's to write, in its own turn.
/// Killed in between, it makes the same changes anew, and their names say that they are the same.
/// </summary>
public sealed partial class ProposeChanges(
    KubernetesClient cluster, OptimizerObjects objects, ProfileStore profiles, OptimizerMetrics told, CronJobsOptions options, SchedulerMetrics metrics, ILogger<ProposeChanges> logger) : OptimizerTask(metrics, logger)
{
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(5);
    private const int PageSize = 5_000;
    private const string NameTaken = "name_taken";

    /// <summary>Between two times that profiles are stored; what a kill undoes is taken in anew.</summary>
    private const int RunsAtOnce = 250_000;
    private const int ProfilesAtOnce = 1_000;
    private readonly SchedulerMetrics metrics = metrics;
    private readonly ILogger logger = logger;

    public override async Task<bool> RunAsync(CancellationToken ct)
    {
        TakeIn(ct);
        var (changed, revision) = profiles.Changed();
        if (changed.Count == 0) return true;
        var (changes, _) = await objects.ChangesAsync(ct);
        var policy = await objects.PolicyAsync(ct);
        if (policy.Paused) return true; // what is new stays so until it is resumed
        var namespaces = (await objects.NamespacesAsync(ct)).Select(one => one.Name).ToHashSet(StringComparer.Ordinal);
        var all = true;
        foreach (var proposal in Proposing.Of(changed, changes, namespaces, policy, options.Prices, options.ClusterClock.GetUtcNow()))
        {
            if (!metrics.Leading) return false;
            var refused = proposal.Refused;
            if (proposal.Change is { } change && !await CreateAsync(change, ct)) (refused, all) = (NameTaken, false);
            told.Proposed(refused);
            if (refused is not null) Log.NotProposed(logger, proposal.Target.ToString(), proposal.Suggestion.Resource, refused);
        }

        if (all) profiles.Proposed(revision); // else the next run looks again, and sees who has the name
        return true;
    }

    /// <summary>Many pages are taken into the same profiles before these are stored: most runs are of few specs.</summary>
    private void TakeIn(CancellationToken ct)
    {
        var known = new Dictionary<string, SpecProfile>(StringComparer.Ordinal);
        var (revision, taken) = (profiles.Revision(), 0);
        while (!ct.IsCancellationRequested && metrics.Leading)
        {
            var page = profiles.Settled(revision, PageSize);
            if (page.Count > 0)
            {
                var runs = page.Select(one => one.Run).OfType<ProfiledRun>().ToList();
                foreach (var (key, profile) in profiles.Load([.. runs.Select(run => run.Target).Distinct(ReferenceEqualityComparer.Instance).Cast<ProfileTarget>().Select(target => target.Key).Where(key => !known.ContainsKey(key))])) known[key] = profile;
                foreach (var run in runs)
                {
                    if (!known.TryGetValue(run.Target.Key, out var profile)) known[run.Target.Key] = profile = new SpecProfile { Target = run.Target };
                    profile.Take(run, options.Prices);
                }

                (revision, taken) = (page[^1].Revision, taken + page.Count);
            }

            if (page.Count < PageSize || taken >= RunsAtOnce || known.Count >= ProfilesAtOnce)
            {
                if (taken > 0) profiles.Save(known, revision);
                if (page.Count < PageSize) return;
                known.Clear();
                taken = 0;
            }
        }
    }

    /// <returns>False where another change has the name.</returns>
    private async Task<bool> CreateAsync(OptimizationChange change, CancellationToken ct)
    {
        var body = JsonSerializer.SerializeToNode(change, ObjectJson.Default.OptimizationChange)!.AsObject();
        body["apiVersion"] = Names.ApiVersion;
        body["kind"] = Kinds.OptimizationChange.Kind;
        body["metadata"] = new JsonObject { ["name"] = change.Name, ["namespace"] = Names.SystemNamespace };
        body.Remove("status");
        try
        {
            await cluster.CreateAsync(Kinds.OptimizationChange, Names.SystemNamespace, body, ct, new WriteOptions { FieldManager = Names.FieldManager });
            Log.Proposed(logger, change.Name, change.Spec.Rationale);
            return true;
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            return await IsOpenAsync(change, ct);
        }
    }

    /// <summary>Whether what has the name is the same proposal: made by another replica since the changes were listed, and not what a person made and ended in that time.</summary>
    private async Task<bool> IsOpenAsync(OptimizationChange change, CancellationToken ct)
    {
        try
        {
            var found = ObjectJson.Change((await cluster.GetAsync(Kinds.OptimizationChange, Names.SystemNamespace, change.Name, ct)).Json);
            return found.Phase is not (Phase.Rejected or Phase.RolledBack) && found.Spec.Change == change.Spec.Change && JsonElement.DeepEquals(Target(found), Target(change));
        }
        catch (Exception e) when (e is JsonException or KubernetesException { IsNotFound: true })
        {
            return false;
        }

        static JsonElement Target(OptimizationChange one) => JsonSerializer.SerializeToElement(one.Spec.Target, ObjectJson.Default.ChangeTarget);
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Proposed {Change}: {Why}")]
        public static partial void Proposed(ILogger logger, string change, string? why);

        [LoggerMessage(Level = LogLevel.Debug, Message = "Another size of {Resource} for {Target} is not proposed: {Why}")]
        public static partial void NotProposed(ILogger logger, string target, string resource, string why);
    }
}
