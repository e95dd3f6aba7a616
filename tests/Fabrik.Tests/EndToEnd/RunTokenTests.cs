using System.Text.Json.Nodes;
using Fabrik.Gateway;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.EndToEnd;

[Collection(ClusterFixture.Collection)]
public sealed class RunTokenTests(ClusterFixture cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_job_in_the_gateway_gets_a_token_beside_each_address_and_its_copy_another()
    {
        var ns = await cluster.NamespaceAsync("gateway", enabled: false, gateway: true);
        await KnownAsync(ns);

        var job = await cluster.Client.CreateAsync(Kinds.Job, ns, Jobs.Named("first"), Cancel);
        var copy = await cluster.Client.CreateAsync(Kinds.Job, ns, Jobs.Copied(job, "second"), Cancel);

        foreach (var one in (KubeObject[])[job, copy])
        {
            var given = one.Environment();
            given[Names.ClientVariables.OpenAiUrl].ShouldBe(new Uri(cluster.Gateway, "openai/v1").AbsoluteUri);
            given[Names.ClientVariables.AnthropicUrl].ShouldBe(new Uri(cluster.Gateway, "anthropic").AbsoluteUri);
            given[Names.ClientVariables.AnthropicKey].ShouldBe(given[Names.ClientVariables.OpenAiKey]);
            RunToken.Verify(given[Names.ClientVariables.OpenAiKey], cluster.RunTokenKeys, TimeProvider.System.GetUtcNow(), out var claims).ShouldBe(TokenVerdict.Valid);
            (claims!.RunId, claims.Namespace, claims.Arm).ShouldBe((one.Label(Names.Labels.RunId)!, ns, null));
        }

        copy.Label(Names.Labels.RunId).ShouldNotBe(job.Label(Names.Labels.RunId));
    }

    [Fact]
    public async Task The_same_manifest_applied_again_keeps_the_token()
    {
        var ns = await cluster.NamespaceAsync("gateway-apply", gateway: true);
        await KnownAsync(ns);
        var options = new WriteOptions { FieldManager = "e2e", Force = true };
        var manifest = Jobs.Named("applied");
        manifest["spec"]!["template"]!["spec"]!["containers"]![0]!["env"] = new JsonArray(new JsonObject { ["name"] = "A", ["value"] = "1" });
        var first = await cluster.Client.PatchAsync(Kinds.Job, ns, "applied", PatchType.Apply, manifest.DeepClone(), Cancel, options);

        var again = await cluster.Client.PatchAsync(Kinds.Job, ns, "applied", PatchType.Apply, manifest.DeepClone(), Cancel, options);
        var replaced = first.ToNode();
        replaced["spec"]!["template"]!["spec"]!["containers"]![0]!["env"] = new JsonArray(new JsonObject { ["name"] = "A", ["value"] = "1" });
        replaced["metadata"]!.AsObject().Remove("resourceVersion");
        var put = await cluster.Client.PatchAsync(Kinds.Job, ns, "applied", PatchType.Merge, new JsonObject { ["spec"] = replaced["spec"]!.DeepClone() }, Cancel);

        first.Environment().Count.ShouldBe(5);
        again.Environment().ShouldBe(first.Environment());
        put.Environment().ShouldBe(first.Environment());
    }

    [Fact]
    public async Task A_job_goes_in_and_out_of_the_gateway_by_its_annotation_whatever_is_optimised()
    {
        var (open, closed) = (await cluster.NamespaceAsync("gateway-out", gateway: true), await cluster.NamespaceAsync("gateway-in", enabled: false));
        await KnownAsync(open);
        await KnownAsync(closed);

        foreach (var (ns, said, given) in ((string, string?, bool)[])[(open, null, true), (open, "false", false), (closed, null, false), (closed, "true", true)])
        {
            var job = await cluster.Client.CreateAsync(Kinds.Job, ns, Annotated(said ?? "silent", said), Cancel);
            job.Environment().ContainsKey(Names.ClientVariables.OpenAiKey).ShouldBe(given, $"{ns} {said}");
        }
    }

    /// <summary>A Job that comes in the same instant as its namespace is left alone: the webhook has not heard of the namespace yet.</summary>
    private Task KnownAsync(string ns) => Wait.UntilAsync("the webhook to know the namespace", async () =>
        (await cluster.Client.CreateAsync(Kinds.Job, ns, Annotated("probe", "true"), Cancel, new WriteOptions { DryRun = true })).Environment().GetValueOrDefault(Names.ClientVariables.OpenAiKey) == RunToken.DryRun);

    private static JsonObject Annotated(string name, string? gateway)
    {
        var job = Jobs.Named("job-" + name);
        if (gateway is not null) job["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Gateway] = gateway };
        return job;
    }
}
