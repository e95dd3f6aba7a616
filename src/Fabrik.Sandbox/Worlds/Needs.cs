using System.Globalization;
using System.Text.Json;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;
using Fabrik.Sandbox.Nodes;
using Fabrik.Schedules;

namespace Fabrik.Sandbox.Worlds;

/// <summary>Finds what a Pod needs: its annotations, else the first rule of the world that matches, else what its command says.</summary>
internal static class Needs
{
    /// <param name="ordinal">How many Pods of the same Job came before, on this node.</param>
    public static PodNeeds Of(KubeObject pod, World world, int ordinal)
    {
        var containers = pod.Json.List("spec", "containers").ToList();
        var images = containers.ConvertAll(container => container.Text("image") ?? "");
        var family = pod.Json.Controller("Job") is var (job, _) ? $"{world.Seed}/{pod.Namespace}/{job}" : $"{world.Seed}/{pod.Namespace}/{pod.Name}";
        var needs = new PodNeeds { Key = $"{family}/{ordinal}", Unpullable = images.Exists(Missing) };
        var rule = world.Rules.FirstOrDefault(rule => rule.Matches(pod, images));
        needs = rule is not null ? Apply(rule, needs, family, containers) : CommandGuess.Apply(containers.FirstOrDefault(), needs);
        return Annotated(pod, needs, ordinal);
    }

    private static PodNeeds Apply(NeedRule rule, PodNeeds needs, string family, List<JsonElement> containers)
    {
        var main = containers.Find(container => container.Text("name") == rule.Container);
        if (main.ValueKind == JsonValueKind.Undefined) main = containers.FirstOrDefault();
        var seconds = rule.Duration?.At(Draw.Uniform(family + "/duration")) ?? 1;
        var cpu = rule.CpuCores * 1000;
        if (cpu is { } wanted && NodeCapacity.Amount(main.Text("resources", "limits", "cpu"), 1000) is > 0 and var millis)
        {
            // The work stays the same: what takes longer uses less at a time.
            var longer = Math.Pow(wanted / millis, rule.CpuExponent);
            seconds *= longer;
            cpu = wanted / longer;
        }

        return needs with
        {
            Container = rule.Container,
            Duration = TimeSpan.FromSeconds(Math.Clamp(seconds, 0.001, 10_000_000)),
            CpuMillis = cpu is { } used ? (long)Math.Ceiling(used) : needs.CpuMillis,
            Memory = rule.Memory is { } memory ? (long)memory.At(Draw.Uniform(family + "/memory")) : null,
            FailureRate = rule.FailureRate,
            ExitCodes = rule.ExitCodes,
            OutOfMemoryAt = rule.OutOfMemoryAt ?? (0.3 + (0.65 * Draw.Uniform(needs.Key + "/oom"))),
            OutOfMemoryExitCode = rule.OutOfMemoryExitCode,
            EvictedAt = Draw.Uniform(needs.Key + "/evicted") < rule.EvictionRate ? Draw.Uniform(needs.Key + "/evicted-at") : null,
            Unpullable = needs.Unpullable || rule.Unpullable,
            Log = rule.Log,
        };
    }

    /// <summary>Annotations that cannot be read count as absent.</summary>
    private static PodNeeds Annotated(KubeObject pod, PodNeeds needs, int ordinal)
    {
        if (pod.Annotation(Names.Annotations.SandboxDuration) is { } duration && Span(duration) is { } span) needs = needs with { Duration = span };
        if (NodeCapacity.Amount(pod.Annotation(Names.Annotations.SandboxMemory)) is { } memory) needs = needs with { Memory = memory };
        if (Number(pod.Annotation(Names.Annotations.SandboxFailureRate)) is { } rate) needs = needs with { FailureRate = rate };
        if (Number(InTurn(pod.Annotation(Names.Annotations.SandboxExitCode), ordinal)) is { } code) needs = needs with { ExitCode = (int)Math.Clamp(code, 0, 255) };
        if (pod.Annotation(Names.Annotations.SandboxLog) is { } log) needs = needs with { Log = log };
        if (pod.Annotation(Names.Annotations.SandboxUnpullable) == "true") needs = needs with { Unpullable = true };
        if (pod.Annotation(Names.Annotations.SandboxCheckpoint) is { } checkpoint) needs = needs with { Checkpoint = checkpoint };
        return InTurn(pod.Annotation(Names.Annotations.SandboxEvict), ordinal) switch
        {
            null or "false" => needs,
            "true" => needs with { EvictedAt = 0.5 },
            var part => Number(part) is { } fraction ? needs with { EvictedAt = Math.Clamp(fraction, 0, 1) } : needs,
        };
    }

    private static string? InTurn(string? list, int ordinal) => list?.Split(',', StringSplitOptions.TrimEntries) is { } turns ? turns[Math.Min(ordinal, turns.Length - 1)] : null;

    private static TimeSpan? Span(string text) =>
        Number(text) is { } seconds ? TimeSpan.FromSeconds(Math.Clamp(seconds, 0, 10_000_000)) : GoDuration.TryParse(text, out var span, out _) && span >= TimeSpan.Zero ? span : null;

    private static double? Number(string? text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number : null;

    /// <summary>Images that no registry has: nopull, and every host that ends in .invalid.</summary>
    private static bool Missing(string image)
    {
        var host = image.Split('/')[0];
        var name = image.Split('/')[^1].Split(':', '@')[0];
        return name == "nopull" || (image.Contains('/', StringComparison.Ordinal) && host.Split(':')[0].EndsWith(".invalid", StringComparison.Ordinal));
    }
}
