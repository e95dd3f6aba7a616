using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Cli.Installing;
using Fabrik.Installation;
using Fabrik.Kubernetes;
using Fabrik.Tests.Manifests;

namespace Fabrik.Tests.Installation;

[Collection(InstallationCollection.Name)]
public sealed class InstallTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Installing_again_changes_no_secret_and_no_spec()
    {
        await using var cluster = await WithStorageAsync();
        (await InstallAsync(cluster)).Code.ShouldBe(0);
        var before = await StateAsync(cluster);

        var again = await InstallAsync(cluster);

        again.Code.ShouldBe(0, again.Error);
        (await StateAsync(cluster)).ShouldBe(before);
        before.Count.ShouldBeGreaterThan(30);
        before.ShouldContain(one => one.StartsWith("Secret fabrik-system/fabrik-ca ", StringComparison.Ordinal) && one.Contains("ca.key", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_webhook_is_registered_with_the_authority_that_its_certificate_is_from()
    {
        await using var cluster = await WithStorageAsync();
        (await InstallAsync(cluster)).Code.ShouldBe(0);

        var authority = (await cluster.Client.GetAsync(Kinds.Secret, Names.SystemNamespace, Names.Objects.AuthoritySecret, None)).Data("ca.crt")!;
        var leaf = (await cluster.Client.GetAsync(Kinds.Secret, Names.SystemNamespace, Names.Objects.WebhookTlsSecret, None)).Data("tls.crt")!;
        var registration = await cluster.Client.GetAsync(Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration, None);

        var entries = registration.Json.List("webhooks").ToList();
        entries.Count.ShouldBe(5);
        foreach (var entry in entries) Encoding.UTF8.GetString(entry.At("clientConfig", "caBundle").GetBytesFromBase64()).ShouldBe(authority);
        Fabrik.Certificates.CertificateText.IsUnder(leaf, authority).ShouldBeTrue();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(17)]
    [InlineData(40)]
    [InlineData(58)]
    public async Task An_installation_that_ended_after_any_write_is_finished_by_the_same_command_and_removed_without_a_trace(int writes)
    {
        await using var cluster = await WithStorageAsync();
        await PartAsync(cluster, writes);

        var install = await InstallAsync(cluster);
        install.Code.ShouldBe(0, install.Error);
        var uninstall = await cluster.FabrikAsync("uninstall", "--yes");

        uninstall.Code.ShouldBe(0, uninstall.Error);
        uninstall.Out.Trim().ShouldBe("0 objects left");
    }

    [Theory]
    [InlineData(2)]
    [InlineData(30)]
    public async Task Half_an_installation_is_removed_as_well(int writes)
    {
        await using var cluster = await WithStorageAsync();
        await PartAsync(cluster, writes);

        var uninstall = await cluster.FabrikAsync("uninstall", "--yes");

        uninstall.Code.ShouldBe(0, uninstall.Error);
        uninstall.Out.Trim().ShouldBe("0 objects left");
    }

    [Fact]
    public async Task Without_a_storage_class_nothing_is_written_and_the_message_says_so()
    {
        await using var cluster = await InstalledCluster.StartAsync(node: false);
        Assert.SkipUnless(cluster.Played, "unproven here: this cluster has nodes, and may have a storage class");

        var install = await InstallAsync(cluster);

        install.Code.ShouldBe(1);
        install.Error.ShouldContain("FAB-1101");
        install.Error.ShouldContain("storage class");
        (await cluster.FabrikAsync("uninstall", "--dry-run")).Out.ShouldBeEmpty();
    }

    [Fact]
    public async Task Monitoring_without_the_operators_kinds_is_told_before_anything_is_written()
    {
        await using var cluster = await WithStorageAsync();
        Assert.SkipUnless(cluster.Played, "unproven here: this cluster has nodes, and may have a Prometheus operator");

        var install = await cluster.FabrikAsync("install", "--profile", "dev", "--wait", "false", "--monitoring");

        install.Code.ShouldBe(1);
        install.Error.ShouldContain("FAB-1101");
        install.Error.ShouldContain("PrometheusRule (monitoring.coreos.com/v1)");
        install.Error.ShouldContain("install the Prometheus operator first");
        (await cluster.FabrikAsync("uninstall", "--dry-run")).Out.ShouldBeEmpty();
    }

    [Fact]
    public async Task With_monitoring_monitors_and_alerts_are_installed_upgraded_as_the_settings_say_and_removed()
    {
        await using var cluster = await WithStorageAsync();
        Assert.SkipUnless(cluster.Played, "unproven here: this cluster has nodes, and the definitions of a Prometheus operator in it are its own");
        await PrometheusOperator.DefineAsync(cluster.Client);
        var rule = new ResourceKind("monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule", true);
        var settings = Path.Combine(cluster.Home, "fabrik.yaml");
        (await cluster.FabrikAsync("init", "--file", settings, "--profile", "dev", "--monitoring")).Code.ShouldBe(0);

        var install = await cluster.FabrikAsync("install", "--file", settings, "--wait", "false");
        install.Code.ShouldBe(0, install.Error);
        await cluster.Client.PatchAsync(rule, Names.SystemNamespace, "fabrik", PatchType.Merge, new JsonObject { ["spec"] = new JsonObject { ["groups"] = new JsonArray() } }, None);
        var upgrade = await cluster.FabrikAsync("upgrade", "--file", settings, "--wait", "false");
        upgrade.Code.ShouldBe(0, upgrade.Error);

        (await cluster.Client.GetAsync(rule, Names.SystemNamespace, "fabrik", None)).Json.List("spec", "groups").ShouldNotBeEmpty();
        (await cluster.FabrikAsync("uninstall", "--yes")).Code.ShouldBe(0);
        (await cluster.Client.FindAsync(rule, Names.SystemNamespace, "fabrik", None)).ShouldBeNull();
    }

    [Fact]
    public async Task A_dry_run_stores_nothing()
    {
        await using var cluster = await WithStorageAsync();

        var install = await cluster.FabrikAsync("install", "--dry-run");

        install.Code.ShouldBe(0, install.Error);
        (await cluster.FabrikAsync("uninstall", "--dry-run")).Out.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_database_that_a_newer_version_wrote_is_not_given_to_this_one()
    {
        await using var cluster = await WithStorageAsync();
        (await InstallAsync(cluster)).Code.ShouldBe(0);
        var newer = new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { [Names.Annotations.DatabaseSchema] = "9999" } } };
        await cluster.Client.PatchAsync(Kinds.StatefulSet, Names.SystemNamespace, Names.Objects.Control, PatchType.Merge, newer, None);

        var upgrade = await cluster.FabrikAsync("upgrade", "--wait", "false");

        upgrade.Code.ShouldBe(1);
        upgrade.Error.ShouldContain("FAB-1109");
        upgrade.Error.ShouldContain("schema 9999");
    }

    [Fact]
    public async Task An_upgrade_that_is_told_nothing_goes_on_with_what_was_installed_and_does_as_it_is_told_else()
    {
        await using var cluster = await WithStorageAsync();
        Assert.SkipUnless(cluster.Played, "on nodes, images of these registries would be waited for");
        (await cluster.FabrikAsync("install", "--profile", "prod", "--registry", "one.example/fabrik", "--storage-class", "fabrik-local", "--wait", "false")).Code.ShouldBe(0);
        var whole = await WebhookAsync();

        var untold = await cluster.FabrikAsync("upgrade", "--wait", "false");
        untold.Code.ShouldBe(0, untold.Error);
        untold.Error.ShouldContain("settings as it was installed: profile prod, storage class fabrik-local, images of one.example/fabrik");
        (await WebhookAsync()).ShouldBe(whole);
        whole.ShouldBe((3, "one.example/fabrik/fabrik-webhook:0.1.0"));

        (await cluster.FabrikAsync("install", "--registry", "two.example", "--wait", "false")).Code.ShouldBe(0);
        (await WebhookAsync()).ShouldBe((3, "two.example/fabrik-webhook:0.1.0"));

        var settings = Path.Combine(cluster.Home, "fabrik.yaml");
        await File.WriteAllTextAsync(settings, "profile: dev", None);
        var file = await cluster.FabrikAsync("upgrade", "--file", settings, "--wait", "false");
        file.Error.ShouldNotContain("settings as it was installed");
        (await WebhookAsync()).ShouldBe((1, "ghcr.io/fabrik-dev/fabrik-webhook:0.1.0"));

        async Task<(double? Replicas, string? Image)> WebhookAsync()
        {
            var webhook = await cluster.Client.GetAsync(Kinds.Deployment, Names.SystemNamespace, Names.Objects.Webhook, None);
            return (webhook.Json.Number("spec", "replicas"), webhook.Json.List("spec", "template", "spec", "containers").Single().Text("image"));
        }
    }

    [Fact]
    public async Task A_cluster_of_one_node_gets_one_of_each_where_nobody_says_else()
    {
        await using var cluster = await WithStorageAsync();
        Assert.SkipUnless(cluster.Played, "this cluster has nodes of its own");

        (await cluster.FabrikAsync("install", "--dry-run")).Error.ShouldContain("  profile dev\n");
        foreach (var name in (string[])["one", "two"]) await cluster.Client.CreateAsync(Kinds.Node, null, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Node", ["metadata"] = new JsonObject { ["name"] = name } }, None);
        (await cluster.FabrikAsync("install", "--dry-run")).Error.ShouldContain("  profile prod\n");
    }

    [Fact]
    public async Task There_is_nothing_to_upgrade_where_nothing_is_installed()
    {
        await using var cluster = await WithStorageAsync();

        (await cluster.FabrikAsync("upgrade")).Error.ShouldContain("FAB-1107");
    }

    [Fact]
    public async Task Provider_keys_come_from_where_the_settings_say_and_stand_in_no_file()
    {
        await using var cluster = await WithStorageAsync();
        var (key, settings) = (Path.Combine(cluster.Home, "key"), Path.Combine(cluster.Home, "fabrik.yaml"));
        await File.WriteAllTextAsync(key, "sk-of-a-test\n", None);
        (await cluster.FabrikAsync("init", "--file", settings, "--provider-key", $"openai=file:{key}", "--profile", "dev", "--opt-in", "default")).Code.ShouldBe(0);

        var install = await cluster.FabrikAsync("install", "--file", settings, "--wait", "false");

        install.Code.ShouldBe(0, install.Error);
        (await File.ReadAllTextAsync(settings, None)).ShouldNotContain("sk-of-a-test");
        (await cluster.Client.GetAsync(Kinds.Secret, Names.GatewayNamespace, Names.Objects.ProviderKeys, None)).Data("openai").ShouldBe("sk-of-a-test");
        (await cluster.Client.GetAsync(Kinds.Namespace, null, "default", None)).Label(Names.Labels.Enabled).ShouldBe("true");
        (await cluster.FabrikAsync("uninstall", "--yes")).Code.ShouldBe(0);
        (await cluster.Client.GetAsync(Kinds.Namespace, null, "default", None)).Label(Names.Labels.Enabled).ShouldBeNull();
    }

    [Fact]
    public async Task A_wrong_path_of_a_key_is_told_before_anything_is_written()
    {
        await using var cluster = await WithStorageAsync();
        var settings = Path.Combine(cluster.Home, "fabrik.yaml");
        await File.WriteAllTextAsync(settings, "providerKeys: { openai: { file: /nowhere/key } }", None);

        (await cluster.FabrikAsync("install", "--file", settings)).Error.ShouldContain("FAB-1104");
        (await cluster.FabrikAsync("uninstall", "--dry-run")).Out.ShouldBeEmpty();
    }

    internal static async Task<InstalledCluster> WithStorageAsync()
    {
        var cluster = await InstalledCluster.StartAsync(node: false);
        if (!cluster.Played) return cluster;
        await cluster.Client.PatchAsync(Kinds.StorageClass, null, "fabrik-local", PatchType.Apply, new JsonObject
        {
            ["apiVersion"] = "storage.k8s.io/v1",
            ["kind"] = "StorageClass",
            ["metadata"] = new JsonObject { ["name"] = "fabrik-local", ["annotations"] = new JsonObject { ["storageclass.kubernetes.io/is-default-class"] = "true" } },
            ["provisioner"] = "kubernetes.io/no-provisioner",
        }, None);
        return cluster;
    }

    internal static Task<Cli.Command> InstallAsync(InstalledCluster cluster) => cluster.FabrikAsync("install", "--profile", "dev", "--wait", "false");

    /// <summary>As when the command is killed after so many writes.</summary>
    private static async Task PartAsync(InstalledCluster cluster, int writes)
    {
        var applier = new Applier(cluster.Client, dryRun: false);
        foreach (var item in ShippedManifests.Overlay("dev").OrderBy(InstallStages.Of).Take(writes))
        {
            await applier.ApplyAsync(item, None);
            if (InstallStages.Of(item) == InstallStage.Definitions) await applier.EstablishedAsync(item.Name(), TimeProvider.System, None);
        }
    }

    /// <summary>Spec and data of all that is Fabrik's.</summary>
    private static async Task<List<string>> StateAsync(InstalledCluster cluster)
    {
        var found = new List<string>();
        foreach (var item in await new Uninstaller(cluster.Client, keepData: false, new global::Fabrik.Cli.Output.Steps(new global::Fabrik.Cli.Output.Terminal(TextWriter.Null, TextWriter.Null), TimeProvider.System), TimeProvider.System).FindAsync(None))
        {
            if (item.Kind.Kind is "Pod" or "ReplicaSet" or "EndpointSlice" or "ControllerRevision" or "PersistentVolumeClaim") continue;
            var content = item.Object.ToNode();
            content.Remove("metadata");
            content.Remove("status");
            found.Add($"{item.Object.Kind} {item.Object.Key} {content.ToJsonString()}");
        }

        return found;
    }
}
