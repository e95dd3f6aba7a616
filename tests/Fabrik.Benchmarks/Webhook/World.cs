using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Composition;
using Fabrik.Sandbox.Server;

namespace Fabrik.Benchmarks.Webhook;

/// <summary>An API server with three active changes, and the files a webhook needs.</summary>
internal static class World
{
    public static async Task<SandboxServer> StartAsync(string directory, CancellationToken ct)
    {
        WriteFiles(directory);
        var server = await SandboxServer.StartAsync(new SandboxServerOptions(), ct);
        var kubeconfig = Path.Combine(directory, "kubeconfig");
        await File.WriteAllTextAsync(kubeconfig, server.Kubeconfig, ct);
        using var client = new KubernetesClient(ClusterConfig.FromKubeconfig(kubeconfig), TimeProvider.System);
        await ClusterSetup.InstallAsync(client, TimeProvider.System, ct);
        var space = Object("v1", "Namespace", "ci");
        space["metadata"]!["labels"] = new JsonObject { [Names.Labels.Enabled] = "true", [Names.Labels.PermitPrefix + "parallelism"] = "true" };
        await client.CreateAsync(Kinds.Namespace, null, space, ct);
        await ChangeAsync(client, "memory-4gi", "experiment_running", 0, "resource", new JsonObject { ["memoryLimit"] = "4Gi" }, ct);
        await ChangeAsync(client, "fewer-pods", "experiment_running", 1, "parallelism", new JsonObject { ["parallelism"] = 2 }, ct);
        await ChangeAsync(client, "less-cpu", "applied", null, "resource", new JsonObject { ["cpuRequest"] = "200m" }, ct);
        return server;
    }

    private static async Task ChangeAsync(KubernetesClient client, string name, string phase, int? slot, string type, JsonObject change, CancellationToken ct)
    {
        var made = Object(Names.ApiVersion, "OptimizationChange", name);
        made["spec"] = new JsonObject
        {
            ["type"] = type,
            ["target"] = new JsonObject { ["labelSelector"] = new JsonObject { [Names.Labels.SpecType] = "impl" } },
            ["change"] = change,
        };
        await client.CreateAsync(Kinds.OptimizationChange, Names.SystemNamespace, made, ct);
        string[] steps = phase == "applied" ? ["experiment_running", "approved", "applied"] : [phase];
        foreach (var step in steps)
        {
            var status = new JsonObject { ["phase"] = step, ["share"] = 0.19, ["slot"] = slot, ["lastAppliedAt"] = "2026-02-16T15:00:00Z" };
            await client.PatchAsync(Kinds.OptimizationChange, Names.SystemNamespace, name, PatchType.Merge, new JsonObject { ["status"] = status }, ct, new WriteOptions { Subresource = "status" });
        }
    }

    private static JsonObject Object(string apiVersion, string kind, string name) =>
        new() { ["apiVersion"] = apiVersion, ["kind"] = kind, ["metadata"] = new JsonObject { ["name"] = name } };

    private static void WriteFiles(string directory)
    {
        ServingFiles.Write(directory, "fabrik-webhook");
        File.WriteAllText(Path.Combine(directory, "assignment.key"), Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)));
    }
}
