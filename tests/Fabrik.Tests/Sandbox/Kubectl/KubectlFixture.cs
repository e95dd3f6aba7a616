using Fabrik.Sandbox.Server;

namespace Fabrik.Tests.Sandbox.Kubectl;

/// <summary>The kubectl of this machine (1.28 or later, from PATH) and a server of its own for it.</summary>
public sealed class KubectlFixture : IAsyncLifetime
{
    private readonly string home = Directory.CreateTempSubdirectory("fabrik-kubectl-").FullName;

    private KubectlProcess kubectl = null!;

    public SandboxServer Server { get; private set; } = null!;

    /// <summary>Why the tests cannot run here; null when they can.</summary>
    public string? Missing { get; private set; }

    public async ValueTask InitializeAsync()
    {
        Server = await SandboxServer.StartAsync(new(), TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(home, "kubeconfig"), Server.Kubeconfig);
        kubectl = new KubectlProcess(home, Path.Combine(home, "kubeconfig"));
        Missing = await kubectl.MissingAsync();
    }

    /// <inheritdoc cref="KubectlProcess.RunAsync"/>
    public Task<(int Code, string Output, string Error)> RunAsync(string arguments, string? input = null, Func<string, bool>? until = null) => kubectl.RunAsync(arguments, input, until);

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        Directory.Delete(home, recursive: true);
    }
}
