using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.EndToEnd;

[Collection(ClusterFixture.Collection)]
public sealed class ModelCallTests(ClusterFixture cluster)
{
    /// <summary>What a container does and a simulated node plays: three calls, with what the container was given.</summary>
    private const string Calls = """
        for call in 1 2 3; do
          wget -q -O - --header "Authorization: Bearer $OPENAI_API_KEY" --header 'Content-Type: application/json' \
            --post-data '{"model":"gpt-5-mini","messages":[{"role":"user","content":"hello"}]}' "$OPENAI_BASE_URL/chat/completions"
        done
        """;

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

    [Fact]
    public async Task Treated_jobs_of_a_model_experiment_call_another_model_than_they_name_and_no_other_job_does()
    {
        var ns = await cluster.NamespaceAsync("model-trial", gateway: true, permit: "model");
        var change = await cluster.ExperimentAsync($"model-{ns}", "experiment_running", new JsonObject
        {
            ["type"] = "model",
            ["target"] = new JsonObject { ["namespaces"] = new JsonArray(ns), ["model"] = "gpt-5-mini" },
            ["change"] = new JsonObject { ["model"] = "gpt-4o-mini" },
        });
        await Wait.UntilAsync("the webhook to see the change", async () => (await CreateAsync(ns, "probe", dryRun: true)).Arm() is "treatment" or "control");
        var jobs = new Dictionary<string, KubeObject>(StringComparer.Ordinal);
        for (var number = 0; number < 100 && !(jobs.ContainsKey("treatment") && jobs.ContainsKey("control")); number++)
        {
            var job = await CreateAsync(ns, $"caller-{number}");
            jobs.TryAdd(job.Arm()!, job);
        }

        (await ShownAsync(jobs["treatment"], "gpt-4o-mini")).ShouldContain("gpt-4o-mini (named gpt-5-mini)");
        (await ShownAsync(jobs["control"], "gpt-5-mini")).ShouldNotContain("gpt-4o-mini");
        await cluster.EndAsync(change);

        async Task<string> ShownAsync(KubeObject job, string called)
        {
            var shown = "";
            await Wait.UntilAsync($"the calls of {job.Name} in the ledger", async () => (shown = (await cluster.FabrikAsync("runs", "show", job.Name, "-n", ns)).Out).Contains(called, StringComparison.Ordinal));
            return shown;
        }
    }

    [Fact]
    public async Task A_job_that_is_in_the_gateway_alone_is_shown_with_its_tokens_and_its_token_dies_with_it_while_that_of_a_suspended_one_lives()
    {
        var ns = await cluster.NamespaceAsync("models-only", enabled: false, gateway: true);
        await Wait.UntilAsync("the webhook to know the namespace", async () => (await CreateAsync(ns, "probe", dryRun: true)).Environment().ContainsKey(Names.ClientVariables.OpenAiKey));
        var waiting = (await CreateAsync(ns, "waiting", suspend: true)).Environment()[Names.ClientVariables.OpenAiKey];
        var dying = (await CreateAsync(ns, "caller")).Environment()[Names.ClientVariables.OpenAiKey];

        await Wait.UntilAsync("the Job to end", async () => (await cluster.FabrikAsync("runs", "show", "caller", "-n", ns)).Out.Contains("succeeded", StringComparison.Ordinal));
        await Wait.UntilAsync("the token to be refused", async () => await StatusAsync(dying) == HttpStatusCode.Unauthorized, TimeSpan.FromSeconds(10));
        (await StatusAsync(waiting)).ShouldBe(HttpStatusCode.OK);
        await Wait.UntilAsync("the calls in the ledger", async () => (await cluster.FabrikAsync("runs", "show", "caller", "-n", ns)).Out.Contains("gpt-5-mini", StringComparison.Ordinal));

        await cluster.Client.DeleteAsync(Kinds.Job, ns, "waiting", Cancel);
        await Wait.UntilAsync("the token of the deleted Job to be refused", async () => await StatusAsync(waiting) == HttpStatusCode.Unauthorized, TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task The_gateway_is_found_shown_and_tested_with_a_kubeconfig_alone()
    {
        var status = await cluster.FabrikAsync("gateway", "status");
        status.Code.ShouldBe(0, status.Error);
        status.Out.ShouldContain("serving");
        var test = await cluster.FabrikAsync("gateway", "test", "openai");
        test.Code.ShouldBe(0, test.Error);
        test.Out.Split("answered").Length.ShouldBe(3);
    }

    private async Task<HttpStatusCode> StatusAsync(string token)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(cluster.Gateway, "openai/v1/chat/completions")) { Content = new StringContent("""{"model":"gpt-5-mini","messages":[]}""", Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var answer = await http.SendAsync(request, Cancel);
        return answer.StatusCode;
    }

    private Task<KubeObject> CreateAsync(string ns, string name, bool dryRun = false, bool suspend = false)
    {
        var job = Jobs.Named(name);
        job["spec"]!["suspend"] = suspend;
        job["spec"]!["template"]!["metadata"]!["annotations"]![Names.Annotations.SandboxModelCalls] = "3 gpt-5-mini";
        job["spec"]!["template"]!["spec"]!["containers"]![0]!["command"] = new JsonArray("sh", "-ec", Calls);
        return cluster.Client.CreateAsync(Kinds.Job, ns, job, Cancel, new WriteOptions { DryRun = dryRun });
    }
}
