using System.Text.Json.Nodes;
using Fabrik.Certificates;
using Fabrik.Checks;
using Fabrik.Cli.Installing;
using Fabrik.Installation;
using Fabrik.Kubernetes;
using static Fabrik.Certificates.CertificatePlan;

namespace Fabrik.Tests.Installation;

/// <summary>With a played cert-manager: what a real one does with these objects is not shown here.</summary>
[Collection(InstallationCollection.Name)]
public sealed class CertManagerTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Where_it_is_present_it_keeps_the_certificates_renews_them_without_an_unmutated_Job_and_leaves_nothing_behind()
    {
        await using var cluster = await InstalledCluster.StartAsync();
        if (!cluster.Played) return; // where a real one may be
        await using var certManager = await PlayedCertManager.StartAsync(cluster);
        await cluster.ReadyAsync();

        var install = await cluster.FabrikAsync("install", "--profile", "dev", "--timeout", "240");

        install.Code.ShouldBe(0, install.Error);
        (await DataAsync(cluster, Names.Objects.AuthoritySecret, Keys.Authority)).ShouldBeNull();
        var authority = await DataAsync(cluster, "fabrik-authority", Keys.Leaf);
        (await RegistrationAsync(cluster)).Bundles().ShouldAllBe(bundle => bundle == authority);
        await CheckedAsync(cluster, "cert-manager, with fabrik-api, fabrik-webhook");

        var first = await DataAsync(cluster, Names.Objects.WebhookTlsSecret, Keys.Leaf);
        var (created, untouched) = await InstallationTests.CreatingAsync(cluster, async () =>
        {
            foreach (var certificate in (string[])["fabrik-webhook", "fabrik-api", "fabrik-authority", "fabrik-webhook", "fabrik-api"])
            {
                await certManager.RenewAsync(certificate);
                await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, None);
            }
        });

        created.ShouldBeGreaterThan(20);
        untouched.ShouldBeEmpty();
        (await DataAsync(cluster, Names.Objects.WebhookTlsSecret, Keys.Leaf)).ShouldNotBe(first);
        (await DataAsync(cluster, "fabrik-authority", Keys.Leaf)).ShouldNotBe(authority);
        await CheckedAsync(cluster, "cert-manager, with fabrik-api, fabrik-webhook");
        await ApiAsync(cluster);

        var uninstall = await cluster.FabrikAsync("uninstall", "--yes", "--timeout", "120");
        uninstall.Code.ShouldBe(0, uninstall.Error);
        uninstall.Out.Trim().ShouldBe("0 objects left");
    }

    [Fact]
    public async Task An_own_authority_stays_on_an_upgrade_and_moves_by_name_there_and_back_without_an_unmutated_Job()
    {
        await using var cluster = await InstalledCluster.StartAsync();
        if (!cluster.Played) return;
        await using var certManager = await PlayedCertManager.StartAsync(cluster);
        await cluster.ReadyAsync();
        (await cluster.FabrikAsync("install", "--profile", "dev", "--timeout", "240", "--certificates", "own")).Code.ShouldBe(0);
        var own = await DataAsync(cluster, Names.Objects.AuthoritySecret, Keys.Authority);

        var upgrade = await cluster.FabrikAsync("upgrade", "--profile", "dev", "--timeout", "240");
        upgrade.Code.ShouldBe(0, upgrade.Error);
        upgrade.Error.ShouldContain("--certificates cert-manager moves to it");
        (await CertificatesAsync(cluster)).ShouldBe(0);
        (await DataAsync(cluster, Names.Objects.AuthoritySecret, Keys.Authority)).ShouldBe(own);

        var (created, untouched) = await InstallationTests.CreatingAsync(cluster, async () =>
        {
            var there = await cluster.FabrikAsync("upgrade", "--profile", "dev", "--timeout", "240", "--certificates", "cert-manager");
            there.Code.ShouldBe(0, there.Error);
        });
        (created > 20, string.Join(',', untouched)).ShouldBe((true, ""));
        (await DataAsync(cluster, Names.Objects.AuthoritySecret, Keys.AuthorityKey)).ShouldBeNull();
        var authority = await DataAsync(cluster, "fabrik-authority", Keys.Leaf);
        (await RegistrationAsync(cluster)).Bundles().ShouldAllBe(bundle => bundle == authority);
        await CheckedAsync(cluster, "cert-manager, with fabrik-api, fabrik-webhook");

        (await cluster.FabrikAsync("upgrade", "--profile", "dev", "--timeout", "240")).Code.ShouldBe(0);
        (await CertificatesAsync(cluster)).ShouldBe(3);

        (created, untouched) = await InstallationTests.CreatingAsync(cluster, async () =>
        {
            var back = await cluster.FabrikAsync("upgrade", "--profile", "dev", "--timeout", "240", "--certificates", "own");
            back.Code.ShouldBe(0, back.Error);
            await Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System, None); // the keeper has been woken
        });
        (created > 20, string.Join(',', untouched)).ShouldBe((true, ""));
        (await CertificatesAsync(cluster)).ShouldBe(0);
        (await RegistrationAsync(cluster)).Annotation(Names.Annotations.InjectFrom).ShouldBeNull();
        (await RegistrationAsync(cluster)).Bundles().ShouldAllBe(bundle => CertificateText.Read(bundle).Length == 2);
        (await DataAsync(cluster, Names.Objects.AuthoritySecret, Keys.Old)).ShouldBe(authority);
        await CheckedAsync(cluster, "Fabrik's own, with Lease fabrik-webhook");
    }

    [Fact]
    public async Task Named_and_absent_it_is_told_before_anything_is_written()
    {
        await using var cluster = await InstallTests.WithStorageAsync();
        if (!cluster.Played) return;

        var install = await cluster.FabrikAsync("install", "--profile", "dev", "--wait", "false", "--certificates", "cert-manager");

        install.Code.ShouldBe(1);
        install.Error.ShouldContain("FAB-1101");
        install.Error.ShouldContain("the cluster does not serve Certificate and Issuer (cert-manager.io/v1)");
        install.Error.ShouldContain("--certificates own");
        (await cluster.FabrikAsync("uninstall", "--dry-run")).Out.ShouldBeEmpty();
    }

    [Fact]
    public async Task What_never_becomes_ready_is_told_in_its_own_words_with_the_way_out_which_works()
    {
        await using var cluster = await InstallTests.WithStorageAsync();
        if (!cluster.Played) return;
        await using var certManager = await PlayedCertManager.StartAsync(cluster, works: false);

        var install = await cluster.FabrikAsync("install", "--profile", "dev", "--timeout", "1");

        install.Code.ShouldBe(5, install.Error);
        install.Error.ShouldContain("FAB-1122");
        install.Error.ShouldContain($"Certificate fabrik-webhook: {PlayedCertManager.Refusal}");
        install.Error.ShouldContain("--certificates own");
        var own = await cluster.FabrikAsync("install", "--profile", "dev", "--wait", "false", "--certificates", "own");
        own.Code.ShouldBe(0, own.Error);
        (await CertificatesAsync(cluster)).ShouldBe(0);
        var trusted = await DataAsync(cluster, Names.Objects.AuthoritySecret, Keys.Authority);
        CertificateText.IsUnder((await DataAsync(cluster, Names.Objects.WebhookTlsSecret, Keys.Leaf))!, trusted!).ShouldBeTrue();
        (await RegistrationAsync(cluster)).Bundles().ShouldAllBe(bundle => bundle == trusted);
    }

    [Fact]
    public async Task Where_volumes_are_kept_its_Secrets_go_all_the_same_and_are_not_written_again()
    {
        await using var cluster = await InstallTests.WithStorageAsync();
        if (!cluster.Played) return;
        await using var certManager = await PlayedCertManager.StartAsync(cluster);
        var install = await InstallTests.InstallAsync(cluster);
        install.Code.ShouldBe(0, install.Error);
        await Wait.UntilAsync("a certificate", async () => await DataAsync(cluster, Names.Objects.WebhookTlsSecret, Keys.Leaf) is not null);

        var uninstall = await cluster.FabrikAsync("uninstall", "--yes", "--keep-data");

        uninstall.Code.ShouldBe(0, uninstall.Error);
        uninstall.Out.Trim().ShouldBe("0 objects left");
        (await CertificatesAsync(cluster)).ShouldBe(0);
        foreach (var secret in (string[])["fabrik-authority", Names.Objects.WebhookTlsSecret, Names.Objects.ApiTlsSecret])
            (await cluster.Client.FindAsync(Kinds.Secret, Names.SystemNamespace, secret, None)).ShouldBeNull();
    }

    [Fact]
    public async Task A_dry_run_with_it_stores_nothing()
    {
        await using var cluster = await InstallTests.WithStorageAsync();
        if (!cluster.Played) return;
        await using var certManager = await PlayedCertManager.StartAsync(cluster);

        (await cluster.FabrikAsync("install", "--dry-run")).Code.ShouldBe(0);
        (await cluster.FabrikAsync("uninstall", "--dry-run")).Out.ShouldBeEmpty();
    }

    [Fact]
    public async Task Rights_on_its_kinds_are_asked_for_where_they_are_used_and_nowhere_else()
    {
        await using var cluster = await InstallTests.WithStorageAsync();
        if (!cluster.Played) return;
        await using var certManager = await PlayedCertManager.StartAsync(cluster);
        ResourceKind role = new("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false), binding = new("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false);
        var groups = ShippedManifests.Overlay("dev").Select(item => item["apiVersion"]!.ToString()).Select(version => version.Contains('/', StringComparison.Ordinal) ? version.Split('/')[0] : "").Append("storage.k8s.io").Distinct();
        var rules = new JsonArray(new JsonObject { ["apiGroups"] = new JsonArray([.. groups.Select(group => (JsonNode)group)]), ["resources"] = new JsonArray("*"), ["verbs"] = new JsonArray("*") });
        await cluster.Client.CreateAsync(Kinds.ServiceAccount, "default", new JsonObject { ["metadata"] = new JsonObject { ["name"] = "installer" } }, None);
        await cluster.Client.CreateAsync(role, null, new JsonObject { ["metadata"] = new JsonObject { ["name"] = "installer" }, ["rules"] = rules }, None);
        await cluster.Client.CreateAsync(binding, null, JsonNode.Parse("""{"metadata":{"name":"installer"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"installer"},"subjects":[{"kind":"ServiceAccount","name":"installer","namespace":"default"}]}""")!, None);
        using var installer = new KubernetesClient(new ClusterConfig { Server = cluster.Client.Config.Server, CertificateAuthority = cluster.Client.Config.CertificateAuthority, Token = await cluster.Client.TokenAsync("default", "installer", None) }, TimeProvider.System);

        await LookAsync(InstallSettings.Own);
        var refused = await Should.ThrowAsync<global::Fabrik.Cli.CommandException>(() => LookAsync(InstallSettings.CertManager));

        refused.Message.ShouldContain("you may not create issuers.cert-manager.io in fabrik-system");

        async Task LookAsync(string keeper)
        {
            var settings = new InstallSettings { Profile = "dev", Certificates = keeper };
            var choice = CertificateChoice.Of(keeper, await CertificateFindings.ReadAsync(installer, None));
            var steps = new global::Fabrik.Cli.Output.Steps(new global::Fabrik.Cli.Output.Terminal(TextWriter.Null, TextWriter.Null), TimeProvider.System);
            await new Preflight(installer, settings, choice, ShippedManifests.For(settings), steps).RunAsync(None);
        }
    }

    public static TheoryData<string, bool, string?, bool, bool, string> Choices => new()
    {
        // asked, served, annotation, its Certificate there, own authority there -> who keeps
        { "auto", true, null, false, false, "cert-manager" },
        { "auto", false, null, false, false, "own" },
        { "auto", true, null, false, true, "own" },
        { "auto", true, "fabrik-system/fabrik-webhook", true, false, "cert-manager" },
        { "auto", false, "fabrik-system/fabrik-webhook", false, false, "cert-manager" },
        { "auto", true, null, true, true, "cert-manager" },
        { "own", true, "fabrik-system/fabrik-webhook", true, false, "own" },
        { "cert-manager", true, null, false, true, "cert-manager" },
        { "cert-manager", false, null, false, false, "cert-manager" },
    };

    [Theory]
    [MemberData(nameof(Choices))]
    public void Whoever_keeps_certificates_goes_on_unless_another_is_named(string asked, bool served, string? annotation, bool begun, bool authority, string keeper) =>
        CertificateChoice.Of(asked, new CertificateFindings(served, annotation, begun, authority, Registered: true)).Keeper.ShouldBe(keeper);

    [Fact]
    public void What_it_makes_has_the_names_times_and_places_of_what_Fabrik_makes()
    {
        var items = ShippedManifests.ForCertManager();
        foreach (var (place, name) in new[] { (Place.WebhookLeaf, Names.Objects.WebhookTlsSecret), (Place.ApiLeaf, Names.Objects.ApiTlsSecret) })
        {
            var spec = items.Single(item => item["spec"]?["secretName"]?.ToString() == name)["spec"]!;
            spec["dnsNames"]!.AsArray().Select(one => one!.ToString()).ShouldBe(NamesOf(place));
            Hours(spec["duration"]).ShouldBe(CertificateTimes.Default.LeafLife.TotalHours);
            Hours(spec["renewBefore"]).ShouldBe(CertificateTimes.Default.LeafLife.TotalHours / 3);
            spec["privateKey"]!["rotationPolicy"]!.ToString().ShouldBe("Always");
        }

        var authority = items.Single(item => item["spec"]?["isCA"] is not null)["spec"]!;
        Hours(authority["renewBefore"]).ShouldBe(Hours(authority["duration"]) / 3);
        items.Single(item => item.Kind() == "Secret").Name().ShouldBe(authority["secretName"]!.ToString());
        ShippedManifests.For(new InstallSettings { Certificates = InstallSettings.CertManager }).Single(item => item.Kind() == "MutatingWebhookConfiguration")["metadata"]!["annotations"]![Names.Annotations.InjectFrom]!.ToString().ShouldBe(CertificateChoice.Certificate);
        static double Hours(JsonNode? text) => double.Parse(text!.ToString().TrimEnd('h'), System.Globalization.CultureInfo.InvariantCulture);
    }

    private static async Task CheckedAsync(InstalledCluster cluster, string keeper)
    {
        var check = await cluster.FabrikAsync("check", "--category", "webhook-tls", "--category", "webhook", "--category", "leftovers", "--output", "json");
        check.Code.ShouldBe(0, check.Out + check.Error);
        check.Out.ShouldContain(keeper);
    }

    /// <summary>The command verifies the API by what the ConfigMap says; the kubelet brings a new certificate into the Pod's files after a while.</summary>
    private static async Task ApiAsync(InstalledCluster cluster)
    {
        var runs = await cluster.FabrikAsync("runs", "list", "-n", Names.RunsNamespace);
        runs.Code.ShouldBe(0, runs.Error);
    }

    private static async Task<int> CertificatesAsync(InstalledCluster cluster)
    {
        var count = 0;
        await foreach (var _ in cluster.Client.ListAsync(Kinds.Certificate, null, None)) count++;
        return count;
    }

    private static async Task<string?> DataAsync(InstalledCluster cluster, string secret, string key) => (await cluster.Client.GetAsync(Kinds.Secret, Names.SystemNamespace, secret, None)).Data(key);

    private static Task<KubeObject> RegistrationAsync(InstalledCluster cluster) => cluster.Client.GetAsync(Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration, None);
}
