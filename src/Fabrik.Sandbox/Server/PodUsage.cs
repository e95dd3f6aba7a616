using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Server;

/// <summary>
/// What the containers of simulated Pods use. The node tells with <c>POST /sandbox/v1/usage/{namespace}/{pod}</c> (JSON, as administrator)
/// how a container's use will go when it starts, and when it has ended. What has ended is shown for some real seconds more, as it was at the
/// end: in simulated time that runs fast, nobody who samples in real time would see it otherwise.
/// </summary>
/// <param name="real">The time that those who sample live in.</param>
public sealed class PodUsage(TimeProvider real)
{
    /// <summary>Longer than between two samples of Fabrik in the sandbox.</summary>
    public static readonly TimeSpan Shown = TimeSpan.FromSeconds(6);

    private const int MaximumPods = 20_000;
    private readonly Lock gate = new();
    private readonly LinkedList<Entry> order = [];
    private readonly Dictionary<(string Namespace, string Pod), LinkedListNode<Entry>> pods = [];

    /// <summary>One container at one moment.</summary>
    public sealed record Container(string Name, DateTimeOffset Start, DateTimeOffset At, long MemoryBytes, double CoreSeconds, long CpuMillis);

    /// <summary>One Pod at one moment.</summary>
    public sealed record Pod(string Namespace, string Name, string Uid, string Node, IReadOnlyDictionary<string, string> Labels, IReadOnlyList<Container> Containers)
    {
        public DateTimeOffset At => Containers.Max(container => container.At);
    }

    /// <summary>False where the body is not one.</summary>
    public bool Take(string ns, string name, JsonNode? body)
    {
        if (body.Text("uid") is not { } uid || body.Text("node") is not { } node) return false;
        var plans = body.Items("containers").Select(Plan.Read).ToList();
        if (plans.Exists(plan => plan is null)) return false;
        var labels = (body.At("labels") as JsonObject ?? []).ToDictionary(label => label.Key, label => label.Value.Text() ?? "", StringComparer.Ordinal);
        var entry = new Entry(ns, name, uid, node, labels, [.. plans.OfType<Plan>()], Instant(body, "ended"), real.GetTimestamp());
        lock (gate)
        {
            if (pods.Remove((ns, name), out var known)) order.Remove(known);
            pods[(ns, name)] = order.AddLast(entry);
            while (pods.Count > MaximumPods) Drop(order.First!);
        }

        return true;
    }

    /// <summary>All Pods that have run for some time until this moment.</summary>
    public IReadOnlyList<Pod> At(DateTimeOffset now)
    {
        var shown = new List<Pod>();
        lock (gate)
        {
            for (var at = order.First; at is not null;)
            {
                var (entry, next) = (at.Value, at.Next);
                if (entry.Ended is not null && real.GetElapsedTime(entry.ToldAt) > Shown) Drop(at);
                else if (entry.Plans.Select(plan => plan.At(entry.Ended < now ? entry.Ended.Value : now)).OfType<Container>().ToList() is { Count: > 0 } containers)
                    shown.Add(new Pod(entry.Namespace, entry.Name, entry.Uid, entry.Node, entry.Labels, containers));
                at = next;
            }
        }

        return shown;
    }

    private static DateTimeOffset? Instant(JsonNode? of, string name) =>
        DateTimeOffset.TryParse(of.Text(name), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var time) ? time : null;

    private void Drop(LinkedListNode<Entry> node)
    {
        order.Remove(node);
        pods.Remove((node.Value.Namespace, node.Value.Name));
    }

    private sealed record Entry(string Namespace, string Name, string Uid, string Node, IReadOnlyDictionary<string, string> Labels, IReadOnlyList<Plan> Plans, DateTimeOffset? Ended, long ToldAt);

    private sealed record Plan(string Name, DateTimeOffset Start, DateTimeOffset End, DateTimeOffset PeakAt, long Peak, long CpuMillis)
    {
        public static Plan? Read(JsonNode? from) =>
            from.Text("name") is { } name && Instant(from, "start") is { } start && Instant(from, "end") is { } end && Instant(from, "peakAt") is { } peakAt && from.Number("peak") is { } peak && from.Number("cpuMillis") is { } cpu
                ? new Plan(name, start, end, peakAt, peak, cpu)
                : null;

        public Container? At(DateTimeOffset now)
        {
            var at = now < End ? now : End;
            if (at <= Start) return null;
            var part = PeakAt <= Start ? 1 : Math.Min(1, (at - Start) / (PeakAt - Start));
            return new Container(Name, Start, at, (long)(Peak * (0.1 + (0.9 * part))), CpuMillis / 1000.0 * (at - Start).TotalSeconds, CpuMillis);
        }
    }
}
