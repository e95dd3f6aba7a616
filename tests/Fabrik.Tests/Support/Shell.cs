using System.Diagnostics;

namespace Fabrik.Tests.Support;

/// <summary>A person's shell, with the fabrik that was built and the kubectl of this machine.</summary>
/// <param name="home">Exists; home and working directory, but for what is typed in a checkout.</param>
internal sealed class Shell(string home, string kubeconfig)
{
    /// <returns>The code with which the first command failed, or 0; and both outputs in their order.</returns>
    public async Task<(int Code, string Output)> RunAsync(string script, TimeSpan patience)
    {
        var fabrik = $"fabrik() {{ dotnet '{Path.Combine(AppContext.BaseDirectory, "fabrik.dll")}' \"$@\"; }}";
        var start = new ProcessStartInfo("bash", ["-euo", "pipefail", "-c", $"exec 2>&1\n{fabrik}\n{script}"])
        {
            WorkingDirectory = script.StartsWith("dotnet ", StringComparison.Ordinal) ? TestData.Checkout : home,
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
            Environment =
            {
                ["KUBECONFIG"] = Path.GetFullPath(kubeconfig), ["HOME"] = home, ["KUBECACHEDIR"] = Path.Combine(home, "cache"),
                ["NUGET_PACKAGES"] = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages"),
                ["GITHUB_RUN_ID"] = "71", ["CI_PIPELINE_ID"] = "72",
            },
        };
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        using var limit = new CancellationTokenSource(patience, TimeProvider.System);
        try
        {
            var output = await process.StandardOutput.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, output);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            return (-1, $"it did not end within {patience}");
        }
    }
}
