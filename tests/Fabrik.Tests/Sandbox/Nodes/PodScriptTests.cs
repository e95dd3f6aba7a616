using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Nodes;
using Fabrik.Sandbox.Worlds;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Sandbox.Nodes;

public class PodScriptTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 20, 21, 0, 0, TimeSpan.Zero);

    /// <summary>Fields that depend on a real kubelet's mounts and users, or on times and identities.</summary>
    private static readonly string[] NotPlayed = ["volumeMounts", "user", "podIP", "podIPs", "hostIP", "hostIPs", "resources", "image", "imageID", "containerID"];

    [Theory]
    [InlineData("real", 0, null)]
    [InlineData("exit3", 3, null)]
    [InlineData("oomhard", 0, 300_000_000L)]
    [InlineData("realoom", 0, 300_000_000L)]
    public void A_pod_ends_in_the_status_that_a_real_kubelet_wrote(string file, int exitCode, long? memory)
    {
        var recorded = JsonNode.Parse(TestData.Text($"runs/recorded/{file}.json"))!["pods"]![0]!;
        var pod = new KubeObject(JsonDocument.Parse(recorded.ToJsonString()).RootElement);
        var needs = new PodNeeds { Key = "k", ExitCode = exitCode, Memory = memory, OutOfMemoryExitCode = file == "realoom" ? 0 : 137 };
        var moment = new PodScript(pod, needs, Start).At(Start.AddMinutes(5));
        moment.Ended.ShouldBeTrue();
        Shape(moment.Status).ShouldBe(Shape(recorded["status"]!));
    }

    [Fact]
    public void A_pod_goes_through_its_stages_and_tells_when_the_next_one_comes()
    {
        var script = new PodScript(Pod(), new PodNeeds { Key = "k", Duration = TimeSpan.FromSeconds(30) }, Start);
        var creating = script.At(Start);
        Reason(creating).ShouldBe("ContainerCreating");
        var running = script.At(creating.Next!.Value);
        Phase(running).ShouldBe("Running");
        running.Attempt.ShouldBe(1);
        var ended = script.At(running.Next!.Value);
        Phase(ended).ShouldBe("Succeeded");
        ended.Next.ShouldBeNull();
        (running.Next - creating.Next).ShouldBe(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public void Asked_late_it_skips_what_has_passed_and_the_times_are_those_of_the_script()
    {
        var needs = new PodNeeds { Key = "k", Duration = TimeSpan.FromSeconds(30) };
        var ended = new PodScript(Pod(), needs, Start).At(Start.AddHours(1));
        var state = ended.Status["containerStatuses"]![0]!["state"]!["terminated"]!;
        ((string)state["startedAt"]!).ShouldBe("2026-11-20T21:00:01Z");
        ((string)state["finishedAt"]!).ShouldBe("2026-11-20T21:00:31Z");
    }

    [Fact]
    public void Memory_above_the_limit_kills_and_without_a_limit_never_does()
    {
        var needs = new PodNeeds { Key = "k", Duration = TimeSpan.FromSeconds(100), Memory = 65 << 20, OutOfMemoryAt = 0.4 };
        var killed = new PodScript(Pod(limit: "64Mi"), needs, Start).At(Start.AddHours(1));
        Phase(killed).ShouldBe("Failed");
        var state = killed.Status["containerStatuses"]![0]!["state"]!["terminated"]!;
        ((string)state["reason"]!).ShouldBe("OOMKilled");
        ((int)state["exitCode"]!).ShouldBe(137);
        ((string)state["finishedAt"]!).ShouldBe("2026-11-20T21:00:41Z");
        Phase(new PodScript(Pod(limit: "65Mi"), needs, Start).At(Start.AddHours(1))).ShouldBe("Succeeded");
        Phase(new PodScript(Pod(), needs, Start).At(Start.AddHours(1))).ShouldBe("Succeeded");
    }

    [Fact]
    public void Restarts_in_place_come_as_a_real_kubelet_makes_them()
    {
        var needs = new PodNeeds { Key = "k", Duration = TimeSpan.FromMilliseconds(500), ExitCode = 1 };
        var script = new PodScript(Pod(restart: "OnFailure"), needs, Start);
        List<(double, int)> starts = [];
        var seen = -1;
        for (var moment = script.At(Start); starts.Count < 5; moment = script.At(moment.Next!.Value))
        {
            var restarts = (int)moment.Status["containerStatuses"]![0]!["restartCount"]!;
            if (moment.Status["containerStatuses"]![0]!["state"]!["running"] is null || restarts == seen) continue;
            starts.Add(((DateTimeOffset.Parse((string)moment.Status["containerStatuses"]![0]!["state"]!["running"]!["startedAt"]!) - Start).TotalSeconds, seen = restarts));
        }

        // Recorded with a container that exits at once: 26, 27, 38 and 58 s past the minute.
        starts.ShouldBe([(1, 0), (2, 1), (13, 2), (33, 3), (74, 4)]);
        var waiting = script.At(Start.AddSeconds(40));
        Phase(waiting).ShouldBe("Running");
        Reason(waiting).ShouldBe("CrashLoopBackOff");
        ((int)waiting.Status["containerStatuses"]![0]!["lastState"]!["terminated"]!["exitCode"]!).ShouldBe(1);
    }

    [Fact]
    public void Init_containers_run_one_after_the_other_before_the_rest()
    {
        var pod = Pod(more: ",\"initContainers\":[{\"name\":\"one\",\"image\":\"a\"},{\"name\":\"two\",\"image\":\"b\"}]");
        var script = new PodScript(pod, new PodNeeds { Key = "k", Duration = TimeSpan.FromSeconds(30) }, Start);
        var second = script.At(Start.AddSeconds(2.5));
        Phase(second).ShouldBe("Pending");
        second.Status["initContainerStatuses"]![0]!["state"]!["terminated"].ShouldNotBeNull();
        second.Status["initContainerStatuses"]![1]!["state"]!["running"].ShouldNotBeNull();
        Reason(second).ShouldBe("PodInitializing");
        Phase(script.At(Start.AddSeconds(3))).ShouldBe("Running");
    }

    [Fact]
    public void An_image_that_cannot_be_pulled_keeps_the_pod_waiting_for_ever()
    {
        var script = new PodScript(Pod(), new PodNeeds { Key = "k", Unpullable = true }, Start);
        Reason(script.At(Start.AddSeconds(2))).ShouldBe("ErrImagePull");
        var stuck = script.At(Start.AddDays(1));
        Reason(stuck).ShouldBe("ImagePullBackOff");
        Phase(stuck).ShouldBe("Pending");
        stuck.Next.ShouldBeNull();
    }

    [Fact]
    public void An_evicted_pod_fails_with_the_reason_on_the_pod()
    {
        var script = new PodScript(Pod(), new PodNeeds { Key = "k", Duration = TimeSpan.FromSeconds(100), EvictedAt = 0.5 }, Start);
        script.At(Start.AddSeconds(10)).Next.ShouldBe(Start.AddSeconds(51));
        var evicted = script.At(Start.AddSeconds(51));
        Phase(evicted).ShouldBe("Failed");
        ((string)evicted.Status["reason"]!).ShouldBe("Evicted");
    }

    [Theory]
    [InlineData("sh -c|exit 3", 3, 1, null)]
    [InlineData("sh -c|echo hello; sleep 20", 0, 20, "hello\n")]
    [InlineData("sleep|2m", 0, 120, null)]
    [InlineData("false", 1, 1, null)]
    [InlineData("sh -c|false && sleep 100", 1, 1, null)]
    [InlineData("python -m etl", 0, 1, null)]
    public void Commands_that_people_try_things_out_with_mean_what_they_say(string command, int exitCode, int seconds, string? log)
    {
        var words = command.Contains("-c|", StringComparison.Ordinal) ? [.. command.Split('|')[0].Split(' '), command.Split('|')[1]] : command.Split('|', ' ');
        var pod = Pod(more: "", command: new JsonArray([.. words.Select(word => (JsonNode)word)]).ToJsonString());
        var needs = Needs.Of(pod, World.Empty, 0);
        needs.Attempt(0, null).ExitCode.ShouldBe(exitCode);
        needs.Duration.ShouldBe(TimeSpan.FromSeconds(seconds));
        needs.Log.ShouldBe(log);
    }

    [Fact]
    public void Annotations_say_what_a_pod_needs_and_nonsense_counts_as_absent()
    {
        var pod = Pod(annotations: """{"sandbox.fabrik.dev/duration":"1h30m","sandbox.fabrik.dev/memory":"3Gi","sandbox.fabrik.dev/exit-code":"7","sandbox.fabrik.dev/log":"one\ntwo","sandbox.fabrik.dev/evict":"0.25"}""");
        var needs = Needs.Of(pod, World.Empty, 0);
        needs.Duration.ShouldBe(TimeSpan.FromMinutes(90));
        needs.Memory.ShouldBe(3L << 30);
        needs.ExitCode.ShouldBe(7);
        needs.Log.ShouldBe("one\ntwo");
        needs.EvictedAt.ShouldBe(0.25);
        var odd = Needs.Of(Pod(annotations: """{"sandbox.fabrik.dev/duration":"soon","sandbox.fabrik.dev/memory":"lots","sandbox.fabrik.dev/failure-rate":"NaN","sandbox.fabrik.dev/exit-code":""}"""), World.Empty, 0);
        odd.Duration.ShouldBe(TimeSpan.FromSeconds(1));
        odd.Memory.ShouldBeNull();
        odd.FailureRate.ShouldBe(0);
    }

    [Theory]
    [InlineData("nopull", true)]
    [InlineData("example.com/team/nopull:1", true)]
    [InlineData("registry.invalid/none:1", true)]
    [InlineData("busybox", false)]
    [InlineData("registry.example.com/invalid:1", false)]
    public void Some_images_are_in_no_registry(string image, bool missing) => Needs.Of(Pod(image: image), World.Empty, 0).Unpullable.ShouldBe(missing);

    [Fact]
    public void Memory_grows_to_what_is_needed_or_to_the_limit_that_kills_and_others_idle_beside_it()
    {
        var needs = new PodNeeds { Key = "k", Duration = TimeSpan.FromSeconds(90), Memory = 65 << 20, OutOfMemoryAt = 0.4, CpuMillis = 700 };
        var fits = new PodScript(Pod(more: ",{\"name\":\"side\",\"image\":\"a\"}", inside: true), needs, Start).UsesOf(0);
        fits.ShouldBe(
        [
            new ContainerUse("main", Start.AddSeconds(1), Start.AddSeconds(91), Start.AddSeconds(61), 65 << 20, 700),
            new ContainerUse("side", Start.AddSeconds(1), Start.AddSeconds(91), Start.AddSeconds(1), 8 << 20, 1),
        ]);
        new PodScript(Pod(limit: "64Mi"), needs, Start).UsesOf(0).ShouldBe([new ContainerUse("main", Start.AddSeconds(1), Start.AddSeconds(37), Start.AddSeconds(37), 64 << 20, 700)]);
        new PodScript(Pod(), needs with { EvictedAt = 0.5 }, Start).UsesOf(0).Single().End.ShouldBe(Start.AddSeconds(46));
    }

    [Theory]
    [InlineData("1", 1.0, 1000, 100)]
    [InlineData("500m", 1.0, 500, 200)]
    [InlineData("4", 0.5, 2000, 50)]
    [InlineData(null, 1.0, 1000, 100)]
    public void Less_cpu_for_the_same_work_takes_longer_and_uses_less_at_a_time(string? limit, double exponent, long millis, double seconds)
    {
        var world = World.Empty with { Rules = [new NeedRule { Duration = new Distribution.Fixed(100), CpuCores = 1, CpuExponent = exponent }] };
        var needs = Needs.Of(Pod(cpu: limit), world, 0);
        (needs.CpuMillis, needs.Duration.TotalSeconds).ShouldBe((millis, seconds));
    }

    private static KubeObject Pod(
        string? limit = null, string restart = "Never", string more = "", string image = "busybox", string command = "[\"work\"]", string annotations = "{}", bool inside = false, string? cpu = null)
    {
        var limits = new JsonObject();
        if (limit is not null) limits["memory"] = limit;
        if (cpu is not null) limits["cpu"] = cpu;
        var resources = new JsonObject { ["limits"] = limits }.ToJsonString();
        var containers = $$$"""{"name":"main","image":"{{{image}}}","command":{{{command}}},"resources":{{{resources}}}}""" + (inside ? more : "");
        return new KubeObject(JsonDocument.Parse($$$"""
            {"kind":"Pod","metadata":{"name":"p","namespace":"ci","uid":"u","annotations":{{{annotations}}}},
             "spec":{"restartPolicy":"{{{restart}}}","containers":[{{{containers}}}]{{{(inside ? "" : more)}}}}}
            """).RootElement);
    }

    private static string Phase(PodMoment moment) => (string)moment.Status["phase"]!;

    private static string? Reason(PodMoment moment) => (string?)moment.Status["containerStatuses"]?[0]?["state"]?["waiting"]?["reason"];

    private static string Shape(JsonNode status) => string.Join('\n', Leaves(status, "").Order(StringComparer.Ordinal));

    private static IEnumerable<string> Leaves(JsonNode? node, string path)
    {
        var name = path[(path.LastIndexOf('.') + 1)..];
        if (NotPlayed.Contains(name) || name is "qosClass" || path is ".allocatedResources") return [];
        return node switch
        {
            JsonObject map when map.Count > 0 => map.SelectMany(field => Leaves(field.Value, $"{path}.{field.Key}")),
            JsonArray list => list.SelectMany((item, index) => Leaves(item, $"{path}[{index}]")),
            _ => [name.EndsWith("Time", StringComparison.Ordinal) || name.EndsWith("At", StringComparison.Ordinal) ? path : $"{path} = {node?.ToJsonString()}"],
        };
    }
}
