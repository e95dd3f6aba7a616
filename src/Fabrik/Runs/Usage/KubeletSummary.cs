using System.Text.Json;

namespace Fabrik.Runs.Usage;

/// <summary>What a kubelet answers at /stats/summary: for each container that runs now its working set and all CPU time since it was started.</summary>
public static class KubeletSummary
{
    /// <returns>Nothing for a document that is not one.</returns>
    public static IEnumerable<ContainerReading> Read(JsonElement summary)
    {
        foreach (JsonElement? pod in summary.Items("pods"))
        {
            var of = pod.Get("podRef");
            if (of.Text("namespace") is not { } ns || of.Text("name") is not { } name) continue;
            foreach (JsonElement? container in pod.Items("containers"))
            {
                var (cpu, memory) = (container.Get("cpu"), container.Get("memory"));
                if (container.Text("name") is not { Length: > 0 } own || (cpu.Time("time") ?? memory.Time("time")) is not { } at) continue;
                yield return new ContainerReading
                {
                    Namespace = ns,
                    Pod = name,
                    Container = own,
                    At = at,
                    MemoryBytes = (long?)Whole(memory, "workingSetBytes"),
                    CpuCounter = Whole(cpu, "usageCoreNanoSeconds") is { } nanoseconds ? nanoseconds / 1e9 : null,
                    Since = container.Time("startTime"),
                };
            }
        }
    }

    private static double? Whole(JsonElement? of, string name) =>
        of.Get(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetUInt64(out var number) ? number : null;
}
