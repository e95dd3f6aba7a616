using System.Text.Json.Nodes;
using Fabrik.Analysis;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Tests.Kubernetes;

namespace Fabrik.Tests.CronJobs.Lifecycle;

/// <summary>A scheduler that dies between any two writes of a step leaves the same end, and the same record, as one that does not.</summary>
public sealed class CrashTests
{
    private static readonly string[] WholeLife =
    [
        "- > proposed",
        "proposed > experiment_running by fabrik",
        "experiment_running > approved by fabrik",
        "approved > applied by fabrik",
        "applied > rolled_back by fabrik",
        "rolled_back > proposed by alice",
        "proposed > experiment_running by fabrik",
    ];

    public static TheoryData<int, bool> EveryWrite => [.. Enumerable.Range(1, 12).SelectMany(write => new[] { (write, false), (write, true) })];

    [Fact]
    public async Task A_whole_life_is_recorded_step_by_step()
    {
        await using var bench = await OptimizerBench.StartAsync();
        await LiveAsync(bench, 0);
        bench.History().ShouldBe(WholeLife);
        var incident = bench.Incidents().ShouldHaveSingleItem();
        (incident.Change, incident.Reason, incident.ReviewBy - incident.At).ShouldBe(("a", "it costs success", TimeSpan.FromHours(1)));
        incident.ReviewedAt.ShouldNotBeNull();
        (await bench.ReadAsync("a")).Status.Share.ShouldBe(0.05);
    }

    /// <summary>Six steps of three writes each: the record's intent, the object, the record's result; then the courtesy of an Event.</summary>
    [Theory]
    [MemberData(nameof(EveryWrite))]
    public async Task Killed_at_any_write_the_end_and_the_record_are_the_same(int write, bool afterIt)
    {
        await using var bench = await OptimizerBench.StartAsync();
        var writes = 0;
        bench.Path.Where = request => request.Method is "PATCH" or "POST" && ++writes == write ? afterIt ? Cut.BeforeTheAnswer : Cut.BeforeTheRequest : Cut.Nowhere;
        bench.Path.WhenCut = bench.Kill;
        (await LiveAsync(bench, 1)).ShouldBe(1);
        bench.History().ShouldBe(WholeLife);
        bench.Incidents().ShouldHaveSingleItem();
        var change = await bench.ReadAsync("a");
        (change.Phase, change.Status.Slot, change.Status.Share).ShouldBe((Phase.ExperimentRunning, 0, 0.05));
        bench.Record.State([change.Status.Transition!]).Open.ShouldBeEmpty();
    }

    /// <summary>Trial, rollout, harm, and a second trial; a person takes part. Ends when nothing moves any more.</summary>
    /// <returns>How often the process was killed.</returns>
    private static async Task<int> LiveAsync(OptimizerBench bench, int kills)
    {
        await bench.Cluster.ChangeAsync("a", spec: new JsonObject { ["autoApply"] = true });
        var (killed, tried, taken) = (0, false, false);
        for (var round = 0; round < 12 + (3 * kills); round++)
        {
            foreach (var task in new[] { bench.GuardAsync, bench.StartExperimentsAsync, bench.DecideAsync, bench.ApplyAsync })
            {
                try
                {
                    await task();
                }
                catch (OperationCanceledException)
                {
                    killed++;
                    bench.Restart();
                }
                catch (KubernetesException) when (kills > 0)
                {
                    // The answer was cut off a moment before the process was.
                    killed++;
                    bench.Restart();
                }
            }

            bench.Clock.Advance(TimeSpan.FromMinutes(1));
            var change = await bench.ReadAsync("a");
            if (change.Phase == Phase.ExperimentRunning && !tried) await bench.FoundAsync("a", Decision.Rollout, "the treatment is better");
            if (change.Phase == Phase.Applied)
            {
                tried = true;
                await bench.FoundAsync("a", Decision.Rollback, "it costs success");
            }

            if (change.Phase == Phase.RolledBack && !taken)
            {
                taken = true;
                await bench.SayAsync("a", true, "a false alarm");
            }
        }

        return killed;
    }
}
