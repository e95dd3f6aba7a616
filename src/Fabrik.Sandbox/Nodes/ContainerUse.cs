using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Sandbox.Nodes;

/// <summary>
/// What one run of a container uses: its memory grows evenly from a tenth of the peak to the peak and stays there, its CPU is the same all the time.
/// </summary>
/// <param name="Peak">Bytes at <paramref name="PeakAt"/>.</param>
internal sealed record ContainerUse(string Name, DateTimeOffset Start, DateTimeOffset End, DateTimeOffset PeakAt, long Peak, long CpuMillis)
{
    /// <summary>As the sandbox's server takes it.</summary>
    /// <param name="ended">Null while the containers run.</param>
    public static JsonObject ToJson(KubeObject pod, string node, IEnumerable<ContainerUse> uses, DateTimeOffset? ended)
    {
        var body = new JsonObject
        {
            ["uid"] = pod.Uid,
            ["node"] = node,
            ["labels"] = pod.Json.TryGetProperty("metadata", out var metadata) && metadata.TryGetProperty("labels", out var labels) ? JsonObject.Create(labels) : [],
            ["containers"] = new JsonArray([.. uses.Select(use => new JsonObject
            {
                ["name"] = use.Name,
                ["start"] = use.Start.ToString("O"),
                ["end"] = use.End.ToString("O"),
                ["peakAt"] = use.PeakAt.ToString("O"),
                ["peak"] = use.Peak,
                ["cpuMillis"] = use.CpuMillis,
            })]),
        };
        if (ended is { } at) body["ended"] = at.ToString("O");
        return body;
    }
}
