using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Checks;

/// <summary>
/// Tries it: a Pod that listens, and one that connects to it, to the API server and to the metadata address; first where no policy is, then under the policies.
/// Only the difference shows that something enforces them.
/// </summary>
internal sealed class NetworkGathering(FactReader reader, CheckSources from, InstallationGathering installations)
{
    private const int Port = 8080;

    /// <summary>An image has to be pulled.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    /// <summary>Pods that nobody has taken up by then will not run here.</summary>
    private static readonly TimeSpan UnscheduledPatience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Some plugins enforce a policy on a Pod only seconds after its start.</summary>
    private const int Settle = 10;

    private Canaries Made => from.Canaries!;

    public async Task<NetworkFacts> GatherAsync(CancellationToken ct)
    {
        var before = from.Phase == CheckPhase.Before;
        var policies = await reader.ListAsync(Kinds.NetworkPolicy, Names.RunsNamespace, ct);
        var proof = await FactReader.TryAsync(() => ProveAsync(before ? null : Names.RunsNamespace, ct));
        // Whatever held the canaries up is no fault of the policies.
        if (proof.State == ReadState.Broken) proof = Reading.Not<NetworkProof>(ReadState.Missing, proof.Why!);
        return new NetworkFacts((await installations.InstallationAsync(ct)).Outside, before ? "a namespace with a policy that denies everything" : Names.RunsNamespace, policies, proof);
    }

    /// <param name="runs">Null: a namespace is made, with a policy that denies everything.</param>
    private async Task<NetworkProof> ProveAsync(string? runs, CancellationToken ct)
    {
        var server = await reader.Client.GetAsync(Kinds.Service, "default", "kubernetes", ct);
        var api = $"{server.Json.Text("spec", "clusterIP")} {server.Json.List("spec", "ports").Select(port => port.Whole("port")).FirstOrDefault() ?? 443}";
        if (runs is not null) await reader.Client.GetAsync(Kinds.Namespace, null, runs, ct);
        var open = await Made.NamespaceAsync("open", [], ct);
        var closed = runs ?? await Made.NamespaceAsync("closed", [], ct);
        if (runs is null) await Made.CreateAsync(Kinds.NetworkPolicy, closed, DenyAll(), ct);
        await AccountAsync(open, ct);
        await AccountAsync(closed, ct);
        return new NetworkProof(await TryAsync(open, api, 0, ct), await TryAsync(closed, api, Settle, ct));
    }

    private async Task<IReadOnlyDictionary<string, bool>> TryAsync(string ns, string api, int settle, CancellationToken ct)
    {
        var listens = Made.Name("listens");
        await Made.CreateAsync(Kinds.Pod, ns, CanaryPods.Pod(listens, $"mkdir -p /tmp; exec nc -lk -p {Port} -e true", image: from.Image), ct);
        var address = (await UntilAsync(ns, listens, pod => pod.Text("status", "phase") == "Running" && pod.Text("status", "podIP") is { Length: > 0 }, ct)).Text("status", "podIP");
        string Probe(string name, string target) => $"if nc -z -w 3 {target} 2>/dev/null; then echo {name}=yes; else echo {name}=no; fi";
        var script = string.Create(CultureInfo.InvariantCulture, $"sleep {settle}; ({Probe(NetworkChecks.Peer, $"{address} {Port}")}; {Probe(NetworkChecks.ApiServer, api)}; {Probe(NetworkChecks.Metadata, "169.254.169.254 80")}) > /dev/termination-log");
        var connects = Made.Name("connects");
        await Made.CreateAsync(Kinds.Pod, ns, CanaryPods.Pod(connects, script, image: from.Image), ct);
        var ended = await UntilAsync(ns, connects, pod => pod.Text("status", "phase") is "Succeeded" or "Failed", ct);
        var told = ended.List("status", "containerStatuses").Select(status => status.Text("state", "terminated", "message")).FirstOrDefault();
        var found = (told ?? "").Split('\n').Select(line => line.Split('=')).Where(parts => parts.Length == 2).ToDictionary(parts => parts[0], parts => parts[1] == "yes", StringComparer.Ordinal);
        return found.ContainsKey(NetworkChecks.Peer) ? found : throw Unshown($"the canary Pod in {ns} ended without a word: nothing really runs in this cluster's Pods, or its image has no sh and nc (--image)");
    }

    private async Task<JsonElement> UntilAsync(string ns, string name, Func<JsonElement, bool> there, CancellationToken ct)
    {
        var began = from.Clock.GetTimestamp();
        while (true)
        {
            var pod = (await reader.Client.GetAsync(Kinds.Pod, ns, name, ct)).Json;
            if (there(pod)) return pod;
            if (pod.Text("status", "phase") is "Succeeded" or "Failed") throw Unshown($"canary Pod {ns}/{name} ended at once, and shows nothing: {Ended(pod) ?? "nothing really runs in this cluster's Pods"}");
            var waited = from.Clock.GetElapsedTime(began);
            var reason = pod.List("status", "containerStatuses").Select(status => status.Text("state", "waiting", "reason")).FirstOrDefault() ?? pod.Condition("PodScheduled")?.Text("message") ?? "no node took it up";
            if (waited > Patience || (waited > UnscheduledPatience && pod.Text("spec", "nodeName") is null)) throw Unshown($"canary Pod {ns}/{name} did not get to run within {waited.TotalSeconds:0} s: {reason}");
            await Task.Delay(Pause, from.Clock, ct);
        }
    }

    private static string? Ended(JsonElement pod) => pod.Text("status", "message") ?? pod.List("status", "containerStatuses")
        .Select(status => status.At("state", "terminated"))
        .Where(end => end.Text("reason") is not null and not "Completed")
        .Select(end => $"{end.Text("reason")}, exit code {end.Whole("exitCode")} {end.Text("message")}".TrimEnd())
        .FirstOrDefault();

    /// <summary>Pods are refused until their namespace has its ServiceAccount.</summary>
    private async Task AccountAsync(string ns, CancellationToken ct)
    {
        for (var attempt = 0; attempt < 40; attempt++)
        {
            if ((await reader.GetAsync(Kinds.ServiceAccount, ns, "default", ct)).State != ReadState.Missing) return;
            await Task.Delay(Pause, from.Clock, ct);
        }
    }

    private static CommandException Unshown(string why) => new(ExitCode.NotFound, "FAB-1052", "network policies could not be tried", why, "look at the Pods of the cluster: kubectl get pods -A");

    private JsonObject DenyAll() => new()
    {
        ["apiVersion"] = "networking.k8s.io/v1",
        ["kind"] = "NetworkPolicy",
        ["metadata"] = new JsonObject { ["name"] = Made.Name("deny") },
        ["spec"] = new JsonObject { ["podSelector"] = new JsonObject(), ["policyTypes"] = new JsonArray("Ingress", "Egress") },
    };
}
