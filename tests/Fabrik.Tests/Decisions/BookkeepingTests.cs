using Fabrik.Decisions;
using Fabrik.Experiments;
using static Fabrik.Tests.Decisions.Made;

namespace Fabrik.Tests.Decisions;

public sealed class BookkeepingTests
{
    private static readonly RecordState Empty = new([], new Dictionary<string, LastStep>(), []);
    private static readonly RecordState KnownAsQueued = Empty with { Last = new Dictionary<string, LastStep> { ["uid-a"] = new("a", Phase.Queued) } };

    [Fact]
    public void A_change_that_was_never_seen_is_recorded_once_at_its_creation()
    {
        var seen = Tell([Change("a")], Empty).Observed.ShouldHaveSingleItem();
        (seen.From, seen.To, seen.At, seen.Actor).ShouldBe((null, Phase.Proposed, Now.AddDays(-1), null));
        Tell([Change("a").With(spec => spec with { Rationale = "because" })], Empty).Observed.Single().Reasons.ShouldBe(["because"]);
        Tell([Change("a", Phase.Queued)], KnownAsQueued).IsEmpty.ShouldBeTrue();
    }

    [Fact]
    public void A_phase_that_someone_else_wrote_is_recorded()
    {
        var seen = Tell([Change("a", Phase.Rejected)], KnownAsQueued).Observed.ShouldHaveSingleItem();
        (seen.From, seen.To, seen.Actor).ShouldBe((Phase.Queued, Phase.Rejected, null));
    }

    [Fact]
    public void A_step_that_was_cut_off_is_written_where_the_status_names_it()
    {
        var state = KnownAsQueued with { Open = [new OpenStep("t1", "uid-a", Phase.ExperimentRunning, false)] };
        var told = Tell([Change("a", Phase.ExperimentRunning, status: new ChangeStatus { Transition = "t1" })], state);
        told.Results.ShouldBe([("t1", TransitionResult.Written)]);
        told.Observed.ShouldBeEmpty();
    }

    [Fact]
    public void A_step_that_was_cut_off_before_its_write_is_decided_anew()
    {
        var state = KnownAsQueued with { Open = [new OpenStep("t1", "uid-a", Phase.ExperimentRunning, false)] };
        Tell([Change("a", Phase.Queued)], state).Results.ShouldBe([("t1", TransitionResult.Overtaken)]);
        Tell([], state).Results.ShouldBe([("t1", TransitionResult.Gone)]);
    }

    [Fact]
    public void A_write_that_arrived_after_all_is_written_after_all()
    {
        var state = KnownAsQueued with { Open = [new OpenStep("t1", "uid-a", Phase.ExperimentRunning, true)] };
        Tell([Change("a", Phase.ExperimentRunning, status: new ChangeStatus { Transition = "t1" })], state).Results.ShouldBe([("t1", TransitionResult.Written)]);
        Tell([Change("a", Phase.Queued)], state).IsEmpty.ShouldBeTrue();
    }

    [Fact]
    public void A_change_deleted_on_trial_is_recorded_once_and_one_that_cannot_be_read_is_not_taken_for_deleted()
    {
        var state = Empty with { Last = new Dictionary<string, LastStep> { ["uid-a"] = new("a", Phase.ExperimentRunning) } };
        var seen = Tell([], state).Observed.ShouldHaveSingleItem();
        (seen.From, seen.To, seen.Reasons.Single()).ShouldBe((Phase.ExperimentRunning, null, "the object was deleted; its trial ended with it"));
        Tell([], Empty with { Last = new Dictionary<string, LastStep> { ["uid-a"] = new("a", null) } }).IsEmpty.ShouldBeTrue();
        Bookkeeping.Of([], new HashSet<string> { "uid-a" }, state, Now, () => "id").IsEmpty.ShouldBeTrue();
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(-1, false)]
    public void A_persons_word_after_an_emergency_is_its_review(int minutes, bool reviewed)
    {
        var state = Empty with { Last = new Dictionary<string, LastStep> { ["uid-a"] = new("a", Phase.RolledBack) }, Incidents = [new OpenIncident("t1", "uid-a", Now)] };
        var told = Tell([Change("a", Phase.RolledBack, approval: new Approval { Approved = false, By = "alice", At = Now.AddMinutes(minutes) })], state);
        told.Reviews.Select(review => review.Actor).ShouldBe(reviewed ? ["alice"] : []);
    }

    private static Bookkeeping Tell(IReadOnlyList<OptimizationChange> changes, RecordState state) =>
        Bookkeeping.Of(changes, changes.Select(Bookkeeping.Uid).ToHashSet(), state, Now, () => "id");
}
