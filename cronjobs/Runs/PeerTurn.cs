using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Runs;

namespace Fabrik.CronJobs.Runs;

/// <summary>Writes the policies of Jobs that have peers, where they are not there or say something else. Nothing is remembered, so a kill loses nothing.</summary>
public sealed partial class PeerTurn(KubernetesClient cluster, RunObserver observer, ILogger<PeerTurn> logger)
{
    /// <returns>False where Jobs are not observed now.</returns>
    /// <exception cref="KubernetesException">The API server cannot be reached, or refuses.</exception>
    public async Task<bool> TakeAsync(CancellationToken ct)
    {
        if (observer.Known is not var (jobs, namespaces)) return false;
        var fenced = namespaces.Where(one => one.Label(Names.Labels.Untrusted) == "true").Select(one => one.Name).ToHashSet(StringComparer.Ordinal);
        var wanted = PeerPolicies.Of(jobs.Where(job => job.Annotation(Names.Annotations.Peers) is not null).Select(job => job.Json), fenced.Contains);
        if (wanted.Count == 0) return true;
        var there = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        await foreach (var one in cluster.ListAsync(Kinds.NetworkPolicy, null, ct, new ListOptions { LabelSelector = $"{Names.Labels.Component}={PeerPolicies.Component}" }))
            there[one.Key] = one.Json.GetProperty("spec");
        foreach (var policy in wanted)
        {
            var (ns, name) = ((string)policy["metadata"]!["namespace"]!, (string)policy["metadata"]!["name"]!);
            if (there.TryGetValue($"{ns}/{name}", out var spec) && JsonNode.DeepEquals(JsonObject.Create(spec), policy["spec"])) continue;
            try
            {
                await cluster.PatchAsync(Kinds.NetworkPolicy, ns, name, PatchType.Apply, policy, ct, new WriteOptions { FieldManager = Names.FieldManager, Force = true });
                Log.Linked(logger, ns, (string)policy["metadata"]!["ownerReferences"]![0]!["name"]!);
            }
            catch (KubernetesException refused) when (refused.IsInvalid || refused.IsForbidden || refused.IsNotFound)
            {
                // One namespace's quota, policy or end does not keep the others apart.
                Log.Refused(logger, ns, name, refused.StatusMessage);
            }
        }

        return true;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "The Pods of Job {Namespace}/{Job} may talk to those of its peers")]
        public static partial void Linked(ILogger logger, string @namespace, string job);

        [LoggerMessage(Level = LogLevel.Warning, Message = "NetworkPolicy {Namespace}/{Name} was refused, so these peers do not reach each other: {Why}")]
        public static partial void Refused(ILogger logger, string @namespace, string name, string why);
    }
}
