using System.Text.Json;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Nodes;
using Fabrik.Sandbox.Worlds;

namespace Fabrik.Tests.Sandbox.Worlds;

public class WorldTests
{
    private const string Whole = """
        seed: seven
        node: { name: n1, cpu: "8", memory: 32Gi, pods: 10, labels: { pool: run }, taints: [{ key: pool, value: run, effect: NoSchedule }] }
        namespaces:
          - { name: ci, labels: { fabrik.dev/enabled: "true" } }
        objects:
          - { apiVersion: v1, kind: ConfigMap, metadata: { name: c, namespace: ci }, data: { a: "1", b: two } }
        workloads:
          - name: build
            namespace: ci
            count: 3
            every: 90s
            after: 1m
            job:
              labels: { fabrik.dev/spec-type: impl }
              image: example.com/build:1
              command: [make, all]
              resources: { requests: { cpu: 500m }, limits: { memory: 1Gi } }
              parallelism: 2
              restartPolicy: OnFailure
              backoffLimit: 1
              ttlSecondsAfterFinished: 60
          - name: nightly
            namespace: ci
            schedule: "0 3 * * *"
            timeZone: Europe/Berlin
            job: { image: busybox }
        rules:
          - match: { labels: { fabrik.dev/spec-type: impl }, image: "example.com/*", namespace: ci }
            container: main
            memory: { lognormal: { p65: 2Gi, p97: 4Gi } }
            duration: { uniform: { from: 10s, to: 1m } }
            cpu: { cores: 2, exponent: 0.5 }
            failure-rate: 0.25
            exit-codes: [3, 4]
            oom: { at: 0.5, exit-code: 0 }
            eviction-rate: 0.1
            log: hello
        """;

    [Fact]
    public void Every_field_of_a_world_file_is_read()
    {
        var world = WorldReader.Read(Whole, "w.yaml");
        world.Seed.ShouldBe("seven");
        (world.Node.Name, world.Node.Cpu, world.Node.Memory, world.Node.Pods).ShouldBe(("n1", "8", "32Gi", 10));
        world.Node.Taints.ShouldBe([new NodeTaint("pool", "run", "NoSchedule")]);
        world.Namespaces.Single().Labels["fabrik.dev/enabled"].ShouldBe("true");
        ((string)world.Objects.Single()["data"]!["a"]!).ShouldBe("1");
        var job = WorldPlayer.JobOf(world.Workloads[0], "build-0001");
        job.ToJsonString().ShouldBe("""{"apiVersion":"batch/v1","kind":"Job","metadata":{"labels":{"fabrik.dev/spec-type":"impl"},"name":"build-0001","namespace":"ci"},"spec":{"parallelism":2,"backoffLimit":1,"ttlSecondsAfterFinished":60,"template":{"spec":{"restartPolicy":"OnFailure","containers":[{"name":"build","image":"example.com/build:1","command":["make","all"],"resources":{"requests":{"cpu":"500m"},"limits":{"memory":"1Gi"}}}]},"metadata":{"labels":{"fabrik.dev/spec-type":"impl"}}}}}""");
        world.Workloads[1].Schedule.ShouldBe("0 3 * * *");
        var rule = world.Rules.Single();
        rule.Memory!.At(0.65).ShouldBe(2L << 30, 1000);
        rule.Memory.At(0.97).ShouldBe(4L << 30, 1000);
        rule.Duration!.At(0.5).ShouldBe(35);
        (rule.FailureRate, rule.OutOfMemoryAt, rule.OutOfMemoryExitCode, rule.EvictionRate, rule.Log).ShouldBe((0.25, 0.5, 0, 0.1, "hello"));
        rule.ExitCodes.ShouldBe([3, 4]);
    }

    [Fact]
    public void Everything_wrong_is_told_at_once_with_its_line()
    {
        var error = Should.Throw<WorldException>(() => WorldReader.Read("""
            seed: 1
            nodes: {}
            node: { cpu: many, pods: 0 }
            workloads:
              - name: a
                namespace: ci
                count: -1
                every: soon
                job: { imag: busybox, restartPolicy: Always }
              - namespace: ci
                schedule: "0 0 * * 7"
                count: 2
                job: { image: x }
            rules:
              - memory: { gamma: 3 }
                failure-rate: 2
                duration: { lognormal: { p95: 1m, p50: 2m } }
            """, "w.yaml"));
        var lines = error.Message.Split('\n').Skip(1).Select(line => line.Trim()).ToList();
        lines.ShouldContain("w.yaml:2: nodes is not a field here; there are later, namespaces, node, objects, rules, seed, workloads");
        lines.ShouldContain(line => line.StartsWith("w.yaml:3: node.cpu must be a quantity", StringComparison.Ordinal));
        lines.ShouldContain(line => line.StartsWith("w.yaml:3: node.pods must be a number", StringComparison.Ordinal));
        lines.ShouldContain(line => line.StartsWith("w.yaml:7: workloads[0].count", StringComparison.Ordinal));
        lines.ShouldContain(line => line.StartsWith("w.yaml:8: workloads[0].every must be a duration", StringComparison.Ordinal));
        lines.ShouldContain("w.yaml:9: workloads[0].job.image is required");
        lines.ShouldContain(line => line.StartsWith("w.yaml:9: workloads[0].job.imag is not a field here", StringComparison.Ordinal));
        lines.ShouldContain("w.yaml:9: workloads[0].job.restartPolicy must be Never or OnFailure");
        lines.ShouldContain("w.yaml:10: workloads[1].name is required");
        lines.ShouldContain(line => line.StartsWith("w.yaml:11: workloads[1].schedule Invalid value", StringComparison.Ordinal));
        lines.ShouldContain("w.yaml:11: workloads[1].schedule makes a CronJob; count and every are for single Jobs");
        lines.ShouldContain("w.yaml:15: rules[0].memory must be an amount or one of fixed, uniform, normal, lognormal");
        lines.ShouldContain(line => line.StartsWith("w.yaml:16: rules[0].failure-rate must be a number from 0 to 1", StringComparison.Ordinal));
        lines.ShouldContain(line => line.StartsWith("w.yaml:17: rules[0].duration needs two quantiles", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("a: [")]
    [InlineData("- 1")]
    [InlineData("")]
    [InlineData("a: 1\na: 2")]
    [InlineData("--- {}\n--- {}")]
    public void What_is_not_a_world_is_an_error_and_never_a_crash(string text) => Should.Throw<WorldException>(() => WorldReader.Read(text, "w.yaml"));

    [Fact]
    public void A_world_that_does_not_exist_is_told_with_what_to_do() =>
        Should.Throw<WorldException>(() => World.Load("/nowhere/world.yaml")).Message.ShouldContain("demo");

    [Fact]
    public void The_built_in_world_tells_nobody_what_its_pods_need_and_has_one_bad_idea_later()
    {
        var world = World.Load("demo");
        WorldPlayer.Arrivals(world).Count.ShouldBeGreaterThanOrEqualTo(300);
        world.Objects.Select(one => (string)one["kind"]!).ShouldBe(["OptimizerPolicy"]);
        ((string)world.Later.Single().Object["spec"]!["change"]!["memoryLimit"]!).ShouldBe("1Gi");
        world.Later.Single().Once.ShouldBe("applied");
        var impl = world.Workloads.Single(workload => workload.Name == "impl");
        var needs = Enumerable.Range(1, 4000).Select(number => Needs.Of(PodOf(impl, number), world, 0)).ToList();
        needs.Count(need => need.Memory > 2L << 30).ShouldBeInRange(1300, 1500);
        needs.Count(need => need.Memory > 4L << 30).ShouldBeInRange(85, 160);
        needs.Count(need => need.Attempt(0, null).ExitCode != 0).ShouldBeInRange(150, 250);
    }

    [Fact]
    public void The_same_world_plays_the_same_and_another_seed_does_not()
    {
        var world = World.Load("demo");
        var arrivals = WorldPlayer.Arrivals(world);
        WorldPlayer.Arrivals(World.Load("demo")).Select(arrival => (arrival.At, arrival.Name)).ShouldBe(arrivals.Select(arrival => (arrival.At, arrival.Name)));
        arrivals.Select(arrival => arrival.At).ShouldBeInOrder();
        var other = world with { Seed = "another" };
        WorldPlayer.Arrivals(other).Select(arrival => arrival.At).ShouldNotBe(arrivals.Select(arrival => arrival.At));
        var pod = PodOf(world.Workloads[0], 1);
        Needs.Of(pod, world, 0).ShouldBeEquivalentTo(Needs.Of(pod, world, 0));
        Needs.Of(pod, other, 0).Memory.ShouldNotBe(Needs.Of(pod, world, 0).Memory);
    }

    [Fact]
    public void A_retry_needs_the_same_memory_and_draws_its_failure_anew()
    {
        var world = World.Load("demo");
        var pod = PodOf(world.Workloads[0], 1);
        Needs.Of(pod, world, 1).Memory.ShouldBe(Needs.Of(pod, world, 0).Memory);
        Needs.Of(pod, world, 1).Key.ShouldNotBe(Needs.Of(pod, world, 0).Key);
    }

    [Fact]
    public void Fewer_cores_make_a_pod_run_longer()
    {
        var world = World.Load("demo");
        var rule = world.Rules[0];
        var two = Needs.Of(PodOf(world.Workloads[0], 1, cpu: "2"), world, 0).Duration;
        var half = Needs.Of(PodOf(world.Workloads[0], 1, cpu: "500m"), world, 0).Duration;
        (half / two).ShouldBe(Math.Pow(4, rule.CpuExponent), 1e-6);
    }

    [Fact]
    public void A_fast_clock_runs_as_fast_as_said_and_fires_its_timers_when_they_are_due()
    {
        var real = new Support.TestClock();
        var clock = new SimulatedClock(60, new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero), real);
        var fired = 0;
        using var timer = clock.CreateTimer(_ => fired++, null, TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(2));
        real.Advance(TimeSpan.FromSeconds(0.999));
        fired.ShouldBe(0);
        real.Advance(TimeSpan.FromSeconds(0.001));
        fired.ShouldBe(1);
        clock.GetUtcNow().ShouldBe(new DateTimeOffset(2030, 1, 1, 0, 1, 0, TimeSpan.Zero));
        real.Advance(TimeSpan.FromSeconds(4));
        fired.ShouldBe(3);
        Should.Throw<ArgumentOutOfRangeException>(() => new SimulatedClock(0));
    }

    [Theory]
    [InlineData(0.5, 0)]
    [InlineData(0.975, 1.959963985)]
    [InlineData(0.01, -2.326347874)]
    [InlineData(0.9999, 3.719016485)]
    public void Normal_quantiles_are_those_of_the_tables(double part, double deviate) => new Distribution.Normal(100, 1).At(part).ShouldBe(100 + deviate, 1e-8);

    private static KubeObject PodOf(Workload workload, int number, string? cpu = null)
    {
        var template = workload.Job["spec"]!["template"]!.DeepClone();
        template["kind"] = "Pod";
        template["metadata"]!["name"] = $"p-{number}";
        template["metadata"]!["namespace"] = workload.Namespace;
        if (cpu is not null) template["spec"]!["containers"]![0]!["resources"]!["limits"]!["cpu"] = cpu;
        template["metadata"]!["ownerReferences"] = System.Text.Json.Nodes.JsonNode.Parse($$"""[{"kind":"Job","name":"job-{{number}}","uid":"u{{number}}","controller":true}]""");
        return new KubeObject(JsonDocument.Parse(template.ToJsonString()).RootElement);
    }
}
