using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Kubernetes;
using Fabrik.Tests.Cli;

namespace Fabrik.Tests.Untrusted;

/// <summary><c>fabrik run</c> where the policies of untrusted runs are in force and the webhook is away.</summary>
[Collection(SecurityCluster.Collection)]
public sealed class RunCommandTests(SecurityCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Without_the_webhook_a_run_gets_the_default_deadline_and_the_command_says_so_and_how_to_choose_another()
    {
        var ns = await cluster.NamespaceAsync("run");

        var run = await RunAsync(ns, "default");
        run.Code.ShouldBe(0, run.Error);
        run.Error.ShouldContain("the webhook, which gives runs their deadline, is away");
        run.Error.ShouldContain("ended after 21600 seconds at most");
        run.Error.ShouldContain("--deadline SECONDS for another");
        (await DeadlineAsync(ns, "default")).ShouldBe(21_600);

        var chosen = await RunAsync(ns, "chosen", "--deadline", "600");
        chosen.Code.ShouldBe(0, chosen.Error);
        chosen.Error.ShouldNotContain("deadline");
        (await DeadlineAsync(ns, "chosen")).ShouldBe(600);
    }

    [Fact]
    public async Task What_the_policy_says_of_runs_counts_for_the_command_too()
    {
        var ns = await cluster.NamespaceAsync("run-policy");
        var runs = new JsonObject { ["activeDeadlineSeconds"] = 1200, ["registries"] = new JsonArray("ghcr.io/example") };
        var policy = new JsonObject { ["apiVersion"] = Names.ApiVersion, ["kind"] = "OptimizerPolicy", ["metadata"] = new JsonObject { ["name"] = Names.PolicyName }, ["spec"] = new JsonObject { ["runs"] = runs.DeepClone() } };
        await cluster.Client.PatchAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, PatchType.Apply, policy, Cancel, new WriteOptions { FieldManager = "security-tests", Force = true });
        try
        {
            await cluster.KnownAsync(runs);

            var run = await RunAsync(ns, "protected");
            run.Code.ShouldBe(0, run.Error);
            run.Error.ShouldContain("which makes root file systems read-only");
            (await DeadlineAsync(ns, "protected")).ShouldBe(1200);
            var foreign = await Command.RunAsync(["run", "--image", "elsewhere.example/x", "--detach", "-n", ns, "--kubeconfig", cluster.Kubeconfig]);
            foreign.Code.ShouldNotBe(0);
            foreign.Error.ShouldContain("images of runs come from ghcr.io/example");
        }
        finally
        {
            await cluster.Client.DeleteAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, Cancel);
        }
    }

    [Fact]
    public async Task Where_runs_are_trusted_none_is_set_unless_it_is_asked_for()
    {
        var ns = await cluster.NamespaceAsync("run-trusted", untrusted: false);

        (await RunAsync(ns, "free")).Code.ShouldBe(0);
        (await RunAsync(ns, "bound", "--deadline", "60")).Code.ShouldBe(0);
        (await DeadlineAsync(ns, "free")).ShouldBeNull();
        (await DeadlineAsync(ns, "bound")).ShouldBe(60);
        (await RunAsync(ns, "never", "--deadline", "0")).Error.ShouldContain("FAB-1106");
    }

    private Task<Command> RunAsync(string ns, string name, params string[] more) =>
        Command.RunAsync(["run", "--image", "ghcr.io/example/run:1", "--name", name, "--detach", "-n", ns, "--kubeconfig", cluster.Kubeconfig, .. more]);

    private async Task<long?> DeadlineAsync(string ns, string name) => (await cluster.Client.GetAsync(Kinds.Job, ns, name, Cancel)).Json.Whole("spec", "activeDeadlineSeconds");
}
