using System.Text.Json.Nodes;
using Fabrik.Cli.Installing;
using Fabrik.Installation;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Admission;
using Fabrik.Tests.Manifests;
using Fabrik.Tests.Sandbox.Server;

namespace Fabrik.Tests.Installation;

/// <summary>Images from elsewhere: those of Fabrik's own Pods, and the gate's in Pods of runs.</summary>
public sealed class MirrorTests : IDisposable
{
    private const string Mirror = "mirror.example.com:5000/fabrik";
    private static readonly string Gate = $"{Mirror}/fabrik-gate:{InstalledVersion.Own}";
    private readonly string home = Directory.CreateTempSubdirectory("fabrik-mirror-").FullName;

    public static TheoryData<string> Profiles => [.. InstallSettings.Profiles];

    [Theory]
    [MemberData(nameof(Profiles))]
    public void With_a_mirror_nothing_is_pulled_from_anywhere_else_the_gate_of_runs_neither(string profile)
    {
        var items = ShippedManifests.For(new InstallSettings { Profile = profile, Registry = Mirror });

        items.Where(item => item.ToJsonString().Contains(Names.Images.Registry, StringComparison.Ordinal)).Select(Kustomization.Key).ShouldBeEmpty();
        GateOf(items).ShouldBe(Gate);
        foreach (var policy in items.Where(item => item.Kind() == "ValidatingAdmissionPolicy")) PolicyTwin.Find(policy).ShouldNotBeNull(policy.Name());
    }

    [Fact]
    public void Without_a_mirror_the_gate_is_of_this_version() => GateOf(ShippedManifests.Overlay("prod")).ShouldBe(Names.Images.Gate);

    [Fact]
    public async Task Images_of_an_overlay_on_top_change_the_gate_too_with_kubectl_as_with_the_command()
    {
        const string Own = """
            resources: [../manifests/overlays/dev]
            images: [ { name: ghcr.io/fabrik-dev/fabrik-gate, newName: mirror.example.com/gate, digest: "sha256:1234" } ]
            """;
        var rendered = Kustomization.Render("own", path => path == "own/kustomization.yaml" ? Manifest.Read(Own) : ShippedManifests.Read(path["manifests/".Length..]));
        GateOf(rendered).ShouldBe("mirror.example.com/gate@sha256:1234");

        var kubectl = new KubectlProcess(home, "/dev/null");
        if (await kubectl.MissingAsync() is { } reason) Assert.Skip(reason);
        Directory.CreateSymbolicLink(Path.Combine(home, "manifests"), Path.Combine(TestData.Checkout, "manifests"));
        Directory.CreateDirectory(Path.Combine(home, "own"));
        await File.WriteAllTextAsync(Path.Combine(home, "own", "kustomization.yaml"), Own, TestContext.Current.CancellationToken);
        var (code, output, error) = await kubectl.RunAsync($"kustomize {Path.Combine(home, "own")}");
        code.ShouldBe(0, error);
        GateOf(Manifest.Read(output)).ShouldBe("mirror.example.com/gate@sha256:1234");
    }

    [Fact]
    public async Task Where_images_of_runs_come_from_registries_the_gate_of_the_mirror_is_let_in_and_an_image_that_poses_as_it_is_not()
    {
        await using var api = await ApiServer.StartAsync();
        var kubeconfig = Path.Combine(home, "kubeconfig");
        await File.WriteAllTextAsync(kubeconfig, api.Server.Kubeconfig, TestContext.Current.CancellationToken);
        using var client = new KubernetesClient(ClusterConfig.FromKubeconfig(kubeconfig), TimeProvider.System);
        var items = ShippedManifests.For(new InstallSettings { Registry = Mirror });
        foreach (var item in items.Where(item => item.Kind() == "CustomResourceDefinition" || item.Name() == "fabrik-run-images")) await ApplyAsync(client, item);
        await ApplyAsync(client, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = "ci", ["labels"] = new JsonObject { [Names.Labels.Untrusted] = "true" } } });
        await ApplyAsync(client, new JsonObject { ["apiVersion"] = Names.ApiVersion, ["kind"] = "OptimizerPolicy", ["metadata"] = new JsonObject { ["name"] = Names.PolicyName }, ["spec"] = new JsonObject { ["runs"] = new JsonObject { ["registries"] = new JsonArray("ghcr.io/example") } } });

        await client.CreateAsync(Kinds.Job, "ci", Job(Gate), TestContext.Current.CancellationToken);
        foreach (var other in (string[])[Names.Images.Gate, $"{Mirror}/fabrik-gate-of-mine:1"])
            (await Should.ThrowAsync<KubernetesException>(() => client.CreateAsync(Kinds.Job, "ci", Job(other), TestContext.Current.CancellationToken))).Message.ShouldContain($"these do not: {other}");
    }

    public void Dispose() => Directory.Delete(home, recursive: true);

    private static string? GateOf(IEnumerable<JsonObject> items) =>
        items.Single(item => item.Kind() == "Deployment")["spec"]!["template"]!["spec"]!["containers"]![0]!["env"]!.AsArray().SingleOrDefault(one => (string)one!["name"]! == Names.Variables.GateImage)?["value"]?.ToString();

    private static Task ApplyAsync(KubernetesClient client, JsonObject item) =>
        client.PatchAsync(ManifestFiles.Type(item), item.Namespace(), item.Name(), PatchType.Apply, item, TestContext.Current.CancellationToken, new WriteOptions { FieldManager = "mirror-tests", Force = true });

    private static JsonObject Job(string gate) => JsonNode.Parse($$"""
        {"apiVersion":"batch/v1","kind":"Job","metadata":{"generateName":"run-"},"spec":{"template":{"spec":{"restartPolicy":"Never",
         "initContainers":[{"name":"fabrik-gate","image":"{{gate}}","securityContext":{"readOnlyRootFilesystem":true} } ],
         "containers":[{"name":"main","image":"ghcr.io/example/x","securityContext":{"readOnlyRootFilesystem":true} } ] } } } }
        """)!.AsObject();
}
