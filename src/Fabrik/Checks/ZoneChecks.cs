using System.Text.Json;
using Fabrik.Schedules;

namespace Fabrik.Checks;

/// <param name="Knows">Whether this machine's data has a zone; the same files are in Fabrik's images.</param>
/// <param name="CronJobs">All that the caller may see.</param>
public sealed record ZoneFacts(Func<string, bool> Knows, Reading<JsonElement> Policy, Reading<IReadOnlyList<JsonElement>> CronJobs);

/// <summary>Schedules and business hours are in time zones that somebody must know.</summary>
public static class ZoneChecks
{
    private static readonly string[] Common = ["Europe/Berlin", "America/New_York", "Asia/Kolkata"];

    public static readonly Category<ZoneFacts> Category = new("timezone-data",
    [
        new("FAB-3111", "time zone data is installed", facts => Common.Where(zone => !facts.Knows(zone)).ToList() is { Count: > 0 } unknown
            ? Finding.Failed($"{string.Join(", ", unknown)} is not known here", "install the package tzdata, or set TZDIR to where it is")
            : Finding.Passed()),
        new("FAB-3112", "the zone of the policy's business hours is known", facts => facts.Policy.Judge(
            policy => policy.Text("spec", "businessHours", "timeZone") is { } zone && !facts.Knows(zone)
                ? Finding.Failed($"{zone} is no zone that is known, so no change is started that waits for business hours", "fabrik optimizer config set businessHours.timeZone Europe/Berlin")
                : Finding.Passed(policy.Text("spec", "businessHours", "timeZone") ?? "UTC"),
            () => Finding.Passed("UTC, as there is no policy"))) { Phase = CheckPhase.After, Needs = ["FAB-3111"] },
        new("FAB-3113", "every CronJob has a schedule and a zone that can be read", facts => facts.CronJobs.Judge(jobs => jobs
            .Where(job => CronJobSchedule.Problems(job.Text("spec", "schedule") ?? "", job.Text("spec", "timeZone")).Any(problem => !problem.Message.Contains("cannot use TZ", StringComparison.Ordinal)))
            .Select(job => $"{job.Namespace()}/{job.Name()}").ToList() is { Count: > 0 } wrong
            ? Finding.Warning($"{wrong.Few()}: never started, as schedule or zone cannot be read", $"kubectl get cronjob -n {wrong[0].Split('/')[0]} {wrong[0].Split('/')[1]} -o jsonpath='{{.spec.schedule}} {{.spec.timeZone}}'")
            : Finding.Passed($"{jobs.Count} CronJobs"))) { Needs = ["FAB-3111"] },
    ])
    { Needs = [AccessChecks.Answers] };
}
