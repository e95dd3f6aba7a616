using System.Text.Json.Nodes;
using Fabrik.Schedules;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Schedules;

public class CronScheduleTests
{
    private static readonly JsonNode Vectors = JsonNode.Parse(TestData.Bytes("cron/vectors.json"))!;

    [Fact]
    public void Every_recorded_expression_is_accepted_or_refused_with_the_words_of_the_parser_in_kubernetes()
    {
        var wrong = Vectors["parse"]!.AsArray()
            .Select(vector => (Spec: (string)vector!["spec"]!, Expected: (string?)vector["error"] ?? ""))
            .Select(vector => (vector.Spec, vector.Expected, Actual: CronSchedule.TryParse(vector.Spec, out _, out var error) ? "" : error))
            .Where(vector => vector.Actual != vector.Expected);
        wrong.ShouldBeEmpty();
    }

    [Fact]
    public void Every_recorded_next_time_is_met_also_around_daylight_saving()
    {
        var wrong = new List<string>();
        foreach (var vector in Vectors["next"]!.AsArray())
        {
            var schedule = CronSchedule.Parse((string)vector!["spec"]!);
            var zone = TimeZoneInfo.FindSystemTimeZoneById((string)vector["zone"]!);
            var at = DateTimeOffset.Parse((string)vector["after"]!);
            var expected = vector["next"]!.AsArray().Select(time => DateTimeOffset.Parse((string)time!)).ToList();
            var actual = new List<DateTimeOffset>();
            while (actual.Count < Math.Max(1, expected.Count) && schedule.Next(at, zone) is { } next) actual.Add(at = next);
            if (!actual.SequenceEqual(expected)) wrong.Add($"{vector.ToJsonString()} but was {string.Join(", ", actual)}");
        }

        wrong.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("*/5 * * * *", null, "")]
    [InlineData("*/5 * * * *", "Europe/Berlin", "")]
    [InlineData("TZ=UTC 0 0 * * *", null, "spec.schedule")]
    [InlineData("CRON_TZ=UTC 0 0 * * *", null, "spec.schedule")]
    [InlineData("", null, "spec.schedule")]
    [InlineData("0 0 * * 7", null, "spec.schedule")]
    [InlineData("0 0 * * *", "", "spec.timeZone")]
    [InlineData("0 0 * * *", "local", "spec.timeZone")]
    [InlineData("0 0 * * *", "europe/berlin", "spec.timeZone")]
    [InlineData("0 0 * * *", "Mars/Olympus", "spec.timeZone")]
    [InlineData("0 0 * * *", "../etc/passwd", "spec.timeZone")]
    public void A_cronjob_may_name_its_zone_only_in_its_own_field(string schedule, string? zone, string fields) =>
        string.Join(',', CronJobSchedule.Problems(schedule, zone).Select(problem => problem.Field)).ShouldBe(fields);

    [Theory]
    [InlineData("TZ=UTC")]
    [InlineData("TZ=")]
    [InlineData("@")]
    [InlineData("1/2/3 * * * *")]
    [InlineData("99999999999999999999 * * * *")]
    [InlineData("*/99999999999999999999 * * * *")]
    [InlineData("-1-5 * * * *")]
    [InlineData("@every 9999999999999999999999h")]
    public void Nonsense_is_an_error_and_never_a_crash(string spec)
    {
        CronSchedule.TryParse(spec, out _, out var error).ShouldBeFalse();
        error.ShouldNotBeEmpty();
    }

    [Theory]
    [InlineData("1h30m", 5400)]
    [InlineData("-1.5m", -90)]
    [InlineData("0", 0)]
    [InlineData("250ms", 0.25)]
    [InlineData(".5s", 0.5)]
    public void Durations_read_as_in_go(string text, double seconds) => GoDuration.Parse(text).TotalSeconds.ShouldBe(seconds, 1e-9);
}
