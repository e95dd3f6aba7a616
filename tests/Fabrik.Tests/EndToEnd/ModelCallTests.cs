using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.EndToEnd;

[Collection(ClusterFixture.Collection)]
public sealed class ModelCallTests(ClusterFixture cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_job_that_calls_a_model_with_what_it_was_given_is_shown_with_its_tokens_and_their_cost()
    {
        var ns = await cluster.NamespaceAsync("models", gateway: true);
        await Wait.UntilAsync("the webhook to know the namespace", async () => (await CreateAsync(ns, "probe", dryRun: true)).Environment().ContainsKey(Names.ClientVariables.OpenAiKey));
        await CreateAsync(ns, "caller");

        var shown = "";
        await Wait.UntilAsync("the calls in the ledger", async () =>
        {
            var answer = await cluster.FabrikAsync("runs", "show", "caller", "-n", ns);
            shown = answer.Out;
            return answer.Code == 0 && shown.Contains("cost:", StringComparison.Ordinal) && shown.Contains("gpt-5-mini", StringComparison.Ordinal) && !shown.Contains("1 call,", StringComparison.Ordinal);
        });
        shown.ShouldContain("USD");
        (await cluster.FabrikAsync("gateway", "usage", "--by", "model")).Out.ShouldContain("gpt-5-mini");
    }

    private Task<KubeObject> CreateAsync(string ns, string name, bool dryRun = false)
    {
        var job = Jobs.Named(name);
        job["spec"]!["template"]!["metadata"]!["annotations"]![Names.Annotations.SandboxModelCalls] = "3 gpt-5-mini";
        return cluster.Client.CreateAsync(Kinds.Job, ns, job, Cancel, new WriteOptions { DryRun = dryRun });
    }
}
