using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;
using Fabrik.Schedules;
using FsCheck;
using FsCheck.Fluent;

namespace Fabrik.Tests.Sandbox.Controllers;

public class CronJobDecisionTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void The_slot_that_has_come_is_started_under_the_recorded_name()
    {
        var at = new DateTimeOffset(2026, 11, 20, 21, 12, 0, 100, TimeSpan.Zero);
        var cronJob = CronJob("""{"schedule":"* * * * *"}""", created: at.AddSeconds(-34), name: "minutely");
        var view = new CronJobView(cronJob);
        var plan = CronJobDecision.Decide(view, [], at);
        plan.Create.ShouldBe(new DateTimeOffset(2026, 11, 20, 21, 12, 0, TimeSpan.Zero));
        view.JobName(plan.Create!.Value).ShouldBe("minutely-29920152");
        plan.CheckAfter.ShouldBe(TimeSpan.FromSeconds(60));

        var status = CronJobDecision.Started([], view, Job("minutely-29920152", "u1"), plan.Create.Value);
        status.ToJsonString().ShouldBe("""{"active":[{"kind":"Job","namespace":"ci","name":"minutely-29920152","uid":"u1","apiVersion":"batch/v1","resourceVersion":"7"}],"lastScheduleTime":"2026-11-20T21:12:00Z"}""");
    }

    [Fact]
    public void The_job_of_a_slot_says_when_and_by_whom_in_the_zone_of_the_cronjob()
    {
        var cronJob = CronJob("""{"schedule":"30 2 * * *","timeZone":"Europe/Berlin","jobTemplate":{"metadata":{"labels":{"a":"b"}},"spec":{"backoffLimit":2,"template":{}}}}""");
        var job = CronJobController.JobOf(cronJob, new CronJobView(cronJob), new DateTimeOffset(2026, 10, 25, 0, 30, 0, TimeSpan.Zero));
        ((string)job["metadata"]!["name"]!).ShouldBe("work-29881470");
        ((string)job["metadata"]!["annotations"]!["batch.kubernetes.io/cronjob-scheduled-timestamp"]!).ShouldBe("2026-10-25T02:30:00+02:00");
        ((string)job["metadata"]!["labels"]!["a"]!).ShouldBe("b");
        ((bool)job["metadata"]!["ownerReferences"]![0]!["controller"]!).ShouldBeTrue();
        ((int)job["spec"]!["backoffLimit"]!).ShouldBe(2);
    }

    [Fact]
    public void Nothing_is_started_twice_before_its_time_or_while_suspended()
    {
        Decide("""{"schedule":"0 * * * *"}""", """{"lastScheduleTime":"2026-11-20T12:00:00Z"}""", Noon.AddSeconds(30)).Create.ShouldBeNull();
        var before = Decide("""{"schedule":"0 * * * *"}""", """{"lastScheduleTime":"2026-11-20T11:00:00Z"}""", Noon.AddSeconds(-1));
        before.Create.ShouldBeNull();
        before.CheckAfter.ShouldBe(TimeSpan.FromSeconds(1.1));
        var suspended = Decide("""{"schedule":"0 * * * *","suspend":true}""", """{"lastScheduleTime":"2026-11-20T09:00:00Z"}""", Noon);
        suspended.Create.ShouldBeNull();
        suspended.CheckAfter.ShouldBeNull();
    }

    [Fact]
    public void Of_many_missed_slots_only_the_latest_is_started()
    {
        var plan = Decide("""{"schedule":"*/5 * * * *"}""", """{"lastScheduleTime":"2026-11-19T00:00:00Z"}""", Noon.AddSeconds(61));
        plan.Create.ShouldBe(Noon);
        plan.Events.Select(one => one.Reason).ShouldBe(["TooManyMissedTimes"]);
    }

    [Fact]
    public void A_slot_past_its_starting_deadline_is_missed_and_the_status_does_not_move()
    {
        var plan = Decide("""{"schedule":"0 12 * * *","startingDeadlineSeconds":60}""", """{"lastScheduleTime":"2026-11-19T12:00:00Z"}""", Noon.AddSeconds(59));
        plan.Create.ShouldBe(Noon);
        var late = Decide("""{"schedule":"0 12 * * *","startingDeadlineSeconds":60}""", """{"lastScheduleTime":"2026-11-19T12:00:00Z"}""", Noon.AddSeconds(61));
        late.Create.ShouldBeNull();
        late.Status.ShouldBeNull();
    }

    [Fact]
    public void Forbid_waits_for_the_active_job_and_replace_deletes_it()
    {
        const string Status = """{"active":[{"kind":"Job","namespace":"ci","name":"work-1","uid":"u1","apiVersion":"batch/v1","resourceVersion":"7"}],"lastScheduleTime":"2026-11-20T11:00:00Z"}""";
        var running = Job("work-1", "u1");
        var forbid = Decide("""{"schedule":"0 * * * *","concurrencyPolicy":"Forbid"}""", Status, Noon, running);
        forbid.Create.ShouldBeNull();
        forbid.Events.Select(one => one.Reason).ShouldBe(["JobAlreadyActive"]);
        var replace = Decide("""{"schedule":"0 * * * *","concurrencyPolicy":"Replace"}""", Status, Noon, running);
        replace.Delete.ShouldBe([running]);
        replace.Create.ShouldBe(Noon);
        var ended = Decide("""{"schedule":"0 * * * *","concurrencyPolicy":"Forbid"}""", Status, Noon.AddMinutes(20), running with { Finished = "Complete", Completed = Noon.AddMinutes(19) });
        ended.Create.ShouldBe(Noon);
        ended.Events.Select(one => one.Message).ShouldBe(["Saw completed job: work-1, condition: Complete"]);
        ended.Status!.ToJsonString().ShouldBe("""{"lastScheduleTime":"2026-11-20T11:00:00Z","lastSuccessfulTime":"2026-11-20T12:19:00Z"}""");
    }

    [Fact]
    public void Old_jobs_beyond_the_limits_are_deleted_oldest_first()
    {
        var jobs = Enumerable.Range(1, 5).Select(number => Job($"ok-{number}", $"o{number}", "Complete", number))
            .Concat(Enumerable.Range(1, 3).Select(number => Job($"bad-{number}", $"b{number}", "Failed", number))).ToArray();
        var plan = Decide("""{"schedule":"0 0 1 1 *","successfulJobsHistoryLimit":3,"failedJobsHistoryLimit":1}""", "{}", Noon, jobs);
        plan.Delete.Select(job => job.Name).ShouldBe(["ok-2", "ok-1", "bad-2", "bad-1"]);
    }

    [Theory]
    [InlineData("""{"schedule":"0 0 * * 7"}""", "UnparseableSchedule")]
    [InlineData("""{"schedule":"0 0 * * 1","timeZone":"Mars/Olympus"}""", "UnknownTimeZone")]
    public void What_cannot_be_read_is_told_and_nothing_is_started(string spec, string reason)
    {
        var plan = Decide(spec, "{}", Noon);
        plan.Create.ShouldBeNull();
        plan.Events.Select(one => one.Reason).ShouldBe([reason]);
    }

    [Fact]
    public void The_most_recent_slot_is_the_one_that_walking_the_schedule_finds()
    {
        Gen<string> specs = Gen.Elements("* * * * *", "*/7 * * * *", "30 6-16/4 * * 1-5", "0 0 13 * 5", "@every 90m", "15 2 * * *", "0 */2 * * *");
        Prop.ForAll(specs.ToArbitrary(), Gen.Choose(0, 20_000).ToArbitrary(), Gen.Elements("UTC", "Europe/Berlin", "Australia/Lord_Howe").ToArbitrary(), (spec, minutes, zoneName) =>
        {
            var schedule = CronSchedule.Parse(spec);
            var zone = TimeZoneInfo.FindSystemTimeZoneById(zoneName);
            var after = new DateTimeOffset(2026, 10, 20, 3, 4, 5, TimeSpan.Zero);
            var now = after.AddMinutes(minutes);
            DateTimeOffset? walked = null;
            for (var time = schedule.Next(after, zone); time <= now; time = schedule.Next(time.Value, zone)) walked = time;
            CronJobDecision.MostRecent(schedule, zone, after, now).Slot.ShouldBe(walked, $"{spec} {zoneName} {minutes}");
        }).QuickCheckThrowOnFailure();
    }

    private static CronJobPlan Decide(string spec, string status, DateTimeOffset now, params ChildJob[] jobs) =>
        CronJobDecision.Decide(new CronJobView(CronJob(spec, status)), jobs, now);

    private static ChildJob Job(string name, string uid, string? finished = null, int startedMinute = 0) =>
        new(name, uid, "7", finished, Noon.AddMinutes(startedMinute - 600), finished == "Complete" ? Noon.AddMinutes(startedMinute - 590) : null);

    private static KubeObject CronJob(string spec, string status = "{}", DateTimeOffset? created = null, string name = "work") => new(JsonDocument.Parse(new JsonObject
    {
        ["kind"] = "CronJob",
        ["metadata"] = new JsonObject
        {
            ["name"] = name,
            ["namespace"] = "ci",
            ["uid"] = "c1",
            ["creationTimestamp"] = (created ?? Noon.AddDays(-3)).Stamp(),
        },
        ["spec"] = JsonNode.Parse(spec),
        ["status"] = JsonNode.Parse(status),
    }.ToJsonString()).RootElement);
}
