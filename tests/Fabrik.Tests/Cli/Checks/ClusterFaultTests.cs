using System.Text.Json.Nodes;
using Fabrik.Admission;
using Fabrik.Cli.Installing;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Cli.Checks;

/// <summary>Faults of clusters in which Fabrik's processes are away or not installed yet.</summary>
public sealed class ClusterFaultTests : IAsyncLifetime
{
    private readonly ClusterOfObjects cluster = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => cluster.InitializeAsync();

    public ValueTask DisposeAsync() => cluster.DisposeAsync();

    [Fact]
    public async Task A_missing_definition_is_found()
    {
        await cluster.Client.DeleteAsync(Kinds.CustomResourceDefinition, null, "optimizerpolicies.fabrik.dev", Cancel);

        var run = await CheckAsync("--category", "crds");

        run.With("failed").ShouldBe(["FAB-3192"]);
        run.Checks["FAB-3192"].Next.ShouldBe("kubectl apply --server-side -k manifests/crds");
    }

    [Fact]
    public async Task A_definition_of_another_version_is_found_with_the_place_where_it_differs()
    {
        var definition = (await cluster.Client.GetAsync(Kinds.CustomResourceDefinition, null, "optimizationchanges.fabrik.dev", Cancel)).ToNode();
        definition["spec"]!["versions"]![0]!["schema"]!["openAPIV3Schema"]!["properties"]!["spec"]!["properties"]!.AsObject().Remove("rationale");
        await cluster.Client.ReplaceAsync(Kinds.CustomResourceDefinition, null, "optimizationchanges.fabrik.dev", definition, Cancel);

        var run = await CheckAsync("--category", "crds");

        run.With("failed").ShouldBe(["FAB-3193"]);
        run.Checks["FAB-3193"].Detail.ShouldNotBeNull().ShouldEndWith("spec.properties.rationale");
    }

    [Fact]
    public async Task A_gate_that_webhooks_put_into_runs_in_another_version_is_found()
    {
        var webhook = ShippedManifests.Overlay("dev").Single(item => item.Kind() == "Deployment").DeepClone().AsObject();
        var gate = webhook["spec"]!["template"]!["spec"]!["containers"]![0]!["env"]!.AsArray().Single(one => (string)one!["name"]! == Names.Variables.GateImage)!;
        gate["value"] = "mirror.example.com/fabrik-gate:0.0.1";
        await cluster.Client.CreateAsync(Kinds.Deployment, Names.SystemNamespace, webhook, Cancel);

        var run = await CheckAsync("--category", "versions");

        run.With("warning").ShouldBe(["FAB-3273"]);
        run.Checks["FAB-3273"].Detail.ShouldNotBeNull().ShouldContain("0.0.1");
    }

    [Fact]
    public async Task Verbs_that_this_user_lacks_are_found_one_kind_for_one_check()
    {
        var user = await cluster.UserAsync("reader", "get", "list");

        var run = await CheckRun.Of(user, ["--pre", "--category", "rbac"]);

        run.With("failed").Count().ShouldBe(23);
        run.Checks["FAB-3029"].Detail.ShouldBe("this user may not: get deployments.apps in fabrik-system, list deployments.apps in fabrik-system, create deployments.apps in fabrik-system, patch deployments.apps in fabrik-system, delete deployments.apps in fabrik-system");
        run.Checks["FAB-3029"].Next.ShouldBe("ask an administrator for a role with it, then: kubectl auth can-i get deployments.apps -n fabrik-system");
        (await CheckAsync("--pre", "--category", "rbac")).With("failed").ShouldBeEmpty();
    }

    [Fact]
    public async Task A_cluster_without_a_default_storage_class_is_found_before_anything_is_installed()
    {
        (await CheckAsync("--pre", "--category", "storage")).With("failed").ShouldBe(["FAB-3121"]);

        await ClassAsync("disks", "rancher.io/local-path", isDefault: true);
        (await CheckAsync("--pre", "--category", "storage")).With("failed").ShouldBeEmpty();

        await ClassAsync("shared", "nfs.csi.k8s.io", isDefault: true);
        var run = await CheckAsync("--pre", "--category", "storage");
        run.With("warning").ShouldBe(["FAB-3122"]);
    }

    [Fact]
    public async Task Namespaces_that_are_not_labelled_are_found()
    {
        // As it is installed: processes in the cluster, the webhook behind a Service.
        await cluster.Client.CreateAsync(Kinds.MutatingWebhookConfiguration, null, WebhookRegistration.Configuration(new JsonObject { ["service"] = new JsonObject { ["namespace"] = Names.SystemNamespace, ["name"] = Names.Objects.Webhook, ["path"] = Names.Paths.MutateJobs } }), Cancel);

        var run = await CheckAsync("--category", "pod-security");

        run.With("failed").ShouldContain("FAB-3131");
        run.Checks["FAB-3131"].Detail.ShouldBe("fabrik-system, fabrik-gateway, fabrik-runs lacks the label pod-security.kubernetes.io/enforce: restricted");
    }

    [Fact]
    public async Task A_certificate_that_its_keeper_has_not_made_yet_is_found_and_ends_no_check()
    {
        var client = new JsonObject { ["service"] = new JsonObject { ["namespace"] = Names.SystemNamespace, ["name"] = Names.Objects.Webhook, ["path"] = Names.Paths.MutateJobs } };
        await cluster.Client.CreateAsync(Kinds.MutatingWebhookConfiguration, null, WebhookRegistration.Configuration(client), Cancel);
        await cluster.Client.CreateAsync(Kinds.Secret, Names.SystemNamespace, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Secret", ["metadata"] = new JsonObject { ["name"] = Names.Objects.WebhookTlsSecret } }, Cancel);

        (await CheckAsync("--category", "webhook-tls")).With("failed").ShouldBe(["FAB-3061"]);
    }

    [Fact]
    public async Task A_lease_that_nobody_renews_is_found()
    {
        (await CheckAsync("--category", "optimizer")).Checks["FAB-3261"].Detail.ShouldNotBeNull().ShouldContain("no scheduler has ever led here");

        await cluster.Client.CreateAsync(Kinds.Lease, Names.SystemNamespace, new JsonObject
        {
            ["apiVersion"] = "coordination.k8s.io/v1",
            ["kind"] = "Lease",
            ["metadata"] = new JsonObject { ["name"] = Names.Objects.Leader },
            ["spec"] = new JsonObject { ["holderIdentity"] = "gone", ["renewTime"] = TimeProvider.System.GetUtcNow().AddMinutes(-9).ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'") },
        }, Cancel);
        var run = await CheckAsync("--category", "optimizer");
        run.With("failed").ShouldBe(["FAB-3261"]);
        run.Checks["FAB-3261"].Detail.ShouldNotBeNull().ShouldStartWith("gone has not renewed its Lease for 9 minutes");
    }

    [Fact]
    public async Task Objects_that_no_manifest_knows_are_found_and_those_that_one_knows_are_not()
    {
        (await CheckAsync("--category", "leftovers")).With("warning").ShouldBeEmpty();

        await cluster.Client.CreateAsync(Kinds.ConfigMap, "default", new JsonObject { ["apiVersion"] = "v1", ["kind"] = "ConfigMap", ["metadata"] = new JsonObject { ["name"] = "old", ["labels"] = new JsonObject { [Names.Labels.PartOf] = "fabrik" } } }, Cancel);

        var run = await CheckAsync("--category", "leftovers");
        run.With("warning").ShouldBe(["FAB-3282"]);
        run.Checks["FAB-3282"].Detail.ShouldBe("ConfigMap default/old");
        (await CheckAsync("--pre", "--category", "leftovers")).With("warning").ShouldBe(["FAB-3281"]);
    }

    [Fact]
    public async Task Without_a_cluster_everything_else_is_skipped_and_says_on_what_it_stands()
    {
        var run = await CheckRun.Of("/nowhere/kubeconfig", []);

        run.With("failed").ShouldBe(["FAB-3001"]);
        run.Code.ShouldBe(20);
        run.Checks.Where(check => check.Key != "FAB-3001").ShouldAllBe(check => check.Value.Status == "skipped");
        run.Checks["FAB-3211"].Detail.ShouldBe("FAB-3002 (the API server answers) was skipped");
    }

    [Fact]
    public async Task Waiting_tries_again_until_it_is_well()
    {
        var waiting = CheckAsync("--pre", "--category", "storage", "--wait", "60s");
        await ClassAsync("disks", "rancher.io/local-path", isDefault: true);

        (await waiting).With("failed").ShouldBeEmpty();
    }

    [Theory]
    [InlineData("--category", "weather", "FAB-1050")]
    [InlineData("--wait", "soon", "FAB-1051")]
    public async Task A_slip_in_an_option_is_told_with_the_next_step(string option, string value, string id)
    {
        var command = await cluster.FabrikAsync("check", option, value);

        command.Code.ShouldBe(2);
        command.Error.ShouldStartWith($"error {id}: ");
    }

    [Fact]
    public async Task The_forms_for_people_and_for_ci_have_the_same_checks()
    {
        var table = await cluster.FabrikAsync("check", "--pre", "--category", "storage");
        table.Out.ShouldContain("  FAILED    FAB-3121  there is a default storage class" + Environment.NewLine + "            why:  of 0 storage classes none is the default");
        table.Out.ShouldContain("            see:  docs/troubleshooting.md#fab-3121");
        (await cluster.FabrikAsync("check", "--pre", "--category", "storage", "-o", "short")).Out.Split(Environment.NewLine)[0].ShouldStartWith("FAILED    FAB-3121  storage: there is a default storage class: of 0 ");

        var junit = System.Xml.Linq.XDocument.Parse((await cluster.FabrikAsync("check", "--pre", "--category", "storage", "-o", "junit")).Out);
        junit.Root!.Attribute("failures")!.Value.ShouldBe("1");
        junit.Descendants("failure").Single().Attribute("type")!.Value.ShouldBe("FAB-3121");
        junit.Descendants("testsuite").Select(suite => suite.Attribute("name")!.Value).ShouldBe(["cluster-access", "storage"]);
    }

    private Task<CheckRun> CheckAsync(params string[] arguments) => CheckRun.Of(cluster.Kubeconfig, arguments);

    private Task ClassAsync(string name, string provisioner, bool isDefault) => cluster.Client.CreateAsync(Kinds.StorageClass, null, new JsonObject
    {
        ["apiVersion"] = "storage.k8s.io/v1",
        ["kind"] = "StorageClass",
        ["metadata"] = new JsonObject { ["name"] = name, ["annotations"] = new JsonObject { ["storageclass.kubernetes.io/is-default-class"] = isDefault ? "true" : "false" } },
        ["provisioner"] = provisioner,
    }, Cancel);
}
