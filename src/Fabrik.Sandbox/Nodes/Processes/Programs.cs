using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;

namespace Fabrik.Sandbox.Nodes.Processes;

/// <summary>Which of Fabrik's images is which built process.</summary>
internal static class Programs
{
    private static readonly Dictionary<string, string> Assemblies = new(StringComparer.Ordinal)
    {
        ["fabrik-webhook"] = "Fabrik.Webhook.dll",
        ["fabrik-gateway"] = "Fabrik.Proxy.dll",
        ["fabrik-scheduler"] = "Fabrik.CronJobs.dll",
        ["fabrik-api"] = "Fabrik.Api.dll",
    };

    /// <summary>Null for other images.</summary>
    public static string? Of(string? image)
    {
        var name = (image ?? "").Split('@')[0].Split('/')[^1].Split(':')[0];
        return Assemblies.GetValueOrDefault(name);
    }

    /// <summary>Whether all containers of a Pod are Fabrik's processes.</summary>
    public static bool Runs(KubeObject pod) => pod.Json.List("spec", "containers").Any() && pod.Json.List("spec", "containers").All(container => Of(container.Text("image")) is not null);
}
