using System.Diagnostics;
using System.Runtime.InteropServices;
using Fabrik.Tests.Manifests;

namespace Fabrik.Tests.Installation;

/// <summary>k3s of one node in a container, with the images that the Dockerfile makes of this checkout. FABRIK_K3S_IMAGE names another k3s.</summary>
internal sealed class K3sContainer : IAsyncDisposable
{
    /// <summary>Of the Kubernetes that the sandbox plays.</summary>
    private static readonly string Image = Environment.GetEnvironmentVariable(Names.Variables.K3sImage) is { Length: > 0 } named ? named : "docker.io/rancher/k3s:v1.36.2-k3s1";

    private readonly ContainerEngine engine;
    private readonly string name = $"fabrik-k3s-{Guid.NewGuid().ToString("N")[..8]}";

    private Process? guard;

    private K3sContainer(ContainerEngine engine) => this.engine = engine;

    /// <summary>For this machine.</summary>
    public string Kubeconfig { get; private set; } = null!;

    /// <summary>Skips the test where no engine answers, or k3s is not here and cannot be pulled.</summary>
    public static async Task<K3sContainer> StartAsync()
    {
        var container = new K3sContainer(await ContainerEngine.NeedAsync());
        await container.PullAsync();
        var images = await container.BuildAsync();
        try
        {
            await container.RunAsync(images);
        }
        catch
        {
            await container.DisposeAsync();
            throw;
        }

        return container;
    }

    public async ValueTask DisposeAsync()
    {
        await engine.RemoveAsync(name);
        guard?.Dispose();
    }

    private async Task PullAsync()
    {
        if ((await engine.TryAsync(TimeSpan.FromMinutes(1), "image", "inspect", Image)).Code == 0) return;
        var (code, _, error) = await engine.TryAsync(TimeSpan.FromMinutes(5), "pull", "--quiet", Image);
        error.ShouldNotContain("manifest unknown", Case.Insensitive, $"there is no {Image}");
        Assert.SkipWhen(code != 0, $"{Image} cannot be pulled here: {error.Trim()}");
    }

    /// <summary>The names are those of the manifests, so that nothing is pulled.</summary>
    private async Task<IReadOnlyList<string>> BuildAsync()
    {
        // Engines that build without BuildKit know what a build is for only when they are told.
        var platform = RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "linux/arm64" : "linux/amd64";
        var version = Names.Images.Gate.Split(':')[1];
        string[] images = [.. ManifestFiles.Containers.Select(one => $"{one.Container["image"]}:{version}"), Names.Images.Gate];
        foreach (var image in images)
        {
            var process = image[$"{Names.Images.Registry}fabrik-".Length..].Split(':')[0];
            await engine.RunAsync(TimeSpan.FromMinutes(20), "build", "--file", "infra/images/Dockerfile", "--build-arg", $"PROCESS={process}", "--platform", platform, "--tag", image, ".");
        }

        return images;
    }

    private async Task RunAsync(IReadOnlyList<string> images)
    {
        guard = engine.Guard(name);
        await engine.RunAsync(TimeSpan.FromMinutes(1), "run", "--detach", "--privileged", "--name", name, "--tmpfs", "/run", "--tmpfs", "/var/run", "--publish", "127.0.0.1::6443", Image, "server", "--disable=traefik,servicelb");
        var limit = TimeSpan.FromMinutes(4);
        try
        {
            await Wait.UntilAsync("the node of k3s to be ready", async () => (await engine.TryAsync(limit, "exec", name, "kubectl", "wait", "--for=condition=Ready", "node", "--all", "--timeout=10s")).Code == 0, limit);
        }
        catch (Xunit.Sdk.XunitException late)
        {
            var (_, output, error) = await engine.TryAsync(TimeSpan.FromMinutes(1), "logs", "--tail", "40", name);
            throw new InvalidOperationException($"k3s did not get ready; the end of its log:\n{output}{error}", late);
        }

        foreach (var image in images) await engine.LoadAsync(image, name);
        var address = (await engine.RunAsync(TimeSpan.FromMinutes(1), "port", name, "6443/tcp")).Split('\n')[0].Trim();
        Kubeconfig = (await engine.RunAsync(TimeSpan.FromMinutes(1), "exec", name, "cat", "/etc/rancher/k3s/k3s.yaml")).Replace("127.0.0.1:6443", address, StringComparison.Ordinal);
    }
}
