using System.Text.Json.Nodes;
using Fabrik.Admission;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Kubernetes;
using Fabrik.Runs;
using Fabrik.Tests.Admission;
using Fabrik.Tests.Gateway;

namespace Fabrik.Tests.CronJobs.Lifecycle;

/// <summary>One change of a model from its proposal to the tokens of the Jobs that it was rolled out for.</summary>
public sealed class ModelChangeLifeTests
{
    private const string Change = "small-for-reviews";
    private static readonly JsonObject Target = new() { ["labelSelector"] = new JsonObject { [Names.Labels.SpecType] = "review", [Names.Labels.Complexity] = "low" }, ["model"] = "large" };

    [Fact]
    public async Task A_cheaper_model_for_simple_tasks_waits_for_a_person_is_tried_shown_to_save_and_rolled_out_for_these_tasks_alone()
    {
        await using var bench = await OptimizerBench.StartAsync();
        await bench.Cluster.Client.CreateAsync(Kinds.Namespace, null, new JsonObject { ["metadata"] = new JsonObject { ["name"] = "ci", ["labels"] = new JsonObject { [Names.Labels.Enabled] = "true", ["permit.fabrik.dev/model"] = "true" } } }, TestContext.Current.CancellationToken);
        await bench.Cluster.ChangeAsync(Change, spec: new JsonObject { ["type"] = "model", ["target"] = Target.DeepClone(), ["change"] = new JsonObject { ["model"] = "small" }, ["goal"] = "save" });
        await bench.StartExperimentsAsync();
        (await bench.ReadAsync(Change)).Phase.ShouldBe(Phase.Proposed);
        Model(await bench.ReadAsync(Change), "slot0").ShouldBeNull();

        await bench.SayAsync(Change, approved: true, "Let us see.");
        await bench.StartExperimentsAsync();
        var running = await bench.ReadAsync(Change);
        running.Phase.ShouldBe(Phase.ExperimentRunning);
        Model(running, "slot0").ShouldBe("small");
        Model(running, "control").ShouldBe("large");
        Model(running, "slot0", complexity: "high").ShouldBeNull();
        Model(running, "slot0", task: "impl").ShouldBeNull();

        Trial(bench, bench.Clock.GetUtcNow(), 1000);
        bench.Clock.Advance(TimeSpan.FromMinutes(1100));
        await bench.AnalyseAsync();
        await bench.DecideAsync();
        await bench.ApplyAsync();
        var applied = await bench.ReadAsync(Change);
        applied.Phase.ShouldBe(Phase.Applied);
        bench.History(Change).ShouldBe(["- > proposed", "proposed > proposed by fabrik", "proposed > experiment_running by fabrik", "experiment_running > approved by fabrik", "approved > applied by fabrik"]);
        Model(applied, "control").ShouldBe("small");
        Model(applied, "control", complexity: "high").ShouldBeNull();
    }

    /// <summary>Every tenth run is treated, and its call costs a fifth.</summary>
    private static void Trial(OptimizerBench bench, DateTimeOffset start, int runs)
    {
        static bool Treated(int number) => number % 10 == 0;
        bench.Ran(
            Enumerable.Range(1, runs).Select(number => new Run
            {
                Id = $"{number}",
                RunId = $"run-{number}",
                Namespace = "ci",
                Name = $"job-{number}",
                Arm = Treated(number) ? Arm.Treatment : Arm.Control,
                Experiments = [Change],
                Stratum = "review",
                CreatedAt = start.AddMinutes(number),
                StartedAt = start.AddMinutes(number),
                FinishedAt = start.AddMinutes(number).AddSeconds(10),
                Outcome = Outcome.Succeeded,
            }),
            [.. Enumerable.Range(1, runs).Select(number => Attempts.Of(number, at: start.AddMinutes(number)) with { RunId = $"run-{number}", RequestedModel = "large", SentModel = Treated(number) ? "small" : "large", CostMicros = Treated(number) ? 400 : 2000 })]);
    }

    /// <summary>What a call for "large" is made with by a Job in that bucket; null where the change is not for it.</summary>
    private static string? Model(OptimizationChange change, string bucket, string task = "review", string complexity = "low")
    {
        var status = change.Status;
        var one = new JsonObject { ["name"] = change.Metadata.Name, ["type"] = "model", ["change"] = new JsonObject { ["model"] = change.Spec.Change.Model }, ["target"] = Target.DeepClone(), ["phase"] = WireNames.Of(change.Phase) };
        foreach (var (field, value) in (ReadOnlySpan<(string, JsonNode?)>)[("slot", status.Slot), ("share", status.Share), ("holdback", status.Holdback)])
            if (value is not null) one[field] = value;
        var snapshot = GatewayReviews.Snapshot("\"fabrik.dev/enabled\": \"true\", \"fabrik.dev/gateway\": \"true\", \"permit.fabrik.dev/model\": \"true\"", $""", "changes": [{one.ToJsonString()}]""");
        var job = GatewayReviews.Job();
        job["metadata"]!["labels"] = new JsonObject { [Names.Labels.SpecType] = task, [Names.Labels.Complexity] = complexity };
        var reviewed = GatewayReviews.Review(job, snapshot, bucket);
        return reviewed.Assignment?.Change is null ? null : GatewayReviews.Claims(reviewed).Rewritten("large", "large") ?? "large";
    }
}
