using System.Text.Json.Nodes;
using Fabrik.Sandbox.Controllers;

namespace Fabrik.Tests.Sandbox.Controllers;

public class JobDecisionTests
{
    [Fact]
    public void A_job_that_succeeds_ends_with_the_recorded_status()
    {
        var (world, recorded) = JobWorld.Recorded("real");
        world.Settle().Advance(2).Run().Settle().Advance(60).Succeed().Settle();
        Shape(world.Status).ShouldBe(Shape(recorded));
        world.Told.ShouldBe(["Completed"]);
    }

    [Fact]
    public void A_job_past_its_backoff_limit_ends_with_the_recorded_status_and_waited_between_its_pods()
    {
        var (world, recorded) = JobWorld.Recorded("oomhard");
        world.Settle().Advance(2).Run().Settle().Fail().Settle();
        world.Pods.Count().ShouldBe(1);
        world.Last.CheckAfter.ShouldBe(TimeSpan.FromSeconds(10));
        world.Advance(10).Settle().Pods.Count().ShouldBe(2);
        world.Fail().Settle();
        Shape(world.Status).ShouldBe(Shape(recorded));
        world.Told.ShouldBe(["BackoffLimitExceeded"]);
    }

    [Theory]
    [InlineData("nopull", 20)]
    [InlineData("toobig", 30)]
    public void A_job_past_its_deadline_loses_its_pods_and_ends_with_the_recorded_status(string file, int seconds)
    {
        var (world, recorded) = JobWorld.Recorded(file);
        world.Settle();
        world.Last.CheckAfter.ShouldBe(TimeSpan.FromSeconds(seconds));
        world.Advance(seconds).Settle();
        Shape(world.Status).ShouldBe(Shape(recorded));
        world.Pods.ShouldBeEmpty();
        world.Told.ShouldBe(["DeadlineExceeded"]);
    }

    [Fact]
    public void Restarts_in_place_count_towards_the_backoff_limit_and_the_pod_goes_with_the_job()
    {
        var (world, recorded) = JobWorld.Recorded("onfailure");
        world.Settle().Run().Set(pod => pod with { Restarts = 2 }).Settle().Pods.Count().ShouldBe(1);
        world.Set(pod => pod with { Restarts = 3 }).Settle();
        Shape(world.Status).ShouldBe(Shape(recorded));
        world.Pods.ShouldBeEmpty();
    }

    [Fact]
    public void Without_a_backoff_limit_the_first_restart_in_place_is_one_too_many()
    {
        var world = new JobWorld("""{"backoffLimit":0,"completions":1,"parallelism":1,"template":{"spec":{"restartPolicy":"OnFailure"}}}""");
        world.Settle().Run().Settle().Pods.Count().ShouldBe(1);
        world.Set(pod => pod with { Restarts = 1 }).Settle();
        Ended(world).ShouldBe("Failed BackoffLimitExceeded");
    }

    [Fact]
    public void A_pod_that_is_being_deleted_holds_the_end_of_the_job_until_it_is_gone()
    {
        var job = new JobView(Object("""{"activeDeadlineSeconds":3}""", """{"startTime":"2026-11-20T20:59:00Z","active":1,"terminating":0,"uncountedTerminatedPods":{},"ready":1}"""));
        var now = new DateTimeOffset(2026, 11, 20, 21, 0, 0, TimeSpan.Zero);
        var running = new PodView("u1", "work-a", "Running", false, false, true, 0, now, null);

        var first = JobDecision.Decide(job, [running], new HashSet<string>(), now);
        first.Delete.ShouldBe([running]);
        Types(first.Status!).ShouldBe(["FailureTarget"]);
        ((int)first.Status!["terminating"]!).ShouldBe(1);
        ((int)first.Status["failed"]!).ShouldBe(1);

        var later = new JobView(Object("""{"activeDeadlineSeconds":3}""", first.Status.ToJsonString()));
        var deleting = running with { Deleting = true };
        JobDecision.Decide(later, [deleting], first.Counted.ToHashSet(), now.AddSeconds(1)).Status.ShouldBeNull();
        var last = JobDecision.Decide(later, [deleting with { Gone = true }], first.Counted.ToHashSet(), now.AddSeconds(2));
        Types(last.Status!).ShouldBe(["FailureTarget", "Failed"]);
        ((int)last.Status!["failed"]!).ShouldBe(1);
    }

    [Fact]
    public void Delays_double_from_ten_seconds_to_six_minutes()
    {
        var world = new JobWorld("""{"backoffLimit":20,"completions":1,"parallelism":1}""").Settle();
        List<double> delays = [];
        for (var attempt = 0; attempt < 8; attempt++)
        {
            world.Fail().Settle();
            delays.Add(world.Last.CheckAfter!.Value.TotalSeconds);
            world.Advance(delays[^1]).Settle();
        }

        delays.ShouldBe([10, 20, 40, 80, 160, 320, 360, 360]);
    }

    [Fact]
    public void Parallel_pods_come_until_the_completions_are_there()
    {
        var world = new JobWorld("""{"backoffLimit":6,"completions":5,"parallelism":2}""").Settle();
        world.Pods.Count().ShouldBe(2);
        world.Advance(1).Succeed().Settle();
        world.Pods.Count(pod => pod.Active).ShouldBe(2);
        world.Advance(1).Succeed().Settle();
        world.Pods.Count(pod => pod.Active).ShouldBe(1);
        world.Advance(1).Succeed().Settle();
        Ended(world).ShouldBe("Complete CompletionsReached");
        ((int)world.Status["succeeded"]!).ShouldBe(5);
    }

    [Fact]
    public void A_work_queue_is_done_when_one_pod_succeeded_and_none_runs()
    {
        var world = new JobWorld("""{"backoffLimit":6,"parallelism":3}""").Settle();
        world.Pods.Count().ShouldBe(3);
        world.Advance(1).Succeed("work-1").Settle();
        world.Pods.Count(pod => pod.Active).ShouldBe(2);
        Ended(world).ShouldBe("");
        world.Succeed().Settle();
        Ended(world).ShouldBe("Complete CompletionsReached");
    }

    [Fact]
    public void An_indexed_job_tells_which_indexes_are_done_and_runs_a_failed_one_again()
    {
        var world = new JobWorld("""{"backoffLimit":6,"completions":4,"parallelism":4,"completionMode":"Indexed"}""").Settle();
        world.Pods.Select(pod => pod.Index).ShouldBe([0, 1, 2, 3]);
        world.Advance(1).Succeed("work-1").Succeed("work-2").Succeed("work-4").Fail("work-3").Settle();
        ((string)world.Status["completedIndexes"]!).ShouldBe("0-1,3");
        world.Advance(10).Settle();
        world.Pods.Single(pod => pod.Active).Index.ShouldBe(2);
        world.Succeed().Settle();
        ((string)world.Status["completedIndexes"]!).ShouldBe("0-3");
        Ended(world).ShouldBe("Complete CompletionsReached");
    }

    [Fact]
    public void A_suspended_job_has_no_pods_and_starts_anew_when_resumed()
    {
        var world = new JobWorld("""{"suspend":true,"backoffLimit":0,"completions":1,"parallelism":1}""").Settle();
        world.Pods.ShouldBeEmpty();
        world.Status.ToJsonString().ShouldBe("""{"conditions":[{"type":"Suspended","status":"True","lastProbeTime":"2026-11-20T21:00:00Z","lastTransitionTime":"2026-11-20T21:00:00Z","reason":"JobSuspended","message":"Job suspended"}],"terminating":0,"uncountedTerminatedPods":{},"ready":0}""");
        world.Spec["suspend"] = false;
        world.Advance(60).Settle().Pods.Count().ShouldBe(1);
        ((string)world.Status["startTime"]!).ShouldBe("2026-11-20T21:01:00Z");
        world.Spec["suspend"] = true;
        world.Run().Settle().Pods.ShouldBeEmpty();
        world.Status["failed"].ShouldBeNull();
        world.Status["startTime"].ShouldBeNull();
        world.Spec["suspend"] = false;
        world.Advance(60).Settle().Advance(1).Succeed().Settle();
        Ended(world).ShouldBe("Complete CompletionsReached");
        world.Told.ShouldBe(["Suspended", "Resumed", "Suspended", "Resumed", "Completed"]);
    }

    [Fact]
    public void Pods_that_vanish_count_as_failed_once()
    {
        var world = new JobWorld("""{"backoffLimit":1,"completions":1,"parallelism":1}""").Settle().Run().Settle();
        world.Set(pod => pod with { Gone = true }).Settle();
        ((int)world.Status["failed"]!).ShouldBe(1);
        world.Settle();
        ((int)world.Status["failed"]!).ShouldBe(1);
    }

    [Fact]
    public void A_restarted_controller_that_does_not_know_what_was_counted_counts_nothing_twice()
    {
        var world = new JobWorld("""{"backoffLimit":3,"completions":2,"parallelism":1}""").Settle().Advance(1).Succeed().Settle().Run().Settle();
        world.Counted = null;
        world.Settle();
        ((int)world.Status["succeeded"]!).ShouldBe(1);
        world.Advance(1).Succeed().Settle();
        ((int)world.Status["succeeded"]!).ShouldBe(2);
    }

    [Fact]
    public void A_finished_job_is_deleted_when_its_time_is_over_and_not_before()
    {
        var world = new JobWorld("""{"backoffLimit":0,"completions":1,"parallelism":1,"ttlSecondsAfterFinished":20}""").Settle().Advance(5).Succeed().Settle();
        world.Last.CheckAfter.ShouldBe(TimeSpan.FromSeconds(20));
        world.Advance(19).Settle().Last.DeleteJob.ShouldBeFalse();
        world.Advance(1).Settle().Last.DeleteJob.ShouldBeTrue();
    }

    [Fact]
    public void A_job_that_another_controller_manages_is_left_alone()
    {
        var world = new JobWorld("""{"completions":1,"parallelism":1,"managedBy":"example.com/other"}""").Settle();
        world.Pods.ShouldBeEmpty();
        world.Status.Count.ShouldBe(0);
    }

    [Theory]
    [InlineData(new int[0], "")]
    [InlineData(new[] { 0 }, "0")]
    [InlineData(new[] { 0, 1, 2, 5, 7, 8 }, "0-2,5,7-8")]
    public void Completed_indexes_are_written_in_ranges_and_read_back(int[] indexes, string text)
    {
        CompletedIndexes.Format(indexes).ShouldBe(text);
        CompletedIndexes.Parse(text).ShouldBe(indexes);
    }

    /// <summary>A status without its times, with the order of its fields not counting.</summary>
    private static string Shape(JsonObject status) => string.Join('\n', Leaves(status, "").Order(StringComparer.Ordinal));

    private static IEnumerable<string> Leaves(JsonNode? node, string path) => node switch
    {
        JsonObject map when map.Count > 0 => map.SelectMany(field => Leaves(field.Value, $"{path}.{field.Key}")),
        JsonArray list => list.SelectMany((item, index) => Leaves(item, $"{path}[{index}]")),
        _ => [path.EndsWith("Time", StringComparison.Ordinal) ? path : $"{path} = {node?.ToJsonString()}"],
    };

    private static string[] Types(JsonObject status) => status["conditions"]!.AsArray().Select(condition => (string)condition!["type"]!).ToArray();

    private static string Ended(JobWorld world)
    {
        var end = (world.Status["conditions"] as JsonArray ?? []).FirstOrDefault(condition => (string?)condition!["type"] is "Complete" or "Failed");
        return end is null ? "" : $"{end["type"]} {end["reason"]}";
    }

    private static Fabrik.Kubernetes.KubeObject Object(string spec, string status) =>
        new(System.Text.Json.JsonDocument.Parse($$"""{"kind":"Job","metadata":{"name":"work","namespace":"ci","uid":"j"},"spec":{{spec}},"status":{{status}}}""").RootElement);
}
