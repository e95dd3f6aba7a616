using Fabrik.Cli.Output;
using Fabrik.Experiments;
using Fabrik.Runs;

namespace Fabrik.Tests.Cli;

public class DemoReportTests
{
    [Fact]
    public void Each_arm_shows_what_it_got_and_how_its_runs_ended()
    {
        var output = new StringWriter();
        var runs = new List<Run>
        {
            Run(Arm.Treatment, 4L << 30, Outcome.Succeeded), Run(Arm.Treatment, 4L << 30, Outcome.Succeeded),
            Run(Arm.Control, 2L << 30, Outcome.Succeeded), Run(Arm.Control, 2L << 30, Outcome.Failed, oom: true),
            Run(Arm.Holdout, 2L << 30, Outcome.Failed, oom: true), Run(Arm.None, 1L << 30, Outcome.Succeeded), Run(Arm.Unassigned, null, Outcome.Succeeded),
        };

        DemoReport.Write(new Terminal(output, TextWriter.Null), runs);

        var text = output.ToString();
        text.ShouldContain("Experiment memory");
        text.ShouldMatch("treatment +2 +4Gi +100 % +0 %");
        text.ShouldMatch("control +2 +2Gi +50 % +50 % +█{10}");
        text.ShouldMatch("holdout +1 +2Gi +0 % +100 %");
        text.ShouldContain("2 other Jobs were in no experiment");
        text.ShouldContain("1 were missed by the webhook");
    }

    private static Run Run(Arm arm, long? memory, Outcome outcome, bool oom = false) => new()
    {
        Id = Guid.NewGuid().ToString(),
        Namespace = "agents",
        Name = "job",
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
