using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Server;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Untrusted;

/// <summary>manifests/base/run-security.yaml on an API server, the sandbox's or that of FABRIK_E2E_KUBECONFIG, as tests/testdata/security/cases.yaml says.</summary>
[Collection(SecurityCluster.Collection)]
public sealed class RunSecurityTests(SecurityCluster cluster)
{
    private int stored;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact(Timeout = 300_000)]
    public async Task What_is_not_safe_is_refused_with_the_reason_and_what_is_safe_is_taken()
    {
        var table = Yaml.Object(TestData.Bytes("security/cases.yaml"));
        var ns = await cluster.NamespaceAsync("cases");
        var wrong = new List<string>();
        string? policy = null;
        foreach (var one in table["cases"]!.AsArray().Select(row => row!.AsObject()))
        {
            var wanted = one["policy"]?.ToJsonString();
            if (wanted != policy) await PolicyAsync(one["policy"] as JsonObject);
            policy = wanted;
            var said = await RefusalAsync(table["objects"]!, one, ns);
            var (by, part) = ((string?)one["refused"], (string?)one["says"]);
            if (by is null ? said is not null : said?.Contains($"'{by}'", StringComparison.Ordinal) != true || !said.Contains(part!, StringComparison.Ordinal))
                wrong.Add($"{one["name"]}: expected {by ?? "accepted"}, got {said ?? "accepted"}");
            if (by is not null && said?.Contains("Next: ", StringComparison.Ordinal) != true) wrong.Add($"{one["name"]}: the refusal names no next step");
        }

        if (policy is not null) await PolicyAsync(null);
        wrong.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_namespace_of_trusted_runs_is_left_alone()
    {
        var ns = await cluster.NamespaceAsync("trusted", untrusted: false);
        var table = Yaml.Object(TestData.Bytes("security/cases.yaml"));
        foreach (var one in table["cases"]!.AsArray().Select(row => row!.AsObject()).Where(row => row["then"] is null && row["refused"] is not null))
            (await RefusalAsync(table["objects"]!, one, ns)).ShouldBeNull((string)one["name"]!);
    }

    private async Task<string?> RefusalAsync(JsonNode objects, JsonObject one, string ns)
    {
        var kind = (string)one["of"]! switch { "Pod" => Kinds.Pod, "Job" => Kinds.Job, _ => Kinds.NetworkPolicy };
        var item = Edited(objects[(string)one["of"]!]!.AsObject(), one["edit"], ns);

        // Each of its own name: what was deleted may be there for a moment yet.
        var name = one["then"] is null ? (string)item["metadata"]!["name"]! : $"run-{stored++}";
        item["metadata"]!["name"] = name;
        try
        {
            if (one["then"] is null)
            {
                await cluster.Client.CreateAsync(kind, ns, item, Cancel, new WriteOptions { DryRun = true });
                return null;
            }

            await cluster.Client.CreateAsync(kind, ns, item, Cancel);
            var known = await cluster.Client.GetAsync(kind, ns, name, Cancel);
            await cluster.Client.ReplaceAsync(kind, ns, name, Edited(known.ToNode(), one["then"], ns), Cancel, new WriteOptions { DryRun = true });
            return null;
        }
        catch (KubernetesException refused)
        {
            return refused.Message;
        }
        finally
        {
            if (one["then"] is not null) await cluster.Client.DeleteAsync(kind, ns, name, Cancel, new DeleteOptions { GracePeriodSeconds = 0 });
        }
    }

    /// <summary>Null: there is none. A server takes a moment to know it, so it is asked until it refuses, or no longer does, what it should.</summary>
    private async Task PolicyAsync(JsonObject? runs)
    {
        if (runs is null)
        {
            await cluster.Client.DeleteAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, Cancel);
            return;
        }

        var policy = new JsonObject { ["apiVersion"] = Names.ApiVersion, ["kind"] = "OptimizerPolicy", ["metadata"] = new JsonObject { ["name"] = Names.PolicyName }, ["spec"] = new JsonObject { ["runs"] = runs.DeepClone() } };
        await cluster.Client.PatchAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, PatchType.Apply, policy, Cancel, new WriteOptions { FieldManager = "security-tests", Force = true });
        await cluster.KnownAsync(runs);
    }

    private static JsonObject Edited(JsonObject item, JsonNode? edits, string ns)
    {
        item = JsonNode.Parse(item.ToJsonString())!.AsObject();
        foreach (var (pointer, value) in edits?.AsObject() ?? [])
        {
            var segments = pointer[1..].Split('/').Select(segment => segment.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)).ToArray();
            JsonNode parent = item;
            foreach (var segment in segments[..^1]) parent = parent is JsonArray list ? list[int.Parse(segment)]! : parent[segment] ??= new JsonObject();
            if (value is null) parent.AsObject().Remove(segments[^1]);
            else parent[segments[^1]] = JsonNode.Parse(value.ToJsonString().Replace("NAMESPACE", ns, StringComparison.Ordinal));
        }

        return item;
    }
}
