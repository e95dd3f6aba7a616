using System.CommandLine;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Cli.Output;
using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Configuration;

namespace Fabrik.Cli.Commands;

/// <summary>The command's own version, and the cluster's where one can be reached within two seconds.</summary>
public static class VersionCommand
{
    public static string Own { get; } = typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var clientOnly = new Option<bool>("--client") { Description = "Only the command's own version" };
        var command = new Command("version", "Show versions of the command and of the cluster") { Options = { clientOnly } };
        command.SetAction(async (parsed, cancel) =>
        {
            var answer = new JsonObject { ["client"] = Own };
            var cluster = parsed.GetValue(clientOnly) ? null : await ClusterAsync(parsed, globals, clock, cancel);
            if (cluster is not null) answer["kubernetes"] = cluster;
            using var document = JsonDocument.Parse(answer.ToJsonString());
            globals.Printer(parsed, terminal).One(document.RootElement, [("fabrik", Own), ("Kubernetes", cluster)], $"version/{Own}");
        });
        return command;
    }

    private static async Task<string?> ClusterAsync(ParseResult parsed, GlobalOptions globals, TimeProvider clock, CancellationToken cancel)
    {
        try
        {
            using var client = new KubernetesClient(globals.Config(parsed), clock) { Timeout = TimeSpan.FromSeconds(2) };
            var version = await client.GetRawAsync("/version", cancel);
            return version.GetProperty("gitVersion").GetString();
        }
        catch (Exception error) when (error is KubeconfigException or KubernetesException)
        {
            return $"not reached: {error.Message}";
        }
    }
}
