using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fabrik.Runs;

/// <summary>
/// Jobs whose Pods must talk: one NetworkPolicy for each, owned by it and gone with it, that lets its Pods and those of the Jobs of its namespace with the
/// same annotation fabrik.dev/peers reach each other. Pods are told apart by the UID of their Job, a label that the controller of Jobs alone writes there.
/// </summary>
public static class PeerPolicies
{
    /// <summary>Jobs that talk to each other; those that were created later are left out.</summary>
    public const int MostJobs = 100;

    private const int LongestName = 256;

    /// <param name="jobs">As Kubernetes sends them.</param>
    /// <param name="isFenced">Namespaces in which Pods reach nothing by default. Elsewhere a policy that lets something through would shut out all else.</param>
    public static IReadOnlyList<JsonObject> Of(IEnumerable<JsonElement> jobs, Func<string, bool> isFenced)
    {
        var groups = jobs.Select(Member).OfType<PeerJob>().Where(job => isFenced(job.Namespace)).GroupBy(job => (job.Namespace, job.Peers));
        var policies = new List<JsonObject>();
        foreach (var group in groups)
        {
            var members = group.OrderBy(job => job.Created, StringComparer.Ordinal).ThenBy(job => job.Uid, StringComparer.Ordinal).Take(MostJobs).ToList();
            var uids = members.Select(job => job.Uid).Order(StringComparer.Ordinal).ToArray();
            policies.AddRange(members.Select(job => Policy(job, uids)));
        }

        return policies;
    }

    public static string NameOf(string jobUid) => $"fabrik-peers-{jobUid}";

    private static PeerJob? Member(JsonElement job)
    {
        var metadata = job.Get("metadata");
        if (metadata.Get("annotations").Text(Names.Annotations.Peers) is not { Length: > 0 and <= LongestName } peers) return null;
        if (metadata.Text("uid") is not { } uid || metadata.Text("name") is not { } name || metadata.Text("namespace") is not { } ns) return null;
        if (metadata.Text("deletionTimestamp") is not null || HasEnded(job)) return null;
        return new PeerJob(ns, name, uid, peers, metadata.Text("creationTimestamp") ?? "");
    }

    internal static bool HasEnded(JsonElement job) =>
        job.Get("status").Items("conditions").Any(one => one.Text("type") is "Complete" or "Failed" && one.Text("status") == "True");

    private static JsonObject Policy(PeerJob job, string[] uids)
    {
        return new JsonObject
        {
            ["apiVersion"] = "networking.k8s.io/v1",
            ["kind"] = "NetworkPolicy",
            ["metadata"] = new JsonObject
            {
                ["name"] = NameOf(job.Uid),
                ["namespace"] = job.Namespace,
                ["labels"] = new JsonObject { [Names.Labels.PartOf] = "fabrik", [Names.Labels.Component] = Component },
                ["ownerReferences"] = new JsonArray(new JsonObject { ["apiVersion"] = "batch/v1", ["kind"] = "Job", ["name"] = job.Name, ["uid"] = job.Uid }),
            },
            ["spec"] = new JsonObject
            {
                ["podSelector"] = new JsonObject { ["matchLabels"] = new JsonObject { [Names.Labels.ControllerUid] = job.Uid } },
                ["policyTypes"] = new JsonArray("Ingress", "Egress"),
                ["ingress"] = new JsonArray(new JsonObject { ["from"] = Peers() }),
                ["egress"] = new JsonArray(new JsonObject { ["to"] = Peers() }),
            },
        };

        JsonArray Peers() => new(new JsonObject
        {
            ["podSelector"] = new JsonObject
            {
                ["matchExpressions"] = new JsonArray(new JsonObject { ["key"] = Names.Labels.ControllerUid, ["operator"] = "In", ["values"] = new JsonArray([.. uids.Select(uid => (JsonNode)uid)]) }),
            },
        });
    }

    /// <summary>Of these policies, as a label.</summary>
    public const string Component = "peers";

    private sealed record PeerJob(string Namespace, string Name, string Uid, string Peers, string Created);
}
