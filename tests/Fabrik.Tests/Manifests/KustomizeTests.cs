using System.Text.Json.Nodes;
using System.Xml.Linq;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Manifests;

/// <summary>What kubectl makes of the overlays, and what an API server says to it.</summary>
[Collection(InstalledFixture.Collection)]
public sealed class KustomizeTests(InstalledFixture cluster)
{
    /// <summary>What the configuration may use: what <c>fabrik install</c> puts together itself, so that both come to the same.</summary>
    private static readonly string[] Features = ["apiVersion", "kind", "resources", "images", "replicas", "patches", "labels", "configurations", "components"];

    /// <summary>A component is nothing by itself.</summary>
    public static TheoryData<string> All => [.. ManifestFiles.Kustomizations.Where(one => one != "crds" && !one.StartsWith("components/", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(All))]
    public async Task Every_overlay_is_put_together_and_an_API_server_takes_all_of_it(string overlay)
    {
        var home = Directory.CreateTempSubdirectory("fabrik-kustomize-");
        var kubectl = new KubectlProcess(home.FullName, cluster.Kubeconfig);
        if (await kubectl.MissingAsync() is { } missing) Assert.Skip(missing);
        var (code, output, error) = await kubectl.RunAsync($"kustomize {Path.Combine(ManifestFiles.Folder, overlay)}");
        (code, error).ShouldBe((0, ""));
        var objects = Manifest.Read(output);
        if (overlay.EndsWith("monitoring", StringComparison.Ordinal)) await PrometheusOperator.DefineAsync(cluster.Client);

        var refused = new List<string>();
        foreach (var item in objects)
        {
            item["metadata"]!["labels"]![Names.Labels.PartOf].ShouldNotBeNull(ManifestFiles.Said(item)).GetValue<string>().ShouldBe("fabrik");
            try
            {
                await cluster.Client.PatchAsync(
                    ManifestFiles.Type(item), ManifestFiles.Namespace(item), ManifestFiles.Name(item), PatchType.Apply, item, TestContext.Current.CancellationToken,
                    new WriteOptions { DryRun = true, FieldManager = "fabrik-dry-run", FieldValidation = "Strict", Force = true });
            }
            catch (KubernetesException e)
            {
                refused.Add($"{ManifestFiles.Said(item)}: {e.Message}");
            }
        }

        refused.ShouldBeEmpty();
        home.Delete(recursive: true);
    }

    [Fact]
    public void Configurations_use_only_what_the_installer_knows_and_name_files_that_exist()
    {
        foreach (var folder in ManifestFiles.Kustomizations.Select(one => Path.Combine(ManifestFiles.Folder, one)))
        {
            var kustomization = Manifest.Read(File.ReadAllText(Path.Combine(folder, "kustomization.yaml"))).Single();
            kustomization.Select(field => field.Key).Except(Features).ShouldBeEmpty(folder);
            foreach (var path in (kustomization["resources"] as JsonArray ?? []).Select(one => (string)one!).Concat((kustomization["patches"] as JsonArray ?? []).Select(one => (string)one!["path"]!)).Concat((kustomization["configurations"] as JsonArray ?? []).Select(one => (string)one!)))
                Path.Exists(Path.Combine(folder, path)).ShouldBeTrue($"{folder}: {path}");
            Directory.GetFiles(folder, "*.yaml").Select(Path.GetFileName).Except([
                .. (kustomization["resources"] as JsonArray ?? []).Select(one => (string?)one), .. (kustomization["patches"] as JsonArray ?? []).Select(one => (string?)one!["path"]),
                .. (kustomization["configurations"] as JsonArray ?? []).Select(one => (string?)one), "kustomization.yaml",
            ]).ShouldBeEmpty($"files of {folder} that nobody applies");
        }
    }

    [Fact]
    public void The_images_are_those_of_this_version()
    {
        var version = XDocument.Load(Path.Combine(TestData.Checkout, "Directory.Build.props")).Descendants("Version").Single().Value;
        var images = Manifest.Read(File.ReadAllText(Path.Combine(ManifestFiles.Folder, "base", "kustomization.yaml"))).Single()["images"]!.AsArray();

        images.Select(image => (string)image!["newTag"]!).Distinct().ShouldBe([version]);
        ManifestFiles.Containers.Select(one => (string)one.Container["image"]!).Append(ManifestFiles.Environment(ManifestFiles.Container("webhook"))[Names.Variables.GateImage]).Order().ShouldBe(images.Select(image => (string)image!["name"]!).Order());
    }

    [Fact]
    public async Task The_small_overlay_has_one_of_each_and_nothing_that_needs_two()
    {
        var dev = await PutTogetherAsync("overlays/dev");
        dev.Select(ManifestFiles.Kind).ShouldNotContain("HorizontalPodAutoscaler");
        dev.Select(ManifestFiles.Kind).ShouldNotContain("PodDisruptionBudget");
        dev.Where(item => ManifestFiles.Kind(item) is "Deployment" or "StatefulSet").ShouldAllBe(item => (long)item["spec"]!["replicas"]! == 1);
    }

    [Fact]
    public async Task In_production_replicas_never_share_a_node_go_before_runs_and_the_database_has_more_room()
    {
        var prod = await PutTogetherAsync("overlays/prod");
        foreach (var workload in prod.Where(item => ManifestFiles.Kind(item) is "Deployment" or "StatefulSet"))
        {
            var pod = ManifestFiles.Pod(workload);
            ((string?)pod["priorityClassName"]).ShouldBe("fabrik-control-plane", ManifestFiles.Said(workload));
            if (ManifestFiles.Name(workload) == Names.Objects.Control) continue;
            pod["topologySpreadConstraints"]!.AsArray().ShouldContain(one => (string)one!["topologyKey"]! == "kubernetes.io/hostname" && (string)one["whenUnsatisfiable"]! == "DoNotSchedule");
        }

        long Room(IEnumerable<JsonObject> all) => Gibibytes(all.Single(item => ManifestFiles.Kind(item) == "StatefulSet" && ManifestFiles.Name(item) == Names.Objects.Control)["spec"]!["volumeClaimTemplates"]![0]!["spec"]!["resources"]!["requests"]!["storage"]);
        Room(prod).ShouldBeGreaterThan(Room(ManifestFiles.Base));
        static long Gibibytes(JsonNode? size) => long.Parse(((string)size!).Replace("Gi", "", StringComparison.Ordinal), System.Globalization.CultureInfo.InvariantCulture);
    }

    private async Task<IReadOnlyList<JsonObject>> PutTogetherAsync(string overlay)
    {
        var kubectl = new KubectlProcess(Path.GetTempPath(), cluster.Kubeconfig);
        if (await kubectl.MissingAsync() is { } missing) Assert.Skip(missing);
        var (code, output, error) = await kubectl.RunAsync($"kustomize {Path.Combine(ManifestFiles.Folder, overlay)}");
        (code, error).ShouldBe((0, ""));
        return Manifest.Read(output);
    }
}
