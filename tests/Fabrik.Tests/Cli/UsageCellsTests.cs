using System.Text.Json;
using Fabrik.Cli.Output;
using Fabrik.Runs;
using Fabrik.Tests.Runs;

namespace Fabrik.Tests.Cli;

public class UsageCellsTests
{
    private static readonly Run Used = Some.Run() with
    {
        Applied = new RunResources { MemoryLimitBytes = 2L << 30, CpuLimitMillis = 2000 },
        Usage = new RunUsage { Source = UsageSource.MetricsServer, PeakMemoryBytes = 3L << 29, MeanCpuMillis = 250, P95CpuMillis = 900, PeakCpuMillis = 1200, Samples = 17, Missing = new MissingSources(UsageGap.NotConfigured), Settled = true },
    };

    [Fact]
    public void The_peak_is_shown_beside_the_limit_and_the_source_with_what_was_missing()
    {
        UsageCells.Peak(Json(Used)).ShouldBe("1.5Gi (75%)");
        UsageCells.Cpu(Json(Used)).ShouldBe("250m");
        UsageCells.Memory(Used).ShouldBe("1.5Gi at most of 2Gi  ███████████████░░░░░ 75 %");
        UsageCells.CpuOf(Used).ShouldBe("250m on average, 900m for 95 % of the time, 1200m at most of 2");
        UsageCells.Source(Json(Used)).ShouldBe("metrics-server, 17 samples (prometheus: not configured)");
    }

    [Fact]
    public void A_run_that_was_killed_for_memory_shows_that_it_needed_more()
    {
        var killed = Used with { OomKilled = true };
        UsageCells.Peak(Json(killed)).ShouldBe("2Gi+");
        UsageCells.Memory(killed).ShouldBe("2Gi or more: it was killed for memory");
    }

    [Fact]
    public void A_run_of_which_nothing_is_known_shows_nothing_but_why()
    {
        var nothing = Some.Run() with { Usage = new RunUsage { Source = UsageSource.None, Missing = new MissingSources(UsageGap.NoSamples, UsageGap.NotServed, UsageGap.Forbidden) } };
        (UsageCells.Peak(Json(nothing)), UsageCells.Cpu(Json(nothing)), UsageCells.Memory(nothing), UsageCells.CpuOf(nothing)).ShouldBe((null, null, null, null));
        UsageCells.Source(Json(nothing)).ShouldBe("none, so far (prometheus: no samples; metrics-server: not served; kubelet: forbidden)");
        UsageCells.Source(Json(Some.Run())).ShouldBeNull();
    }

    private static JsonElement Json(Run run) => JsonSerializer.SerializeToElement(run, RunJson.Default.Run);
}
