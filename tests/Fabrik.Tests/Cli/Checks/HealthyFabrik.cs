using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Composition;

namespace Fabrik.Tests.Cli.Checks;

/// <summary>A sandbox with all of Fabrik's processes, in real time.</summary>
public sealed class HealthyFabrik : IAsyncLifetime
{
    private SandboxRun run = null!;

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("fabrik-check-").FullName;

    public string Kubeconfig => run.KubeconfigPath;

    public KubernetesClient Client { get; private set; } = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        run = await SandboxRun.StartAsync(new SandboxRunOptions { Directory = Directory, Models = true }, Cancel);
        Client = new KubernetesClient(ClusterConfig.FromKubeconfig(Kubeconfig), TimeProvider.System);
    }

    internal Task<CheckRun> CheckAsync(params string[] arguments) => CheckRun.Of(Kubeconfig, arguments);

    /// <summary>Writes the registration's entries anew for as long as something is tried.</summary>
    public async Task WithRegistrationAsync(Action<JsonObject> change, Func<Task> tried)
    {
        var before = await Client.GetAsync(Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration, Cancel);
        var entries = JsonNode.Parse(before.Json.GetProperty("webhooks").GetRawText())!.AsArray();
        foreach (var entry in entries) change(entry!.AsObject());
        await WriteAsync(entries);
        try
        {
            await tried();
        }
        finally
        {
            await WriteAsync(JsonNode.Parse(before.Json.GetProperty("webhooks").GetRawText())!.AsArray());
        }
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await run.DisposeAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    private Task WriteAsync(JsonArray entries) =>
        Client.PatchAsync(Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration, PatchType.Merge, new JsonObject { ["webhooks"] = entries.DeepClone() }, Cancel);
}
