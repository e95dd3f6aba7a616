using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Cli.Connections;
using Fabrik.Experiments;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Cli;

public sealed class DecideTests(ClusterOfObjects cluster) : IClassFixture<ClusterOfObjects>
{
    [Fact]
    public async Task Checklist_66_a_change_is_approved_with_who_when_and_why()
    {
        await cluster.ChangeAsync("approve-me", "analyzing");

        var run = await cluster.FabrikAsync("optimizer", "changes", "approve", "approve-me", "--reason", "looks right");

        run.Code.ShouldBe(0, run.Error);
        run.Out.ShouldBe("optimizationchange.fabrik.dev/approve-me approved\n");
        var approval = (await cluster.ReadAsync("approve-me")).GetProperty("spec").GetProperty("approval");
        approval.GetProperty("approved").GetBoolean().ShouldBeTrue();
        approval.GetProperty("reason").GetString().ShouldBe("looks right");
        approval.GetProperty("by").GetString().ShouldNotBeNullOrEmpty();
        (TimeProvider.System.GetUtcNow() - approval.GetProperty("at").GetDateTimeOffset()).Duration().ShouldBeLessThan(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task Checklist_66_a_change_is_rejected_with_a_reason_and_a_later_decision_leaves_none_of_it()
    {
        await cluster.ChangeAsync("reject-me");

        (await cluster.FabrikAsync("changes", "reject", "reject-me", "--reason", "Too expensive")).Code.ShouldBe(0);
        (await cluster.ReadAsync("reject-me")).GetProperty("spec").GetProperty("approval").GetProperty("reason").GetString().ShouldBe("Too expensive");
        (await cluster.FabrikAsync("changes", "approve", "reject-me")).Code.ShouldBe(0);

        var approval = (await cluster.ReadAsync("reject-me")).GetProperty("spec").GetProperty("approval");
        approval.GetProperty("approved").GetBoolean().ShouldBeTrue();
        approval.TryGetProperty("reason", out _).ShouldBeFalse();
    }

    [Theory]
    [InlineData("applied")]
    [InlineData("experiment_running")]
    public async Task Checklist_66_what_jobs_get_now_is_rolled_back_by_a_word_in_the_spec_that_leaves_the_status_to_the_scheduler(string phase)
    {
        var name = "undo-" + phase.Replace('_', '-');
        await cluster.ChangeAsync(name, phase);

        var run = await cluster.FabrikAsync("optimizer", "rollback", name, "--reason", "customers complain");

        run.Code.ShouldBe(0, run.Error);
        run.Error.ShouldContain("rolled_back");
        var change = ObjectJson.Change(await cluster.ReadAsync(name));
        (change.Spec.Approval!.Approved, change.Spec.Approval.Reason).ShouldBe((false, "customers complain"));
        change.Status.Phase.ShouldBe(JsonSerializer.Deserialize<Phase>($"\"{phase}\""));
        PersonDecision.Step(change.Phase, change.Spec.Approval, null).ShouldBe(Phase.RolledBack);
    }

    [Fact]
    public async Task Checklist_60_to_refuse_what_was_rolled_back_is_a_persons_review_and_leaves_it_so()
    {
        await cluster.ChangeAsync("reviewed", "rolled_back");
        var run = await cluster.FabrikAsync("optimizer", "changes", "reject", "reviewed", "--reason", "rightly so");
        run.Code.ShouldBe(0);
        run.Error.ShouldContain("counts as looked at");
        (await cluster.ReadAsync("reviewed")).GetProperty("spec").GetProperty("approval").GetProperty("approved").GetBoolean().ShouldBeFalse();
    }

    [Theory]
    [InlineData("approve", "applied", "fabrik optimizer rollback")]
    [InlineData("approve", "rejected", "propose it anew")]
    [InlineData("reject", "applied", "fabrik optimizer rollback")]
    [InlineData("reject", "rejected", "changes show")]
    [InlineData("rollback", "proposed", "changes reject")]
    [InlineData("rollback", "rejected", "changes show")]
    public async Task A_decision_that_makes_no_sense_writes_nothing_and_names_the_one_that_is_meant(string verb, string phase, string next)
    {
        var name = $"senseless-{verb}-{phase}".Replace('_', '-');
        await cluster.ChangeAsync(name, phase);
        string[] words = verb == "rollback" ? ["optimizer", "rollback", name] : ["optimizer", "changes", verb, name];

        var run = await cluster.FabrikAsync([.. words, "--reason", "x"]);

        run.Code.ShouldBe(1);
        run.Error.ShouldContain("FAB-1021");
        run.Error.ShouldContain(next);
        (await cluster.ReadAsync(name)).GetProperty("spec").TryGetProperty("approval", out _).ShouldBeFalse();
    }

    [Fact]
    public async Task Who_lacks_a_permission_is_told_the_verb_the_resource_and_the_namespace()
    {
        await cluster.ChangeAsync("of-others");
        var reader = await cluster.UserAsync("only-reads", "get", "list");

        var run = await Command.RunAsync(["changes", "approve", "of-others", "--kubeconfig", reader]);

        run.Code.ShouldBe(4);
        run.Error.ShouldContain("lacks the verb patch on optimizationchanges.fabrik.dev in namespace fabrik-system");
        run.Error.ShouldContain("kubectl auth can-i patch optimizationchanges.fabrik.dev -n fabrik-system");
        (await cluster.ReadAsync("of-others")).GetProperty("spec").TryGetProperty("approval", out _).ShouldBeFalse();
    }

    [Fact]
    public async Task A_change_that_does_not_exist_ends_with_3()
    {
        var run = await cluster.FabrikAsync("optimizer", "changes", "approve", "no-such-change");

        run.Code.ShouldBe(3);
        run.Error.ShouldContain("next: ");
    }

    [Theory]
    [InlineData("optimizer changes reject x")]
    [InlineData("optimizer pause")]
    [InlineData("optimizer rollback")]
    public async Task A_decision_without_what_it_needs_is_a_usage_error(string line) => (await cluster.FabrikAsync(line.Split(' '))).Code.ShouldBe(2);

    [Fact]
    public async Task A_reason_of_nothing_is_a_usage_error() => (await cluster.FabrikAsync("changes", "reject", "x", "--reason", " ")).Code.ShouldBe(2);

    [Fact]
    public async Task A_write_of_status_in_between_is_stepped_over()
    {
        await cluster.ChangeAsync("ticking", "experiment_running");

        await WriteAfter("ticking", new JsonObject { ["status"] = new JsonObject { ["share"] = 0.19 } }, "status");

        var change = ObjectJson.Change(await cluster.ReadAsync("ticking"));
        change.Spec.Approval!.Approved.ShouldBeFalse();
        change.Status.Share.ShouldBe(0.19);
    }

    [Theory]
    [InlineData("""{"status":{"phase":"approved"}}""", "status", "status.phase: experiment_running is approved now")]
    [InlineData("""{"spec":{"approval":{"approved":true}}}""", null, "spec.approval: nothing is")]
    public async Task A_decision_on_what_is_no_longer_so_writes_nothing_and_says_what_changed(string meanwhile, string? subresource, string expected)
    {
        var name = subresource is null ? "decided-twice" : "moved-on";
        await cluster.ChangeAsync(name, "experiment_running");

        var error = await Should.ThrowAsync<Fabrik.Cli.CommandException>(() => WriteAfter(name, JsonNode.Parse(meanwhile)!, subresource));

        error.Id.ShouldBe("FAB-1020");
        error.Why.ShouldContain(expected);
        ObjectJson.Change(await cluster.ReadAsync(name)).Spec.Approval?.Approved.ShouldBeTrue();
    }

    [Theory]
    [InlineData(Phase.Proposed, Phase.Rejected)]
    [InlineData(Phase.Queued, Phase.Rejected)]
    [InlineData(Phase.ExperimentRunning, Phase.RolledBack)]
    [InlineData(Phase.Analyzing, Phase.Rejected)]
    [InlineData(Phase.Approved, Phase.Rejected)]
    [InlineData(Phase.Applied, Phase.RolledBack)]
    [InlineData(Phase.Rejected, null)]
    [InlineData(Phase.RolledBack, null)]
    public void A_refusal_leads_along_a_step_that_exists(Phase from, Phase? to)
    {
        PersonDecision.Step(from, new Approval { Approved = false }, null).ShouldBe(to);
        if (to is { } next) Transitions.Exists(from, next).ShouldBeTrue();
    }

    [Fact]
    public void Only_an_approval_after_the_rollback_takes_a_change_up_again()
    {
        var rolledBack = new DateTimeOffset(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

        PersonDecision.Step(Phase.RolledBack, new Approval { Approved = true, At = rolledBack.AddHours(-1) }, rolledBack).ShouldBeNull();
        PersonDecision.Step(Phase.RolledBack, new Approval { Approved = true }, rolledBack).ShouldBeNull();
        PersonDecision.Step(Phase.RolledBack, new Approval { Approved = true, At = rolledBack.AddMinutes(5) }, rolledBack).ShouldBe(Phase.Proposed);
        PersonDecision.Step(Phase.Applied, new Approval { Approved = true, At = rolledBack }, rolledBack).ShouldBeNull();
    }

    /// <summary>A refusal whose object another client changes between the look and the write, once.</summary>
    private Task<KubeObject> WriteAfter(string name, JsonNode meanwhile, string? subresource)
    {
        var written = false;
        return ObjectWriter.PatchSpecAsync(cluster.Client, Kinds.OptimizationChange, Names.SystemNamespace, name, _ =>
        {
            if (!written)
                Task.Run(() => cluster.Client.PatchAsync(Kinds.OptimizationChange, Names.SystemNamespace, name, PatchType.Merge, meanwhile, default, new WriteOptions { Subresource = subresource })).GetAwaiter().GetResult();
            written = true;
            return new JsonObject { ["approval"] = new JsonObject { ["approved"] = false } };
        }, TestContext.Current.CancellationToken);
    }
}
