using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Tests.EndToEnd;

namespace Fabrik.Tests.Installation;

[Collection(InstallationCollection.Name)]
public sealed class UninstallTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_running_Job_and_its_namespace_stay_and_nothing_of_them_is_Fabriks_any_more()
    {
        await using var cluster = await InstallTests.WithStorageAsync();
        (await InstallTests.InstallAsync(cluster)).Code.ShouldBe(0);
        var manifest = Jobs.Named("long");
        Safe(manifest["spec"]!); // no webhook runs here that would see to it
        var job = await cluster.Client.CreateAsync(Kinds.Job, Names.RunsNamespace, manifest, None);

        var uninstall = await cluster.FabrikAsync("uninstall", "--yes");

        uninstall.Code.ShouldBe(0, uninstall.Error);
        uninstall.Out.Trim().ShouldBe("0 objects left");
        uninstall.Error.ShouldContain($"namespace {Names.RunsNamespace} stays");
        (await cluster.Client.GetAsync(Kinds.Job, Names.RunsNamespace, "long", None)).Uid.ShouldBe(job.Uid);
        var ns = await cluster.Client.GetAsync(Kinds.Namespace, null, Names.RunsNamespace, None);
        foreach (var label in (string[])[Names.Labels.PartOf, Names.Labels.Enabled, Names.Labels.Gateway]) ns.Label(label).ShouldBeNull();
        await cluster.Client.DeleteAsync(Kinds.Namespace, null, Names.RunsNamespace, None);
    }

    private static void Safe(JsonNode spec)
    {
        var pod = spec["template"]!["spec"]!;
        spec["activeDeadlineSeconds"] = 3600;
        pod["automountServiceAccountToken"] = false;
        pod["securityContext"] = JsonNode.Parse("""{"runAsNonRoot":true,"runAsUser":1000,"runAsGroup":1000,"seccompProfile":{"type":"RuntimeDefault"}}""");
        pod["containers"]![0]!["securityContext"] = JsonNode.Parse("""{"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true,"capabilities":{"drop":["ALL"]}}""");
        pod["containers"]![0]!["resources"] = JsonNode.Parse("""{"requests":{"cpu":"100m","memory":"64Mi"},"limits":{"cpu":"100m","memory":"64Mi"}}""");
    }

    [Fact]
    public async Task Nothing_is_removed_without_a_yes()
    {
        await using var cluster = await InstallTests.WithStorageAsync();
        (await InstallTests.InstallAsync(cluster)).Code.ShouldBe(0);
        var before = (await cluster.FabrikAsync("uninstall", "--dry-run")).Out;

        var uninstall = await cluster.FabrikAsync("uninstall");

        uninstall.Code.ShouldBe(2);
        uninstall.Error.ShouldContain("FAB-1110");
        (await cluster.FabrikAsync("uninstall", "--dry-run")).Out.Split('\n').Length.ShouldBeGreaterThanOrEqualTo(before.Split('\n').Length);
    }

    [Fact]
    public async Task Volumes_that_are_kept_are_there_for_the_next_installation()
    {
        await using var cluster = await InstallTests.WithStorageAsync();
        (await InstallTests.InstallAsync(cluster)).Code.ShouldBe(0);
        var claim = await Wait.ForAsync("the claim of the database", async () =>
        {
            await foreach (var one in cluster.Client.ListAsync(Kinds.PersistentVolumeClaim, Names.SystemNamespace, None)) return one;
            return null;
        });

        var uninstall = await cluster.FabrikAsync("uninstall", "--yes", "--keep-data");
        uninstall.Code.ShouldBe(0, uninstall.Error);
        uninstall.Out.Trim().ShouldBe("0 objects left");
        var install = await InstallTests.InstallAsync(cluster);

        install.Code.ShouldBe(0, install.Error);
        (await cluster.Client.GetAsync(Kinds.PersistentVolumeClaim, Names.SystemNamespace, claim.Name, None)).Uid.ShouldBe(claim.Uid);
    }

    [Fact]
    public async Task What_somebody_elses_finalizer_holds_is_named_and_the_command_fails()
    {
        await using var cluster = await InstallTests.WithStorageAsync();
        var held = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "ConfigMap",
            ["metadata"] = new JsonObject { ["name"] = "held", ["labels"] = new JsonObject { [Names.Labels.PartOf] = "fabrik" }, ["finalizers"] = new JsonArray("example.com/hold") },
        };
        await cluster.Client.CreateAsync(Kinds.ConfigMap, "default", held, None);

        var uninstall = await cluster.FabrikAsync("uninstall", "--yes", "--timeout", "1");

        uninstall.Code.ShouldBe(1);
        uninstall.Error.ShouldContain("FAB-1111");
        uninstall.Error.ShouldContain("configmaps default/held");
        await cluster.Client.PatchAsync(Kinds.ConfigMap, "default", "held", PatchType.Merge, new JsonObject { ["metadata"] = new JsonObject { ["finalizers"] = null } }, None);
    }
}
