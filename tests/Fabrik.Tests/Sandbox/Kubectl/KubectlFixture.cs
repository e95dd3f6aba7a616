using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Server;

namespace Fabrik.Tests.Sandbox.Kubectl;

/// <summary>The kubectl of this machine (1.28 or later, from PATH) and a server of its own for it.</summary>
public sealed class KubectlFixture : IAsyncLifetime
{
    private readonly string home = Directory.CreateTempSubdirectory("fabrik-kubectl-").FullName;

    public SandboxServer Server { get; private set; } = null!;

    /// <summary>Why the tests cannot run here; null when they can.</summary>
    public string? Missing { get; private set; }

    public async ValueTask InitializeAsync()
    {
        Server = await SandboxServer.StartAsync(new(), TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(home, "kubeconfig"), Server.Kubeconfig);
        try
        {
            var version = JsonNode.Parse((await RunAsync("version --client -o json")).Output)?["clientVersion"];
            var minor = int.Parse(new string([.. (version?["minor"]?.GetValue<string>() ?? "0").TakeWhile(char.IsAsciiDigit)]), CultureInfo.InvariantCulture);
            if (minor < 28) Missing = $"kubectl is 1.{minor}; these tests need 1.28 or later";
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Missing = "kubectl is not on the PATH";
        }
    }

    /// <summary>Runs kubectl; a leading part of <paramref name="input"/> goes to its standard input.</summary>
    public async Task<(int Code, string Output, string Error)> RunAsync(string arguments, string? input = null, Func<string, bool>? until = null)
    {
        using var process = new Process
        {
            StartInfo = new("kubectl", [.. Split(arguments)])
            {
                UseShellExecute = false,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = home,
                Environment = { ["KUBECONFIG"] = Path.Combine(home, "kubeconfig"), ["HOME"] = home, ["KUBECACHEDIR"] = Path.Combine(home, "cache") },
            },
        };
        process.Start();
        if (input is not null) await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(90), TimeProvider.System);
        var error = process.StandardError.ReadToEndAsync(limit.Token);
        var output = "";
        try
        {
            while (await process.StandardOutput.ReadLineAsync(limit.Token) is { } line)
            {
                output += line + "\n";
                if (until?.Invoke(output) != true) continue;
                process.Kill();
                return (0, output, "");
            }

            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException late)
        {
            process.Kill();
            throw new TimeoutException($"kubectl {arguments} did not end; so far: {output}", late);
        }

        return (process.ExitCode, output, await error);
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        Directory.Delete(home, recursive: true);
    }

    // Words, with single quotes around those that hold spaces.
    private static IEnumerable<string> Split(string arguments)
    {
        var parts = arguments.Split('\'');
        for (var i = 0; i < parts.Length; i++)
        {
            if (i % 2 == 1) yield return parts[i];
            else foreach (var word in parts[i].Split(' ', StringSplitOptions.RemoveEmptyEntries)) yield return word;
        }
    }
}
