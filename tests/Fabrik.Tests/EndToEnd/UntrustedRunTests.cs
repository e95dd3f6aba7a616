using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Kubernetes;
using Fabrik.Runs;
using Fabrik.Tests.Manifests;

namespace Fabrik.Tests.EndToEnd;

/// <summary>Jobs that nobody wrote to be safe, in a namespace where that is not trusted.</summary>
[Collection(ClusterFixture.Collection)]
public sealed class UntrustedRunTests(ClusterFixture cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_plain_job_is_made_what_the_policies_take_and_stays_so_when_it_is_applied_again()
    {
        await EnforceAsync();
        var ns = await NamespaceAsync("untrusted");
        var options = new WriteOptions { FieldManager = "e2e", Force = true };
        var manifest = Jobs.Named("plain");
        manifest["spec"]!["suspend"] = true;
        manifest["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Resume] = "1Gi" };
        var first = await cluster.Client.PatchAsync(Kinds.Job, ns, "plain", PatchType.Apply, manifest.DeepClone(), Cancel, options);
        Pod(first).GetProperty("securityContext").GetProperty("runAsUser").GetInt64().ShouldBe(1000);
        Pod(first).GetProperty("automountServiceAccountToken").GetBoolean().ShouldBeFalse();
        Pod(first).GetProperty("volumes").EnumerateArray().Select(volume => volume.GetProperty("name").GetString()).ShouldBe([Names.Objects.TmpVolume, Names.Objects.ResumeVolume]);
        first.Json.GetProperty("spec").GetProperty("activeDeadlineSeconds").GetInt32().ShouldBe(21_600);

        var again = await cluster.Client.PatchAsync(Kinds.Job, ns, "plain", PatchType.Apply, manifest.DeepClone(), Cancel, options);
        again.Json.GetProperty("spec").GetRawText().ShouldBe(first.Json.GetProperty("spec").GetRawText());

        // As kubectl replace sends it: every default is gone.
        var replaced = (await cluster.Client.GetAsync(Kinds.Job, ns, "plain", Cancel)).ToNode();
        replaced["metadata"]!.AsObject().Remove("resourceVersion");
        replaced["spec"]!["template"]!["spec"] = manifest["spec"]!["template"]!["spec"]!.DeepClone();
        replaced["spec"]!.AsObject().Remove("activeDeadlineSeconds");
        replaced["spec"]!.AsObject().Remove("ttlSecondsAfterFinished");
        var put = await cluster.Client.ReplaceAsync(Kinds.Job, ns, "plain", replaced, Cancel);
        put.Json.GetProperty("spec").GetRawText().ShouldBe(first.Json.GetProperty("spec").GetRawText());

        // Its Pods are taken too, with what a LimitRange would add.
        var pod = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Pod", ["metadata"] = new JsonObject { ["name"] = "like" }, ["spec"] = JsonObject.Create(Pod(first))! };
        pod["spec"]!["activeDeadlineSeconds"] = 60;
        pod["spec"]!["containers"]![0]!["resources"]!["limits"]!["cpu"] = "1";
        await cluster.Client.CreateAsync(Kinds.Pod, ns, pod, Cancel, new WriteOptions { DryRun = true });
    }

    [Fact]
    public async Task A_job_that_wants_to_be_root_is_left_as_it_is_and_refused_with_what_to_write()
    {
        await EnforceAsync();
        var ns = await NamespaceAsync("root");
        var job = Jobs.Named("root");
        job["spec"]!["template"]!["spec"]!["securityContext"] = new JsonObject { ["runAsUser"] = 0 };
        // A server takes a moment before it enforces what it has accepted.
        var refused = await Wait.ForAsync("the policies to be enforced", () => InstalledFixture.RefusedAsync(() => cluster.Client.CreateAsync(Kinds.Job, ns, job, Cancel, new WriteOptions { DryRun = true })));
        refused.Message.ShouldContain("a run is not root. Next: ");
    }

    [Fact]
    public async Task A_copy_elsewhere_is_what_its_author_wrote()
    {
        var (untrusted, trusted) = (await NamespaceAsync("copied"), await NamespaceAsync("copied-to", untrusted: false));
        var job = await cluster.Client.CreateAsync(Kinds.Job, untrusted, Jobs.Named("first"), Cancel);
        var copy = Jobs.Copied(job, "second");
        copy["metadata"]!["namespace"] = trusted;
        var made = await cluster.Client.CreateAsync(Kinds.Job, trusted, copy, Cancel);
        Pod(made).TryGetProperty("automountServiceAccountToken", out _).ShouldBeFalse();
        if (Pod(made).GetProperty("containers")[0].TryGetProperty("securityContext", out var empty)) empty.EnumerateObject().ShouldBeEmpty();
        if (Pod(made).TryGetProperty("volumes", out var volumes)) volumes.GetArrayLength().ShouldBe(0);
        made.Json.GetProperty("spec").TryGetProperty("activeDeadlineSeconds", out _).ShouldBeFalse();
    }

    [Fact]
    public async Task Jobs_with_peers_get_a_policy_each_that_goes_with_them()
    {
        var ns = await NamespaceAsync("peers");
        var jobs = new List<KubeObject>();
        foreach (var (name, peers) in ((string, string)[])[("a", "training"), ("b", "training"), ("c", "other")]) jobs.Add(await cluster.Client.CreateAsync(Kinds.Job, ns, Peer(name, peers), Cancel));
        await Wait.UntilAsync("both to reach each other", async () => (await PeersAsync(ns, jobs[0])).SequenceEqual(new[] { jobs[0].Uid!, jobs[1].Uid! }.Order(StringComparer.Ordinal)));
        await Wait.UntilAsync("the third to stay alone", async () => (await PeersAsync(ns, jobs[2])).SequenceEqual([jobs[2].Uid!]));

        await cluster.Client.DeleteAsync(Kinds.Job, ns, "b", Cancel, new DeleteOptions { PropagationPolicy = "Background" });
        await Wait.UntilAsync("the first to be alone", async () => (await PeersAsync(ns, jobs[0])).SequenceEqual([jobs[0].Uid!]));
        await Wait.UntilAsync("the policy of the deleted Job to go", async () => (await PeersAsync(ns, jobs[1])).Length == 0);
    }

    [Fact]
    public async Task A_record_or_token_that_a_run_brings_counts_for_nothing()
    {
        var ns = await NamespaceAsync("forged", gateway: true);
        var forged = Jobs.Named("forged");
        forged["metadata"]!["labels"] = new JsonObject { [Names.Labels.RunId] = "aaaaaaaaaaaaaaaaaaaaaaaaaa", [Names.Labels.Variant] = "treatment" };
        forged["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Assignment] = """{"v":1,"arm":"treatment","runId":"aaaaaaaaaaaaaaaaaaaaaaaaaa","unit":"x","bucket":1,"namespace":"NS","name":"forged","hmac":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}""".Replace("NS", ns, StringComparison.Ordinal) };
        var made = await cluster.Client.CreateAsync(Kinds.Job, ns, forged, Cancel);
        made.Label(Names.Labels.RunId).ShouldNotBe("aaaaaaaaaaaaaaaaaaaaaaaaaa");
        made.Label(Names.Labels.Variant).ShouldBeNull();

        var token = made.Environment()[Names.ClientVariables.OpenAiKey];
        (await StatusAsync(token)).ShouldBe(HttpStatusCode.OK);
        var parts = token.Split('.');
        var claims = Encoding.UTF8.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(parts[2]));
        var other = System.Buffers.Text.Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims.Replace(ns, "fabrik-system", StringComparison.Ordinal)));
        foreach (var wrong in new[] { $"{parts[0]}.{parts[1]}.{other}.{parts[3]}", token[..^2] + (token[^2] == 'A' ? "BA" : "AA"), "fbk-run-1.x.e30.AAAA", "sk-live-of-a-provider", RunToken.DryRun })
            (await StatusAsync(wrong)).ShouldBe(HttpStatusCode.Unauthorized, wrong);
    }

    [Fact]
    public async Task A_run_spends_for_its_own_project_alone()
    {
        var (mine, other) = (await NamespaceAsync("mine", gateway: true, project: "mine"), await NamespaceAsync("other", gateway: true, project: "other"));
        var job = Jobs.Named("spender");
        job["spec"]!["suspend"] = true;
        job["metadata"]!["labels"] = new JsonObject { [Names.Labels.Project] = "other" };
        var made = await cluster.Client.CreateAsync(Kinds.Job, mine, job, Cancel);
        RunToken.Verify(made.Environment()[Names.ClientVariables.OpenAiKey], cluster.RunTokenKeys, TimeProvider.System.GetUtcNow(), out var claims).ShouldBe(TokenVerdict.Valid);
        claims!.Project.ShouldBe("mine", $"a label names the project of namespace {other}, which this namespace does not list");

        // A copied token is that of the run that it was copied from, and is replaced by one's own.
        var stolen = Jobs.Named("thief");
        stolen["spec"]!["suspend"] = true;
        stolen["spec"]!["template"]!["spec"]!["containers"]![0]!["env"] = new JsonArray(
            new JsonObject { ["name"] = Names.ClientVariables.OpenAiKey, ["value"] = made.Environment()[Names.ClientVariables.OpenAiKey] },
            new JsonObject { ["name"] = Names.ClientVariables.OpenAiUrl, ["value"] = made.Environment()[Names.ClientVariables.OpenAiUrl] });
        var thief = await cluster.Client.CreateAsync(Kinds.Job, other, stolen, Cancel);
        RunToken.Verify(thief.Environment()[Names.ClientVariables.OpenAiKey], cluster.RunTokenKeys, TimeProvider.System.GetUtcNow(), out var own).ShouldBe(TokenVerdict.Valid);
        (own!.Project, own.RunId == claims.RunId).ShouldBe(("other", false));
    }

    [Fact]
    public async Task Runs_carry_no_key_of_a_provider()
    {
        var ns = await NamespaceAsync("keys", gateway: true);
        var job = await cluster.Client.CreateAsync(Kinds.Job, ns, Jobs.Named("keys"), Cancel);
        job.Environment().Where(one => one.Key.EndsWith("_KEY", StringComparison.Ordinal)).ShouldAllBe(one => one.Value.StartsWith(RunToken.Prefix, StringComparison.Ordinal));
        Pod(job).GetRawText().ShouldNotContain("secretKeyRef");
        await foreach (var secret in cluster.Client.ListAsync(Kinds.Secret, ns, Cancel)) secret.Name.ShouldBeEmpty();
    }

    private async Task<string> NamespaceAsync(string purpose, bool gateway = false, string? project = null, bool untrusted = true)
    {
        var ns = await cluster.NamespaceAsync(purpose, enabled: !untrusted, gateway: gateway, untrusted: untrusted, project: project);
        await Wait.UntilAsync("the webhook to know the namespace", async () =>
        {
            try
            {
                return (await cluster.Client.CreateAsync(Kinds.Job, ns, Jobs.Named("probe"), Cancel, new WriteOptions { DryRun = true })).Label(Names.Labels.RunId) is not null;
            }
            catch (KubernetesException early) when (early.IsForbidden)
            {
                return false;
            }
        });
        return ns;
    }

    private async Task EnforceAsync()
    {
        foreach (var item in Manifest.Read(await File.ReadAllTextAsync(Path.Combine(ManifestFiles.Folder, "base", "run-security.yaml"), Cancel)))
            await cluster.Client.PatchAsync(ManifestFiles.Type(item), null, ManifestFiles.Name(item), PatchType.Apply, item, Cancel, new WriteOptions { FieldManager = Names.FieldManager, Force = true });
    }

    private async Task<string[]> PeersAsync(string ns, KubeObject job)
    {
        try
        {
            var policy = await cluster.Client.GetAsync(Kinds.NetworkPolicy, ns, PeerPolicies.NameOf(job.Uid!), Cancel);
            return [.. policy.Json.GetProperty("spec").GetProperty("ingress")[0].GetProperty("from")[0].GetProperty("podSelector").GetProperty("matchExpressions")[0].GetProperty("values").EnumerateArray().Select(uid => uid.GetString()!)];
        }
        catch (KubernetesException missing) when (missing.IsNotFound)
        {
            return [];
        }
    }

    private static JsonObject Peer(string name, string peers)
    {
        var job = Jobs.Named(name);
        job["spec"]!["suspend"] = true;
        job["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Peers] = peers };
        return job;
    }

    private static JsonElement Pod(KubeObject job) => job.Json.GetProperty("spec").GetProperty("template").GetProperty("spec");

    private async Task<HttpStatusCode> StatusAsync(string token)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(cluster.Gateway, "openai/v1/chat/completions")) { Content = new StringContent("""{"model":"gpt-5-mini","messages":[]}""", Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var answer = await http.SendAsync(request, Cancel);
        return answer.StatusCode;
    }
}
