using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Sandbox.Nodes;
using Fabrik.Schedules;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Fabrik.Sandbox.Worlds;

/// <summary>Reads a world file strictly: an unknown field is an error, and all errors are told at once.</summary>
internal static class WorldReader
{
    private static readonly string[] JobFields = ["parallelism", "completions", "completionMode", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished", "suspend"];
    private static readonly string[] PodFields = ["restartPolicy", "nodeSelector", "tolerations", "initContainers", "serviceAccountName", "runtimeClassName"];
    private static readonly string[] ContainerFields = ["image", "command", "args", "env", "resources", "imagePullPolicy"];

    public static World Read(string text, string file)
    {
        List<string> problems = [];
        var world = Read(text, file, problems);
        return problems.Count == 0 ? world! : throw new WorldException($"The world {file} is wrong:\n  {string.Join("\n  ", problems)}");
    }

    private static World? Read(string text, string file, List<string> problems)
    {
        var yaml = new YamlStream();
        try
        {
            yaml.Load(new StringReader(text));
        }
        catch (YamlException error)
        {
            problems.Add($"{file}:{error.Start.Line}: {error.InnerException?.Message ?? error.Message}");
            return null;
        }

        if (yaml.Documents.Count != 1)
        {
            problems.Add($"{file}: one YAML document is expected, there are {yaml.Documents.Count}");
            return null;
        }

        if (yaml.Documents[0].AllNodes.Take(200_001).Count() > 200_000)
        {
            problems.Add($"{file}: more than 200000 values");
            return null;
        }

        if (YamlSection.Of(yaml.Documents[0].RootNode, "", file, problems) is not { } root) return null;
        var namespaces = root.Sections("namespaces").Select(Namespace).ToList();
        var world = new World
        {
            Name = file,
            Seed = root.Text("seed") ?? "1",
            Node = root.Section("node") is { } node ? Node(node) : new NodeShape(),
            Namespaces = namespaces,
            Objects = root.Sections("objects").Select(Object).ToList(),
            Later = root.Sections("later").Select(Later).ToList(),
            Workloads = root.Sections("workloads").Select(Workload).ToList(),
            Rules = root.Sections("rules").Select(Rule).ToList(),
        };
        root.Done();
        foreach (var twice in world.Workloads.GroupBy(workload => (workload.Namespace, workload.Name)).Where(group => group.Count() > 1))
            problems.Add($"{file}: the workload {twice.Key.Name} in {twice.Key.Namespace} is there {twice.Count()} times");
        return world;
    }

    private static NodeShape Node(YamlSection at)
    {
        var usual = new NodeShape();
        var node = new NodeShape
        {
            Name = at.Text("name") ?? usual.Name,
            Cpu = Quantity(at, "cpu") ?? usual.Cpu,
            Memory = Quantity(at, "memory") ?? usual.Memory,
            EphemeralStorage = Quantity(at, "ephemeral-storage") ?? usual.EphemeralStorage,
            Pods = at.Whole("pods", 1, 100_000) ?? usual.Pods,
            Labels = at.Texts("labels"),
            Taints = at.Sections("taints").Select(Taint).ToList(),
        };
        at.Done();
        return node;
    }

    private static NodeTaint Taint(YamlSection at)
    {
        var effect = at.Text("effect", required: true) ?? "";
        if (effect is not ("" or "NoSchedule" or "NoExecute" or "PreferNoSchedule")) at.Problem("effect", "must be NoSchedule, NoExecute or PreferNoSchedule");
        var taint = new NodeTaint(at.Text("key", required: true) ?? "", at.Text("value"), effect);
        at.Done();
        return taint;
    }

    private static string? Quantity(YamlSection at, string field)
    {
        var text = at.Text(field);
        return text is not null && at.Bytes(field, text) is null ? null : text;
    }

    private static WorldNamespace Namespace(YamlSection at)
    {
        var ns = new WorldNamespace(at.Text("name", required: true) ?? "", at.Texts("labels"), at.Texts("annotations"));
        at.Done();
        return ns;
    }

    /// <summary>Whole Kubernetes objects: their fields are the API server's to judge.</summary>
    private static JsonObject Object(YamlSection at)
    {
        at.Text("apiVersion", required: true);
        at.Text("kind", required: true);
        at.Section("metadata")?.Text("name", required: true);
        if (!at.Has("metadata")) at.Problem("metadata", "is required");
        return at.Json();
    }

    private static LaterObject Later(YamlSection at)
    {
        var after = at.Duration("after") ?? TimeSpan.Zero;
        var once = at.Text("once");
        if (!at.Has("after") && once is null) at.Problem("after", "is required, or once");
        if (once is not null && !WireNames.TryParse<Phase>(once, out _)) at.Problem("once", $"must be a phase: {string.Join(", ", WireNames.All<Phase>())}");
        var inner = at.Section("object");
        if (inner is null) at.Problem("object", "is required");
        var later = new LaterObject(after, once, inner is null ? [] : Object(inner));
        at.Done();
        return later;
    }

    private static Workload Workload(YamlSection at)
    {
        var schedule = at.Text("schedule");
        var zone = at.Text("timeZone");
        if (schedule is not null)
            foreach (var (field, message) in CronJobSchedule.Problems(schedule, zone)) at.Problem(field[(field.IndexOf('.') + 1)..], message);
        if (schedule is not null && (at.Has("count") || at.Has("every"))) at.Problem("schedule", "makes a CronJob; count and every are for single Jobs");
        if (schedule is null && zone is not null) at.Problem("timeZone", "needs a schedule");
        var job = at.Section("job");
        if (job is null && !at.Has("job")) at.Problem("job", "is required");
        var workload = new Workload
        {
            Name = at.Text("name", required: true) ?? "",
            Namespace = at.Text("namespace", required: true) ?? "",
            Count = at.Whole("count", 0, 1_000_000) ?? 1,
            Every = at.Duration("every") ?? TimeSpan.Zero,
            After = at.Duration("after") ?? TimeSpan.Zero,
            Schedule = schedule,
            TimeZone = zone,
            Job = job is null ? [] : Job(job, at.Text("name") ?? "main"),
        };
        at.Done();
        return workload;
    }

    private static JsonObject Job(YamlSection at, string container)
    {
        var metadata = new JsonObject();
        foreach (var field in new[] { "labels", "annotations" })
            if (at.Texts(field) is { Count: > 0 } texts) metadata[field] = Map(texts);
        var main = new JsonObject { ["name"] = at.Text("container") ?? container };
        at.Text("image", required: true);
        Take(at, ContainerFields, main);
        var pod = new JsonObject { ["restartPolicy"] = "Never", ["containers"] = new JsonArray(main) };
        Take(at, PodFields, pod);
        if ((string?)pod["restartPolicy"] is not ("Never" or "OnFailure")) at.Problem("restartPolicy", "must be Never or OnFailure");
        var template = new JsonObject { ["spec"] = pod };

        // The labels of a Job say nothing to its Pods; as people do, they are written in both places.
        if (metadata["labels"] is { } labels) template["metadata"] = new JsonObject { ["labels"] = labels.DeepClone() };
        var played = metadata["annotations"]?.AsObject().Where(one => one.Key.StartsWith(Names.Annotations.SandboxPrefix, StringComparison.Ordinal)).Select(one => KeyValuePair.Create(one.Key, one.Value?.DeepClone())).ToList();
        if (played is { Count: > 0 }) (template["metadata"] ??= new JsonObject())["annotations"] = new JsonObject(played);
        var spec = new JsonObject();
        Take(at, JobFields, spec);
        spec["template"] = template;
        foreach (var number in new[] { "parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished" }) at.Whole(number, 0);
        at.Done();
        return new JsonObject { ["metadata"] = metadata, ["spec"] = spec };
    }

    private static void Take(YamlSection from, string[] fields, JsonObject to)
    {
        foreach (var field in fields)
            if (from.Json(field) is { } value) to[field] = value;
    }

    private static NeedRule Rule(YamlSection at)
    {
        var match = at.Section("match");
        var oom = at.Section("oom");
        var cpu = at.Section("cpu");
        var rule = new NeedRule
        {
            Labels = match?.Texts("labels") ?? new Dictionary<string, string>(StringComparer.Ordinal),
            Namespace = match?.Text("namespace"),
            Image = match?.Text("image"),
            Container = at.Text("container"),
            Memory = Distribution(at, "memory", at.Bytes),
            Duration = Distribution(at, "duration", at.Seconds),
            CpuCores = cpu?.Number("cores", 0.001, 10_000),
            CpuExponent = cpu?.Number("exponent", 0, 10) ?? 1,
            FailureRate = at.Number("failure-rate", 0, 1) ?? 0,
            ExitCodes = Codes(at),
            OutOfMemoryAt = oom?.Number("at", 0, 1),
            OutOfMemoryExitCode = oom?.Whole("exit-code", 0, 255) ?? 137,
            EvictionRate = at.Number("eviction-rate", 0, 1) ?? 0,
            Unpullable = at.Flag("unpullable"),
            Log = at.Text("log"),
        };
        foreach (var section in new[] { at, match, oom, cpu }) section?.Done();
        return rule;
    }

    private static IReadOnlyList<int> Codes(YamlSection at)
    {
        if (at.Node("exit-codes") is not { } node) return [1];
        var codes = node is YamlSequenceNode list ? list.Children : [node];
        var numbers = codes.Select(code => int.TryParse((code as YamlScalarNode)?.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1).ToList();
        if (numbers.Count > 0 && numbers.TrueForAll(number => number is > 0 and < 256)) return numbers;
        at.Problem("exit-codes", "must be numbers from 1 to 255");
        return [1];
    }

    private static Distribution? Distribution(YamlSection at, string field, Func<string, string, double?> amount)
    {
        if (at.Node(field) is not { } node) return null;
        if (node is YamlScalarNode scalar) return amount(field, scalar.Value ?? "") is { } value ? new Distribution.Fixed(value) : null;
        if (at.Section(field) is not { } section) return null;
        if (section.Names is not [var shape and ("fixed" or "uniform" or "normal" or "lognormal")])
        {
            at.Problem(field, "must be an amount or one of fixed, uniform, normal, lognormal");
            return null;
        }

        if (shape == "fixed") return amount(field, section.Text(shape) ?? "") is { } one ? new Distribution.Fixed(one) : null;
        if (section.Section(shape) is not { } inner) return null;
        var parts = inner.Names.Select(name => (Part: Part(shape, name), Value: amount(field, inner.Text(name) ?? ""))).OrderBy(pair => pair.Part).ToList();
        if (parts is not [({ } low, { } from), ({ } high, { } to)] || low >= high || from > to || (shape == "lognormal" && from <= 0))
        {
            at.Problem(field, shape == "uniform" ? "needs from and to, the first not above the second" : $"needs two quantiles such as p50 and p95, the values growing{(shape == "lognormal" ? " and above 0" : "")}");
            return null;
        }

        return shape switch
        {
            "uniform" => new Distribution.Uniform(from, to),
            "normal" => Worlds.Distribution.Normal.Through(low, from, high, to),
            _ => Worlds.Distribution.LogNormal.Through(low, from, high, to),
        };
    }

    private static double? Part(string shape, string name) => shape == "uniform"
        ? name switch { "from" => 0, "to" => 1, _ => null }
        : name.StartsWith('p') && double.TryParse(name[1..], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var percent) && percent is > 0 and < 100 ? percent / 100 : null;

    private static JsonObject Map(IReadOnlyDictionary<string, string> texts) =>
        new(texts.Select(text => KeyValuePair.Create<string, JsonNode?>(text.Key, text.Value)));
}
