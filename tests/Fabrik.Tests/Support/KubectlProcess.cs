using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Fabrik.Tests.Support;

/// <summary>The kubectl of this machine, with a home of its own.</summary>
/// <param name="home">Exists; holds its cache and is its working directory.</param>
public sealed class KubectlProcess(string home, string kubeconfig)
{
    /// <summary>Why the tests cannot run here; null when they can.</summary>
    public async Task<string?> MissingAsync()
    {
        try
        {
            var version = JsonNode.Parse((await RunAsync("version --client -o json")).Output)?["clientVersion"];
            var minor = int.Parse(new string([.. (version?["minor"]?.GetValue<string>() ?? "0").TakeWhile(char.IsAsciiDigit)]), CultureInfo.InvariantCulture);
            return minor < 28 ? $"kubectl is 1.{minor}; these tests need 1.28 or later" : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "kubectl is not on the PATH";
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
                Environment = { ["KUBECONFIG"] = kubeconfig, ["HOME"] = home, ["KUBECACHEDIR"] = Path.Combine(home, "cache") },
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
