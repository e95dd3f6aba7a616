using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Tests.EndToEnd;
using Fabrik.Tests.Installation;

namespace Fabrik.Tests.Untrusted;

/// <summary>
/// What containers of untrusted runs are and reach where Fabrik is installed: what the webhook fills in, the kubelet runs and the network plug-in lets through. Each
/// way that a run must not have is gone by a Pod outside as well, so that a network where nothing works proves nothing.
/// </summary>
[Collection(InstallationCollection.Name)]
public sealed class ContainedRunTests
{
    /// <summary>Tells of each address whether something took the connection: an end by time-out comes after it was taken.</summary>
    private const string Reach = """
        reach() { code=0; timeout 8 nc -w 3 "$2" "$3" </dev/null >/dev/null 2>&1 || code=$?; if [ $code = 1 ]; then echo "$1 is out of reach"; else echo "$1 is reached"; fi; }

        """;

    private const string Open = "fabrik-contained-open";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_plain_job_is_nobody_reaches_the_gateway_and_the_dns_alone_and_peers_reach_each_other()
    {
        Assert.SkipWhen(RealCluster.Kubeconfig is null, $"unproven here: a sandbox runs no containers. Next: set {Names.Variables.EndToEndKubeconfig}");
        await using var cluster = await InstalledCluster.StartAsync(node: false);
        Assert.SkipWhen(cluster.Played, "unproven here: no node of this cluster runs containers");
        var client = cluster.Client;
        var install = await cluster.FabrikAsync("install", "--profile", "dev", "--timeout", "240");
        install.Code.ShouldBe(0, install.Error);
        await Wait.UntilAsync("the webhook to know the namespace", async () => (await CreateAsync(client, Job("probe", "true"), dryRun: true)).Environment().ContainsKey(Names.ClientVariables.OpenAiKey));
        await client.CreateAsync(Kinds.Namespace, null, new JsonObject { ["metadata"] = new JsonObject { ["name"] = Open } }, Cancel);
        try
        {
            var ways = await WaysAsync(client);
            await ContainedAsync(client, ways);
            await PeersAsync(client);
        }
        finally
        {
            // The namespace of a run that is still there would stay.
            await foreach (var job in client.ListAsync(Kinds.Job, Names.RunsNamespace, default)) await client.DeleteAsync(Kinds.Job, Names.RunsNamespace, job.Name, default, new DeleteOptions { PropagationPolicy = "Foreground" });
            await client.DeleteAsync(Kinds.Namespace, null, Open, default);
            await Wait.UntilAsync("the runs to be gone", async () => await PodAsync(client, Names.RunsNamespace, "") is null);
        }
    }

    /// <summary>To the API server, the Pods of Fabrik, and a Pod of no namespace of Fabrik's: all are there.</summary>
    private static async Task<List<(string Name, string Host, int Port)>> WaysAsync(KubernetesClient client)
    {
        await client.CreateAsync(Kinds.Pod, Open, Pod("server", "httpd -f -p 8080 -h /tmp"), Cancel);
        var api = (await client.GetAsync(new ResourceKind("", "v1", "services", "Service", true), "default", "kubernetes", Cancel)).Json;
        List<(string Name, string Host, int Port)> ways =
        [
            ("the API server", api.Text("spec", "clusterIP")!, 443),
            ("a Pod", await AddressAsync(client, Open, "server"), 8080),
            ("the webhook", await AddressAsync(client, Names.SystemNamespace, Names.Objects.Webhook), 9443),
            ("the API", await AddressAsync(client, Names.SystemNamespace, Names.Objects.Control), 8443),
            ("the scheduler", await AddressAsync(client, Names.SystemNamespace, Names.Objects.Control), 9091),
            ("the metadata address", "169.254.169.254", 80),
        ];
        await client.CreateAsync(Kinds.Pod, Open, Pod("walker", Script(ways)), Cancel);
        var outside = await LogAsync(client, Open, "walker");
        TestContext.Current.TestOutputHelper?.WriteLine($"outside:\n{outside}");
        foreach (var way in (string[])["the API server", "a Pod", "the webhook"]) outside.ShouldContain($"{way} is reached");
        // The control plane's own policies: what a Pod of any other namespace reaches of it is the webhook alone.
        foreach (var way in (string[])["the API", "the scheduler"]) outside.ShouldContain($"{way} is out of reach");
        return ways;
    }

    private static async Task ContainedAsync(KubernetesClient client, List<(string Name, string Host, int Port)> ways)
    {
        var job = Job("contained", $$"""
            echo "uid $(id -u) gid $(id -g)"
            if touch /written 2>/dev/null; then echo "the root is written"; else echo "the root is read-only"; fi
            if touch /tmp/written; then echo "/tmp is written"; fi
            if [ -e /var/run/secrets/kubernetes.io ]; then echo "a token"; else echo "no token"; fi
            {{Script(ways)}}
            echo "its gateway: $OPENAI_BASE_URL"
            ask() { wget -q -T 10 -O - --header "Authorization: Bearer $1" --header 'Content-Type: application/json' --post-data '{"model":"no-such-model","messages":[]}' "$OPENAI_BASE_URL/chat/completions" 2>&1 || true; }
            echo "without a token: $(ask none)"
            echo "with its token: $(ask "$OPENAI_API_KEY")"
            """);
        job["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Gate] = "true" };
        await CreateAsync(client, job);
        var log = await LogAsync(client, Names.RunsNamespace, "contained");
        TestContext.Current.TestOutputHelper?.WriteLine($"a run:\n{log}");
        foreach (var fact in (string[])["uid 1000 gid 1000", "the root is read-only", "/tmp is written", "no token", "its gateway: http://fabrik-gateway.", "without a token: wget: server returned error: HTTP/1.1 401"]) log.ShouldContain(fact);
        foreach (var (name, _, _) in ways) log.ShouldContain($"{name} is out of reach");
        log.ShouldMatch("with its token: wget: server returned error: HTTP/1.1 (?!401)[45]");
        (await GateAsync(client, "contained")).ShouldContain("is denied after");
    }

    /// <summary>One listens; one of the same value reaches it, one of another reaches the gateway alone.</summary>
    private static async Task PeersAsync(KubernetesClient client)
    {
        await CreateAsync(client, Peer("listens", "training", "httpd -f -p 8080 -h /tmp"));
        var address = await AddressAsync(client, Names.RunsNamespace, "listens");
        var until = $"tries=0; while ! reach it {address} 8080 | grep reached; do tries=$((tries+1)); [ $tries -lt 20 ] || exit 1; sleep 1; done";
        await CreateAsync(client, Peer("friend", "training", Reach + until));
        (await LogAsync(client, Names.RunsNamespace, "friend")).ShouldContain("it is reached");

        var stranger = Reach + $"gateway=${{OPENAI_BASE_URL#http://}}; for try in 1 2 3; do reach it {address} 8080; done; reach 'the gateway' ${{gateway%%:*}} 8080";
        await CreateAsync(client, Peer("stranger", "other", stranger));
        var log = await LogAsync(client, Names.RunsNamespace, "stranger");
        log.ShouldBe("it is out of reach\nit is out of reach\nit is out of reach\nthe gateway is reached\n");
    }

    private static string Script(List<(string Name, string Host, int Port)> ways) => Reach + string.Join('\n', ways.Select(way => $"reach '{way.Name}' {way.Host} {way.Port}"));

    private static JsonObject Job(string name, string script)
    {
        var job = Jobs.Named(name, "64Mi");
        job["spec"]!["template"]!["spec"]!["containers"]![0]!["command"] = new JsonArray("sh", "-ec", script);
        job["spec"]!["template"]!["spec"]!["terminationGracePeriodSeconds"] = 1;
        return job;
    }

    private static JsonObject Peer(string name, string peers, string script)
    {
        var job = Job(name, script);
        job["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Gate] = "true", [Names.Annotations.Peers] = peers };
        return job;
    }

    private static JsonObject Pod(string name, string script) => new()
    {
        ["metadata"] = new JsonObject { ["name"] = name },
        ["spec"] = Job(name, script)["spec"]!["template"]!["spec"]!.DeepClone(),
    };

    private static Task<KubeObject> CreateAsync(KubernetesClient client, JsonObject job, bool dryRun = false) =>
        client.CreateAsync(Kinds.Job, Names.RunsNamespace, job, Cancel, new WriteOptions { DryRun = dryRun });

    /// <summary>Of the Pod that runs, whose name begins so.</summary>
    private static Task<string> AddressAsync(KubernetesClient client, string ns, string begins) => Wait.ForAsync(
        $"the address of {ns}/{begins}",
        async () => await PodAsync(client, ns, begins) is { } pod && pod.Json.Text("status", "phase") == "Running" ? pod.Json.Text("status", "podIP") : null,
        TimeSpan.FromMinutes(2));

    private static async Task<string> LogAsync(KubernetesClient client, string ns, string begins)
    {
        var pod = await Wait.ForAsync(
            $"the end of {ns}/{begins}", async () => await PodAsync(client, ns, begins) is { } found && found.Json.Text("status", "phase") is "Succeeded" or "Failed" ? found : null, TimeSpan.FromMinutes(3));
        var log = await client.LogsAsync(ns, pod.Name, Cancel, "main");
        pod.Json.Text("status", "phase").ShouldBe("Succeeded", $"{log}\n{pod.Json.At("status")}");
        return log;
    }

    private static async Task<string> GateAsync(KubernetesClient client, string begins) =>
        await client.LogsAsync(Names.RunsNamespace, (await PodAsync(client, Names.RunsNamespace, begins))!.Name, Cancel, Names.Objects.GateContainer);

    private static async Task<KubeObject?> PodAsync(KubernetesClient client, string ns, string begins)
    {
        await foreach (var pod in client.ListAsync(Kinds.Pod, ns, Cancel))
            if (pod.Name.StartsWith(begins, StringComparison.Ordinal)) return pod;
        return null;
    }
}
