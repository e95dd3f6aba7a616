using System.Text.Json;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.EndToEnd;

[Collection(ClusterFixture.Collection)]
public sealed class OptimizerCommandTests(ClusterFixture cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Checklist_46_pause_takes_every_arm_from_new_jobs_and_resume_gives_them_back()
    {
        var ns = await cluster.NamespaceAsync("pause");
        var change = await cluster.MemoryExperimentAsync(ns);
        await Wait.UntilAsync("Jobs to be drawn", async () => await DrawnAsync(ns, change) > 0);

        (await cluster.FabrikAsync("optimizer", "pause", "--reason", "trying it out")).Code.ShouldBe(0);
        try
        {
            await Wait.UntilAsync("Jobs not to be drawn", async () => await DrawnAsync(ns, change) == 0);
            (await cluster.FabrikAsync("optimizer", "status")).Out.ShouldContain("PAUSED, trying it out");
        }
        finally
        {
            (await cluster.FabrikAsync("optimizer", "resume")).Code.ShouldBe(0);
        }

        await Wait.UntilAsync("Jobs to be drawn again", async () => await DrawnAsync(ns, change) > 0);
        await cluster.EndAsync(change);
    }

    [Fact]
    public async Task Checklist_45_the_command_counts_an_experiments_runs_by_arm()
    {
        var ns = await cluster.NamespaceAsync("counted");
        var change = await cluster.MemoryExperimentAsync(ns);
        await Wait.UntilAsync("Jobs to be drawn", async () => await DrawnAsync(ns, change) > 0);
        var jobs = new List<KubeObject>();
        for (var number = 0; number < 30; number++) jobs.Add(await cluster.Client.CreateAsync(Kinds.Job, ns, Jobs.Named($"counted-{number}"), Cancel));

        await Wait.UntilAsync("every run to be counted", async () =>
        {
            var shown = await cluster.FabrikAsync("experiments", "show", change, "-o", "json");
            shown.Code.ShouldBe(0, shown.Error);
            using var json = JsonDocument.Parse(shown.Out);
            if (!json.RootElement.TryGetProperty("report", out var report)) return false;
            long Seen(string arm) => report.GetProperty(arm).GetProperty("runs").GetInt64() + report.GetProperty(arm).GetProperty("running").GetInt64();
            return Seen("treatment") == jobs.Count(job => job.Arm() == "treatment") && Seen("control") == jobs.Count(job => job.Arm() == "control");
        });

        (await cluster.FabrikAsync("experiments", "list")).Out.ShouldContain(change);
        (await cluster.FabrikAsync("optimizer", "status")).Out.ShouldContain(" treated, ");
        await cluster.EndAsync(change);
    }

    /// <summary>How many of 20 Jobs that are only tried, not created, would be in the experiment.</summary>
    private async Task<int> DrawnAsync(string ns, string change)
    {
        var drawn = 0;
        for (var number = 0; number < 20; number++)
        {
            var job = await cluster.Client.CreateAsync(Kinds.Job, ns, Jobs.Named($"tried-{number}"), Cancel, new WriteOptions { DryRun = true });
            if (job.Label(Names.Labels.Experiment) == change) drawn++;
        }

        return drawn;
    }
}
