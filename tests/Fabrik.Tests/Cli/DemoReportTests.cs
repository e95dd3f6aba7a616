using Fabrik.Cli.Output;
using Fabrik.Experiments;
using Fabrik.Reports;
using Fabrik.Runs;

namespace Fabrik.Tests.Cli;

public class DemoReportTests
{
    [Fact]
    public void Each_arm_shows_what_it_got_and_what_was_applied_is_shown_against_the_holdout()
    {
        var output = new StringWriter();
        var runs = new List<Run>
        {
            Run(Arm.Treatment, 4L << 30, Outcome.Succeeded), Run(Arm.Treatment, 4L << 30, Outcome.Succeeded),
            Run(Arm.Control, 2L << 30, Outcome.Succeeded), Run(Arm.Control, 2L << 30, Outcome.Failed, oom: true),
            Run(Arm.Holdout, 2L << 30, Outcome.Failed, oom: true), Run(Arm.Applied, 4L << 30, Outcome.Succeeded), Run(Arm.None, 1L << 30, Outcome.Succeeded), Run(Arm.Unassigned, null, Outcome.Succeeded),
        };

        DemoReport.Write(new Terminal(output, TextWriter.Null), runs, [new HistoryEntry(DateTimeOffset.UnixEpoch.AddHours(1), "memory", "approved", "applied", "fabrik", [])]);

        var text = output.ToString();
        text.ShouldContain("Trial of memory: applied");
        text.ShouldMatch("treatment +2 +4Gi +100 % +0 % +10s +100 %");
        text.ShouldMatch("control +2 +2Gi +50 % +50 % +█{10} +10s +100 %");
        text.ShouldContain("What memory came to");
        text.ShouldMatch("before it +3 +2Gi +33 % +67 %");
        text.ShouldMatch("after it +1 +4Gi +100 % +0 % +10s +67 %");
        text.ShouldMatch("never \\(holdout\\) +1 +2Gi +0 % +100 %");
        text.ShouldContain("2 other Jobs kept what they asked for; 1 were missed by the webhook");
    }

    private static Run Run(Arm arm, long? memory, Outcome outcome, bool oom = false) => new()
    {
        Id = Guid.NewGuid().ToString(),
        Namespace = "agents",
        Name = "job",
        AppliedChanges = arm is Arm.Applied ? ["memory"] : [],
        StartedAt = DateTimeOffset.UnixEpoch,
        FinishedAt = DateTimeOffset.UnixEpoch.AddSeconds(10),
        Experiments = arm is Arm.Treatment or Arm.Control ? ["memory"] : [],
        Arm = arm,
        SpecType = arm is Arm.None or Arm.Unassigned ? "other" : "impl",
        Stratum = "s",
        CreatedAt = DateTimeOffset.UnixEpoch,
        Outcome = outcome,
        OomKilled = oom,
        Applied = new RunResources { MemoryLimitBytes = memory },
    };
}
