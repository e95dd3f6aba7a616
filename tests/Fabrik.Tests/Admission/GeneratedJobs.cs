using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;

namespace Fabrik.Tests.Admission;

/// <summary>Jobs and snapshots that the schema allows, most of them odd in some way.</summary>
internal sealed class GeneratedJobs(Random random)
{
    private static readonly string[] Memory = ["64Mi", "128Mi", "200M", "512Mi", "1Gi", "1536Mi", "2Gi", "3Gi", "4Gi", "5000000001", "8Gi"];
    private static readonly string[] Cpu = ["50m", "100m", "250m", "333m", "500m", "1", "1500m", "2", "4"];

    /// <summary>A number is enough to say a case again.</summary>
    public static Arbitrary<int> Seeds => Gen.Choose(0, int.MaxValue).ToArbitrary();

    public JsonObject Review(string unit)
    {
        var review = JsonNode.Parse(Fabrik.Tests.Support.TestData.Bytes("admission/reviews/jobs-create-ok-job.json"))!.AsObject();
        review["request"]!["uid"] = unit;
        review["request"]!["object"] = Job();
        return review;
    }

    public JsonObject Job()
    {
        var metadata = new JsonObject { ["namespace"] = "ci", [Maybe(0.3) ? "generateName" : "name"] = "job-" };
        Add(metadata, "labels", () => Map(("team", "a"), ("example.com/x~y", "b")));
        Add(metadata, "annotations", () => Map(("note", "quotes \" back\\slash \u00e9 \ud83d\ude80 <tag>\n"), ("fabrik.dev/optimize", "true")));
        if (Maybe(0.4)) (metadata["annotations"] ??= new JsonObject())[Names.Annotations.Resume] = Pick("5Gi", "5Gi", "1Mi", "512M", "0", "200Gi", "much", "");
        Add(metadata, "managedFields", () => new JsonArray(new JsonObject { ["manager"] = "kubectl", ["fieldsV1"] = new JsonObject { ["f:spec"] = new JsonObject() } }));
        var pod = new JsonObject { ["containers"] = new JsonArray([.. Enumerable.Range(0, 1 + random.Next(3)).Select(i => Container(i == 2 && Maybe() ? "istio-proxy" : $"c{i}"))]), ["restartPolicy"] = "Never" };
        Add(pod, "initContainers", () => new JsonArray(Init("setup"), Init("proxy")));
        Add(pod, "nodeSelector", () => Map(("pool", "batch"), ("disk", "ssd")));
        Add(pod, "tolerations", () => Maybe() ? new JsonArray() : new JsonArray(new JsonObject { ["key"] = "spot", ["operator"] = "Exists" }));
        Add(pod, "runtimeClassName", () => Pick("runc", "gvisor", "unknown"), 0.2);
        Add(pod, "resources", () => new JsonObject { ["limits"] = Map(("memory", "8Gi")) }, 0.05);
        Add(pod, "automountServiceAccountToken", () => Maybe(), 0.2);
        Add(pod, "securityContext", () => Maybe() ? new JsonObject() : new JsonObject { ["runAsUser"] = 0, ["sysctls"] = new JsonArray() }, 0.8);
        Add(pod, "volumes", () => Maybe(0.2) ? new JsonArray() : new JsonArray(new JsonObject { ["name"] = Pick("scratch", "scratch", "scratch", "fabrik-resume"), ["emptyDir"] = new JsonObject() }, new JsonObject { ["name"] = "key", ["secret"] = new JsonObject { ["secretName"] = "key", ["defaultMode"] = Pick(256, 420) } }));
        Add(pod, "activeDeadlineSeconds", () => 60, 0.2);
        var template = new JsonObject { ["spec"] = pod };
        Add(template, "metadata", () => Maybe(0.2) ? new JsonObject() : new JsonObject { ["creationTimestamp"] = null, ["labels"] = Map(("app", "x")) });
        var spec = new JsonObject { ["template"] = template };
        Add(spec, "parallelism", () => random.Next(0, 6), 0.8);
        Add(spec, "completions", () => random.Next(1, 8));
        Add(spec, "completionMode", () => Pick("Indexed", "NonIndexed"));
        Add(spec, "ttlSecondsAfterFinished", () => 600, 0.3);
        Add(spec, "activeDeadlineSeconds", () => 60, 0.2);
        Add(spec, "suspend", () => Maybe(), 0.4);
        return new JsonObject { ["apiVersion"] = "batch/v1", ["kind"] = "Job", ["metadata"] = metadata, ["spec"] = spec, ["status"] = new JsonObject() };
    }

    /// <summary>Every kind of change in every phase, and now and then something that bounds them.</summary>
    public JsonObject Snapshot()
    {
        var changes = new JsonArray();
        for (var slot = 0; slot < 3; slot++) changes.Add(Change($"experiment-{slot}", new JsonObject { ["slot"] = slot, ["share"] = Pick(0.05, 0.1, 0.19) }));
        for (var i = 0; i < random.Next(3); i++) changes.Add(Change($"applied-{i}", new JsonObject { ["phase"] = "applied", ["lastAppliedAt"] = $"2026-0{1 + random.Next(9)}-01T00:00:00Z" }));
        var snapshot = new JsonObject
        {
            ["policy"] = new JsonObject { ["salt"] = "fabrik", ["runtimeClasses"] = new JsonArray("runc", "gvisor", "kata"), ["allowedEnvironment"] = new JsonArray("GOGC", "SET", "TAKEN") },
            ["changes"] = changes,
            ["namespaces"] = new JsonObject { ["ci"] = Map(("fabrik.dev/enabled", "true"), ("permit.fabrik.dev/parallelism", "true"), ("permit.fabrik.dev/scheduling", "true"), ("permit.fabrik.dev/runtime-class", "true"), ("permit.fabrik.dev/environment", Pick("true", "false")), ("fabrik.dev/gateway", Pick("true", "false"))) },
        };
        if (Maybe(0.4)) snapshot["namespaces"]!["ci"]![Names.Labels.Untrusted] = "true";
        Add(snapshot["policy"]!.AsObject(), "runs", () => new JsonObject { ["readOnlyRootFilesystem"] = Maybe(0.7), ["gate"] = Maybe(), ["runtimeClassName"] = Pick("gvisor", "kata"), ["nodeSelector"] = Map(("pool", "run")), ["tolerations"] = new JsonArray(new JsonObject { ["key"] = "run", ["operator"] = "Exists" }) });
        Add(snapshot, "gateway", () => "http://gateway.example", 0.7);
        Add(snapshot, "limitRanges", () => new JsonObject
        {
            ["ci"] = new JsonArray(
                new JsonObject { ["type"] = "Container", ["max"] = Map(("memory", Pick("2Gi", "6Gi"))), ["min"] = Map(("cpu", "100m")), ["default"] = Map(("memory", "1Gi")), ["defaultRequest"] = Map(("cpu", "200m")), ["maxLimitRequestRatio"] = Map(("memory", Pick("2", "3", "1.5"))) },
                new JsonObject { ["type"] = "Pod", ["max"] = Map(("memory", "9Gi"), ("cpu", "6")) }),
        }, 0.3);
        Add(snapshot, "resourceQuotas", () => new JsonArray(new JsonObject
        {
            ["metadata"] = new JsonObject { ["namespace"] = "ci" },
            ["status"] = new JsonObject { ["hard"] = Map(("limits.memory", "20Gi"), ("requests.cpu", "9"), ("pods", "4")), ["used"] = Map(("limits.memory", Pick("0", "12Gi", "20Gi")), ("requests.cpu", "1500m")) },
        }), 0.3);
        Add(snapshot, "nodes", () => new JsonArray(Map(("cpu", "8"), ("memory", "16Gi"), ("ephemeral-storage", "50Gi")), Map(("cpu", "16"), ("memory", "6Gi"))), 0.3);
        return snapshot;
    }

    private JsonObject Change(string name, JsonObject change)
    {
        change["name"] = name;
        (change["type"], change["change"]) = random.Next(8) switch
        {
            0 => ("parallelism", new JsonObject { ["parallelism"] = random.Next(1, 10) }),
            1 => ("scheduling", new JsonObject { ["nodeSelector"] = Map((Pick("pool", "zone/a~b"), "spot")), ["tolerations"] = new JsonArray(new JsonObject { ["key"] = "spot", ["operator"] = "Exists" }, new JsonObject { ["key"] = "x", ["value"] = "\"y\"" }) }),
            2 => ("scheduling", new JsonObject { ["runtimeClassName"] = Pick("gvisor", "kata") }),
            3 => ("environment", new JsonObject { ["environment"] = Map(("GOGC", "50"), ("SET", "line\n\"two\""), ("TAKEN", "no")) }),
            4 => ("lifecycle", new JsonObject { ["ttlSecondsAfterFinished"] = 60 }),
            5 => ("model", new JsonObject { ["model"] = "small" }),
            _ => ("resource", Amounts()),
        };
        if (Maybe(0.3)) change["target"] = new JsonObject { ["containers"] = new JsonArray(Pick("c0", "setup", "istio-proxy", "none")) };
        if (change["type"]!.GetValue<string>() == "model") (change["target"] ??= new JsonObject())["model"] = Pick("large", "larger");
        return change;
    }

    private JsonObject Amounts()
    {
        var amounts = new JsonObject();
        var memory = random.Next(Memory.Length - 1);
        Add(amounts, "memoryRequest", () => Memory[memory]);
        Add(amounts, "memoryLimit", () => Memory[memory + random.Next(Memory.Length - memory)]);
        Add(amounts, "cpuRequest", () => Pick(Cpu[..5]));
        Add(amounts, "cpuLimit", () => Pick(Cpu[5..]));
        Add(amounts, "ephemeralStorageLimit", () => Pick(Memory), 0.2);
        return amounts;
    }

    private JsonObject Init(string name)
    {
        var container = Container(name);
        Add(container, "restartPolicy", () => "Always");
        return container;
    }

    private JsonObject Container(string name)
    {
        var container = new JsonObject { ["name"] = name, ["image"] = "busybox" };
        Add(container, "resources", Resources, 0.8);
        Add(container, "securityContext", () => Pick(new JsonObject(), new JsonObject { ["privileged"] = true }, new JsonObject { ["capabilities"] = new JsonObject { ["add"] = new JsonArray("NET_ADMIN") } }, new JsonObject { ["readOnlyRootFilesystem"] = false, ["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") } }));
        Add(container, "volumeMounts", () => Pick(new JsonArray(), new JsonArray(new JsonObject { ["name"] = "scratch", ["mountPath"] = Pick("/tmp", "/data", "/fabrik/resume/", "/fabrik") })), 0.4);
        Add(container, "env", () => new JsonArray(new JsonObject { ["name"] = "A", ["value"] = "1" }, new JsonObject { ["name"] = "TAKEN", ["valueFrom"] = new JsonObject { ["fieldRef"] = new JsonObject { ["fieldPath"] = "metadata.name" } } }, new JsonObject { ["name"] = "EMPTY" }));
        if (Maybe(0.2)) (container["env"] ??= new JsonArray()).AsArray().Add(new JsonObject { ["name"] = Pick("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"), ["value"] = "own" });
        Add(container, "envFrom", () => Maybe() ? new JsonArray() : new JsonArray(new JsonObject { ["configMapRef"] = new JsonObject { ["name"] = "x" } }), 0.2);
        return container;
    }

    private JsonObject Resources()
    {
        var (requests, limits) = (new JsonObject(), new JsonObject());
        foreach (var (name, amounts) in new[] { ("memory", Memory), ("cpu", Cpu), ("ephemeral-storage", Memory) })
        {
            var least = random.Next(amounts.Length);
            if (Maybe(0.6)) requests[name] = amounts[least];
            if (Maybe(0.6)) limits[name] = amounts[Maybe(0.3) ? least : least + random.Next(amounts.Length - least)];
        }

        if (Maybe(0.2)) (requests["example.com/gpu"], limits["example.com/gpu"]) = ("1", "1");
        var resources = new JsonObject();
        if (requests.Count > 0 || Maybe(0.2)) resources["requests"] = requests;
        if (limits.Count > 0 || Maybe(0.2)) resources["limits"] = limits;
        return resources;
    }

    private void Add(JsonObject to, string name, Func<JsonNode> value, double chance = 0.5)
    {
        if (Maybe(chance)) to[name] = value();
    }

    private bool Maybe(double chance = 0.5) => random.NextDouble() < chance;

    private T Pick<T>(params T[] values) => values[random.Next(values.Length)];

    private static JsonObject Map(params (string Key, string Value)[] pairs) => new(pairs.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value)));
}
