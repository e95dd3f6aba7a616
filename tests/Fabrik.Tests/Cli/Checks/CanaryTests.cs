using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Cli.Checks;

/// <summary>What checks make, and that it goes again.</summary>
public sealed class CanaryTests : IAsyncLifetime
{
    private readonly ClusterOfObjects cluster = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => cluster.InitializeAsync();

    public ValueTask DisposeAsync() => cluster.DisposeAsync();

    [Fact]
    public async Task What_a_killed_check_left_is_swept_at_the_next_start_and_that_of_a_running_one_is_not()
    {
        await PlantAsync("dead", $"{Environment.MachineName}/{int.MaxValue}");
        await PlantAsync("alive", $"{Environment.MachineName}/{Environment.ProcessId}");
        await PlantAsync("elsewhere", "another-machine/1");

        (await CheckRun.Of(cluster.Kubeconfig, ["--category", "leftovers"])).With("failed").ShouldBeEmpty();
        (await NamespacesAsync()).ShouldBe(["alive", "elsewhere"], ignoreOrder: true);

        // By the clock of ten minutes later no check can still need them.
        await CheckRun.Of(cluster.Kubeconfig, ["--category", "leftovers"], new WrongClock(TimeSpan.FromMinutes(11)));
        (await NamespacesAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_canary_that_may_not_be_deleted_is_told_and_fails_the_check()
    {
        await PlantAsync("dead", $"{Environment.MachineName}/{int.MaxValue}");
        var user = await cluster.UserAsync("watcher", "get");
        await PermitAsync("watcher", "namespaces", "get", "list", "create");

        var run = await CheckRun.Of(user, ["--category", "leftovers"]);

        run.Code.ShouldBe(20);
        run.Checks["FAB-3284"].Status.ShouldBe("failed");
        run.Checks["FAB-3284"].Detail.ShouldNotBeNull().ShouldStartWith("could not be deleted: namespaces dead: ");
        run.Error.ShouldContain("still there, and to be deleted by hand: namespaces dead: ");
    }

    [Fact]
    public async Task An_interrupted_check_takes_its_canaries_with_it()
    {
        await ServiceAsync();
        using var interrupt = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var (output, error) = (new StringWriter(), new StringWriter());
        var running = Fabrik.Cli.FabrikCommand.RunAsync(
            ["check", "--pre", "--category", "network-policy", "--kubeconfig", cluster.Kubeconfig], new Fabrik.Cli.Output.Terminal(output, error) { Variable = _ => null }, TimeProvider.System, interrupt.Token);
        await Wait.UntilAsync("the canaries", async () => (await NamespacesAsync()).Count == 2);

        await interrupt.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(running);
        await Wait.UntilAsync("the canaries to go", async () => (await NamespacesAsync()).Count == 0);
    }

    [Theory]
    [InlineData("no", "passed")]
    [InlineData("yes", "failed")]
    public async Task Network_policies_are_judged_by_what_pods_say_that_tried(string reached, string expected)
    {
        await ServiceAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var kubelet = PlayAsync(reached, stop.Token);

        var run = await CheckRun.Of(cluster.Kubeconfig, ["--pre", "--category", "network-policy"]);

        run.Checks["FAB-3252"].Status.ShouldBe(expected, run.Checks["FAB-3252"].Detail);
        run.Checks["FAB-3253"].Status.ShouldBe(expected);
        run.Checks["FAB-3254"].Status.ShouldBe(reached == "yes" ? "failed" : "unproven");
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(kubelet);
    }

    [Fact]
    public async Task Where_no_pod_runs_nothing_is_proved()
    {
        await ServiceAsync();
        var run = await CheckRun.Of(cluster.Kubeconfig, ["--pre", "--category", "network-policy"]);

        run.With("unproven").ShouldBe(["FAB-3252", "FAB-3253", "FAB-3254"]);
        run.Checks["FAB-3252"].Detail.ShouldNotBeNull().ShouldContain("did not get to run within ");
        run.Code.ShouldBe(0);
    }

    /// <summary>Says what canary Pods would have found: everything where there is no policy, else as told. The metadata address answers nobody.</summary>
    private async Task PlayAsync(string reached, CancellationToken ct)
    {
        var played = new HashSet<string>(StringComparer.Ordinal);
        while (true)
        {
            await foreach (var pod in cluster.Client.ListAsync(Kinds.Pod, null, ct, new ListOptions { LabelSelector = Names.Labels.Check }))
            {
                if (!played.Add(pod.Key)) continue;
                var closed = pod.Namespace!.Contains("closed", StringComparison.Ordinal);
                var answer = closed ? reached : "yes";
                var status = pod.Name.Contains("listens", StringComparison.Ordinal)
                    ? new JsonObject { ["phase"] = "Running", ["podIP"] = "10.0.0.7" }
                    : new JsonObject
                    {
                        ["phase"] = "Succeeded",
                        ["containerStatuses"] = new JsonArray(new JsonObject
                        {
                            ["name"] = "canary",
                            ["image"] = "x",
                            ["imageID"] = "x",
                            ["ready"] = false,
                            ["restartCount"] = 0,
                            ["state"] = new JsonObject { ["terminated"] = new JsonObject { ["exitCode"] = 0, ["message"] = $"peer={answer}\napi-server={answer}\nmetadata={(closed && reached == "yes" ? "yes" : "no")}\n" } },
                        }),
                    };
                await cluster.Client.PatchAsync(Kinds.Pod, pod.Namespace, pod.Name, PatchType.Merge, new JsonObject { ["status"] = status }, ct, new WriteOptions { Subresource = "status" });
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, ct);
        }
    }

    private Task ServiceAsync() => cluster.Client.CreateAsync(Kinds.Service, "default", new JsonObject
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Service",
        ["metadata"] = new JsonObject { ["name"] = "kubernetes" },
        ["spec"] = new JsonObject { ["clusterIP"] = "10.96.0.1", ["ports"] = new JsonArray(new JsonObject { ["port"] = 443 }) },
    }, Cancel);

    private Task PlantAsync(string name, string by) => cluster.Client.CreateAsync(Kinds.Namespace, null, new JsonObject
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Namespace",
        ["metadata"] = new JsonObject { ["name"] = name, ["labels"] = new JsonObject { [Names.Labels.Check] = "0badcafe" }, ["annotations"] = new JsonObject { [Names.Annotations.CheckBy] = by } },
    }, Cancel);

    private async Task PermitAsync(string account, string resource, params string[] verbs)
    {
        var rules = new JsonArray(new JsonObject { ["apiGroups"] = new JsonArray(""), ["resources"] = new JsonArray(resource), ["verbs"] = new JsonArray([.. verbs.Select(verb => (JsonNode)verb)]) });
        await cluster.Client.CreateAsync(new ResourceKind("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false), null, new JsonObject { ["apiVersion"] = "rbac.authorization.k8s.io/v1", ["kind"] = "ClusterRole", ["metadata"] = new JsonObject { ["name"] = account }, ["rules"] = rules }, Cancel);
        await cluster.Client.CreateAsync(new ResourceKind("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false), null, new JsonObject
        {
            ["apiVersion"] = "rbac.authorization.k8s.io/v1",
            ["kind"] = "ClusterRoleBinding",
            ["metadata"] = new JsonObject { ["name"] = account },
            ["roleRef"] = new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "ClusterRole", ["name"] = account },
            ["subjects"] = new JsonArray(new JsonObject { ["kind"] = "ServiceAccount", ["name"] = account, ["namespace"] = Names.SystemNamespace }),
        }, Cancel);
    }

    private async Task<List<string>> NamespacesAsync()
    {
        var found = new List<string>();
        await foreach (var ns in cluster.Client.ListAsync(Kinds.Namespace, null, Cancel, new ListOptions { LabelSelector = Names.Labels.Check })) if (ns.DeletionTimestamp is null) found.Add(ns.Name);
        return found;
    }
}
