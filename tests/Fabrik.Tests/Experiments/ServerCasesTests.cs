using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Server;
using Fabrik.Tests.Installation;

namespace Fabrik.Tests.Experiments;

/// <summary>The same tables on an API server, the sandbox's or that of FABRIK_E2E_KUBECONFIG, so that CEL and C# cannot drift apart.</summary>
[Collection(InstallationCollection.Name)] // which may take the definitions away
public sealed class ServerCasesTests : IAsyncLifetime
{
    private readonly CancellationToken ct = TestContext.Current.CancellationToken;
    private SandboxServer? sandbox;
    private KubernetesClient client = null!;

    public async ValueTask InitializeAsync()
    {
        var path = RealCluster.Kubeconfig;
        if (path is null)
        {
            sandbox = await SandboxServer.StartAsync(new SandboxServerOptions(), ct);
            path = Path.GetTempFileName();
            await File.WriteAllTextAsync(path, sandbox.Kubeconfig, ct);
        }

        client = new KubernetesClient(ClusterConfig.FromKubeconfig(path), TimeProvider.System);
        if (sandbox is not null) File.Delete(path);
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        if (sandbox is not null) await sandbox.DisposeAsync();
    }

    [Fact(Timeout = 300_000)]
    public async Task An_API_server_judges_changes_as_the_table_says()
    {
        await InstallAsync();
        var wrong = new List<string>();
        var index = 0;
        foreach (var one in Case.Read(Case.Changes))
        {
            // Names that matter stay; all others differ, so that cases do not meet.
            if ((string)one.New["metadata"]!["name"]! == "change") one.New["metadata"]!["name"] = $"case-{index++}";
            await JudgeAsync(Kinds.OptimizationChange, Names.SystemNamespace, one, wrong);
        }

        wrong.ShouldBeEmpty();
    }

    [Fact(Timeout = 300_000)]
    public async Task An_API_server_judges_policies_as_the_table_says()
    {
        await InstallAsync();
        var wrong = new List<string>();
        foreach (var one in Case.Read(Case.Policies)) await JudgeAsync(Kinds.OptimizerPolicy, null, one, wrong);
        wrong.ShouldBeEmpty();
    }

    [Fact(Timeout = 300_000)]
    public async Task An_API_server_takes_the_steps_of_the_table_and_no_other()
    {
        await InstallAsync();
        var wrong = new List<string>();
        foreach (var from in Enum.GetValues<Phase>())
        {
            foreach (var to in Enum.GetValues<Phase>())
            {
                var (old, changed) = (TransitionTests.Change(from), TransitionTests.Change(to));
                foreach (var one in new[] { old, changed })
                {
                    one["apiVersion"] = Names.ApiVersion;
                    one["kind"] = "OptimizationChange";
                    one["metadata"]!["name"] = $"step-{(int)from}-{(int)to}";
                }

                await JudgeAsync(Kinds.OptimizationChange, Names.SystemNamespace, new Case($"{from} to {to}", old, changed, Transitions.Exists(from, to) ? null : "status.phase"), wrong);
            }
        }

        wrong.ShouldBeEmpty();
    }

    private async Task InstallAsync()
    {
        foreach (var yaml in CustomResources.All)
        {
            var definition = Yaml.Object(System.Text.Encoding.UTF8.GetBytes(yaml));
            await client.PatchAsync(Kinds.CustomResourceDefinition, null, (string)definition["metadata"]!["name"]!, PatchType.Apply, definition, ct, new WriteOptions { FieldManager = Names.FieldManager, Force = true });
        }

        try
        {
            var space = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = Names.SystemNamespace } };
            await client.CreateAsync(Kinds.Namespace, null, space, ct);
        }
        catch (KubernetesException e) when (e.IsAlreadyExists || e.IsNotFound)
        {
            // There already, or a server of custom resources alone.
        }

        foreach (var kind in new[] { Kinds.OptimizationChange, Kinds.OptimizerPolicy })
        {
            for (var attempt = 0; ; attempt++)
            {
                try
                {
                    await foreach (var _ in client.ListAsync(kind, null, ct)) break;
                    break;
                }
                catch (KubernetesException e) when (e.IsNotFound && attempt < 300)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, ct);
                }
            }
        }
    }

    private async Task JudgeAsync(ResourceKind kind, string? ns, Case one, List<string> wrong)
    {
        var name = (string)one.New["metadata"]!["name"]!;
        await RemoveAsync(kind, ns, name);
        try
        {
            if (one.Old is null)
            {
                var made = await client.CreateAsync(kind, ns, one.New, ct);
                if (made.Json.TryGetProperty("status", out _)) wrong.Add($"{one.Name}: a status at creation was kept");
            }
            else
            {
                await UpdateAsync(kind, ns, name, one);
            }

            if (one.Refused is not null) wrong.Add($"{one.Name}: accepted, where {one.Refused} should be refused");
        }
        catch (KubernetesException e) when (e.IsInvalid || e.Code == 400)
        {
            var fields = e.Causes.Select(cause => cause.Field).ToList();
            if (one.Refused is null || !fields.Contains(one.Refused)) wrong.Add($"{one.Name}: expected {one.Refused ?? "accepted"}, got {string.Join(", ", fields)}: {e.Message}");
        }
        finally
        {
            await RemoveAsync(kind, ns, name);
        }
    }

    private async Task UpdateAsync(ResourceKind kind, string? ns, string name, Case one)
    {
        var first = one.Old!.DeepClone().AsObject();
        first["metadata"]!["name"] = name;
        first.Remove("status");
        var stored = await client.CreateAsync(kind, ns, first, ct);
        var status = new WriteOptions { Subresource = "status" };
        if (one.Old["status"] is JsonObject before)
        {
            if ((string?)before["phase"] is { } phase)
            {
                var target = Enum.GetValues<Phase>().Single(known => TransitionTests.Wire(known) == phase);
                foreach (var step in TransitionTests.WayTo(target))
                    await client.PatchAsync(kind, ns, name, PatchType.Merge, new JsonObject { ["status"] = new JsonObject { ["phase"] = TransitionTests.Wire(step) } }, ct, status);
            }

            stored = await client.PatchAsync(kind, ns, name, PatchType.Merge, new JsonObject { ["status"] = before.DeepClone() }, ct, status);
        }

        var next = stored.ToNode();
        next["spec"] = one.New["spec"]?.DeepClone() ?? new JsonObject();
        stored = await client.ReplaceAsync(kind, ns, name, next, ct);
        next = stored.ToNode();
        next["status"] = one.New["status"]?.DeepClone();
        await client.ReplaceAsync(kind, ns, name, next, ct, status);
    }

    private async Task RemoveAsync(ResourceKind kind, string? ns, string name)
    {
        try
        {
            await client.DeleteAsync(kind, ns, name, ct);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            // Was never made.
        }
    }
}
