using System.Diagnostics;

namespace Fabrik.Tests.Support;

/// <summary>
/// The container engine of this machine, by its own command line: docker, else podman. Libraries that speak to an engine build images without BuildKit, which the Dockerfile
/// needs, and what is left beside that is a handful of commands.
/// </summary>
internal sealed class ContainerEngine
{
    private static readonly string[] Programs = ["docker", "podman"];

    private ContainerEngine(string program) => Program = program;

    public string Program { get; }

    /// <summary>Skips the test where no engine answers.</summary>
    public static async Task<ContainerEngine> NeedAsync()
    {
        var why = new List<string>();
        foreach (var program in Programs)
        {
            try
            {
                var (code, _, error) = await AskAsync(program, TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken, "ps", "--quiet");
                if (code == 0) return new ContainerEngine(program);
                why.Add($"{program} says: {error.Trim()}");
            }
            catch (System.ComponentModel.Win32Exception)
            {
                why.Add($"{program} is not on the PATH");
            }
        }

        Assert.Skip($"no container engine answers here: {string.Join("; ", why)}");
        return null;
    }

    /// <summary>What it printed. Throws where it failed or took too long.</summary>
    public async Task<string> RunAsync(TimeSpan patience, params string[] arguments)
    {
        var (code, output, error) = await TryAsync(patience, arguments);
        code.ShouldBe(0, $"{Program} {string.Join(' ', arguments)}\n{output}{error}");
        return output;
    }

    public Task<(int Code, string Output, string Error)> TryAsync(TimeSpan patience, params string[] arguments) =>
        AskAsync(Program, patience, TestContext.Current.CancellationToken, arguments);

    /// <summary>An image of this engine into the containerd of a container, without a registry between.</summary>
    public async Task LoadAsync(string image, string container)
    {
        var script = $"{Program} save '{image}' | {Program} exec -i '{container}' ctr -n k8s.io images import -";
        var (code, output, error) = await AskAsync("bash", TimeSpan.FromMinutes(5), TestContext.Current.CancellationToken, "-o", "pipefail", "-c", script);
        code.ShouldBe(0, $"{script}\n{output}{error}");
    }

    /// <summary>Removes the container when this process is gone, however it went: its end of the pipe closes with it. Keep what is returned for as long as the container is to live.</summary>
    public Process Guard(string container) =>
        Process.Start(new ProcessStartInfo("bash", ["-c", $"(read -r; {Program} rm --force --volumes '{container}') <&0 >/dev/null 2>&1 &"]) { RedirectStandardInput = true, UseShellExecute = false })!;

    /// <summary>Also when the test was cancelled: what is left would run on.</summary>
    public Task RemoveAsync(string container) => AskAsync(Program, TimeSpan.FromMinutes(1), CancellationToken.None, "rm", "--force", "--volumes", container);

    private static async Task<(int Code, string Output, string Error)> AskAsync(string program, TimeSpan patience, CancellationToken cancel, params string[] arguments)
    {
        using var limit = new CancellationTokenSource(patience, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancel);
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = TestData.Checkout, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        try
        {
            var error = process.StandardError.ReadToEndAsync(either.Token);
            var output = await process.StandardOutput.ReadToEndAsync(either.Token);
            await process.WaitForExitAsync(either.Token);
            return (process.ExitCode, output, await error);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return (-1, "", $"{program} {string.Join(' ', arguments)} did not end within {patience}");
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }
}
