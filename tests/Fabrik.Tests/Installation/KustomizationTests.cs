using System.Text.Json.Nodes;
using Fabrik.Cli.Installing;
using Fabrik.Installation;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Installation;

public sealed class KustomizationTests : IDisposable
{
    private readonly string home = Directory.CreateTempSubdirectory("fabrik-kustomize-").FullName;

    public static TheoryData<string> Overlays => [.. Directory.GetDirectories(Path.Combine(TestData.Checkout, "manifests/overlays")).Select(path => Path.GetFileName(path))];

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Every_overlay_is_rendered_as_kubectl_renders_it(string overlay)
    {
        var kubectl = new KubectlProcess(home, "/dev/null");
        if (await kubectl.MissingAsync() is { } reason) Assert.Skip(reason);
        var (code, output, error) = await kubectl.RunAsync($"kustomize {Path.Combine(TestData.Checkout, "manifests/overlays", overlay)}");
        code.ShouldBe(0, error);

        Alike(ShippedManifests.Overlay(overlay), output);
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("prod")]
    public async Task With_cert_manager_an_overlay_is_rendered_as_kubectl_renders_it_with_the_component_over_it(string profile)
    {
        var kubectl = new KubectlProcess(home, "/dev/null");
        if (await kubectl.MissingAsync() is { } reason) Assert.Skip(reason);
        Directory.CreateSymbolicLink(Path.Combine(home, "manifests"), Path.Combine(TestData.Checkout, "manifests"));
        Directory.CreateDirectory(Path.Combine(home, "own"));
        await File.WriteAllTextAsync(Path.Combine(home, "own", "kustomization.yaml"), $"resources: [../manifests/overlays/{profile}]\ncomponents: [../manifests/components/cert-manager]", TestContext.Current.CancellationToken);
        var (code, output, error) = await kubectl.RunAsync($"kustomize {Path.Combine(home, "own")}");
        code.ShouldBe(0, error);

        Alike(ShippedManifests.For(new InstallSettings { Profile = profile, Certificates = InstallSettings.CertManager }), output);
    }

    private static void Alike(IEnumerable<JsonObject> items, string output)
    {
        var expected = Manifest.Read(output).ToDictionary(Kustomization.Key, StringComparer.Ordinal);
        var rendered = items.ToDictionary(Kustomization.Key, StringComparer.Ordinal);

        expected.ShouldNotBeEmpty();
        rendered.Keys.Order(StringComparer.Ordinal).ShouldBe(expected.Keys.Order(StringComparer.Ordinal));
        foreach (var (key, item) in rendered) JsonNode.DeepEquals(item, expected[key]).ShouldBeTrue($"{key}\n{item}\n{expected[key]}");
    }

    [Fact]
    public void A_patch_merges_containers_by_their_name_replaces_other_lists_and_removes_what_is_null()
    {
        var rendered = Render("""
            apiVersion: apps/v1
            kind: Deployment
            metadata: { name: web, namespace: x }
            spec:
              paused: true
              template: { spec: { containers: [ { name: a, image: one:1, args: [b, c], env: [ { name: E, value: old }, { name: F, value: kept } ] }, { name: b, image: two:1 } ] } }
            """, """
            apiVersion: apps/v1
            kind: Deployment
            metadata: { name: web, namespace: x }
            spec:
              paused: null
              template: { spec: { containers: [ { name: a, args: [d], env: [ { name: E, value: new } ] } ] } }
            """, "images: [ { name: two, newName: mirror/two, newTag: '2' } ]\nreplicas: [ { name: web, count: 3 } ]");

        var expected = Manifest.Read("""
            apiVersion: apps/v1
            kind: Deployment
            metadata: { name: web, namespace: x }
            spec:
              replicas: 3
              template: { spec: { containers: [ { name: a, image: one:1, args: [d], env: [ { name: E, value: new }, { name: F, value: kept } ] }, { name: b, image: 'mirror/two:2' } ] } }
            """)[0];
        JsonNode.DeepEquals(rendered.ShouldHaveSingleItem(), expected).ShouldBeTrue(rendered[0].ToString());
    }

    [Fact]
    public void A_patch_that_deletes_takes_the_object_away_and_one_for_nothing_is_refused()
    {
        Render("apiVersion: v1\nkind: Secret\nmetadata: { name: a }", "$patch: delete\napiVersion: v1\nkind: Secret\nmetadata: { name: a }").ShouldBeEmpty();

        Should.Throw<FormatException>(() => Render("apiVersion: v1\nkind: Secret\nmetadata: { name: a }", "apiVersion: v1\nkind: Secret\nmetadata: { name: b }")).Message.ShouldContain("Secret /b");
    }

    [Theory]
    [InlineData("namePrefix: x-")]
    [InlineData("labels: [ { pairs: { a: b }, includeSelectors: true } ]")]
    [InlineData("replicas: [ { name: nobody, count: 2 } ]")]
    public void What_is_not_supported_is_refused_rather_than_left_out(string more) =>
        Should.Throw<FormatException>(() => Render("apiVersion: v1\nkind: Secret\nmetadata: { name: a }", null, more)).Message.ShouldContain("k/kustomization.yaml");

    public void Dispose() => Directory.Delete(home, recursive: true);

    private static IReadOnlyList<JsonObject> Render(string item, string? patch, string more = "")
    {
        var files = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["k/kustomization.yaml"] = $"resources: [item.yaml]\n{(patch is null ? "" : "patches: [ { path: patch.yaml } ]")}\n{more}",
            ["k/item.yaml"] = item,
            ["k/patch.yaml"] = patch ?? "",
        };
        return Kustomization.Render("k", path => Manifest.Read(files[path]));
    }
}
