using System.Text.Json;
using Fabrik.Analysis;
using Fabrik.Experiments;
using Fabrik.Runs;

namespace Fabrik.Tests.Analysis;

public class ExperimentStateTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);
    private static readonly DecisionRules Rules = new();

    [Fact]
    public void A_fast_failure_waits_for_the_slow_runs_before_it()
    {
        var state = State(0.25);
        Take(state, [Ran(1, Outcome.Running), Ran(2, Outcome.Failed), Ran(3, Outcome.Failed), Ran(4, Outcome.Failed)]);
        state.Release(At(5), isMemory: false, Rules);
        state.Evidence.Success.Control.ShouldBe(0);
        Take(state, [Ran(1, Outcome.Succeeded, revision: 5)]);
        state.Release(At(6), isMemory: false, Rules);
        state.Evidence.Success.ShouldBe(new Tally(0, 0, 1, 4));
    }

    [Fact]
    public void An_outcome_that_is_overdue_counts_as_a_failure_and_not_again_when_it_comes()
    {
        var state = State(0.25);
        Take(state, [Ran(1, Outcome.Running), Ran(2, Outcome.Succeeded), Ran(3, Outcome.Succeeded), Ran(4, Outcome.Succeeded)]);
        state.Release(At(1) + StratumQueue.LongestWait, isMemory: false, Rules);
        state.Evidence.Success.Control.ShouldBe(0);
        state.Release(At(2) + StratumQueue.LongestWait, isMemory: false, Rules);
        state.Evidence.Success.ShouldBe(new Tally(0, 0, 3, 4));
        Take(state, [Ran(1, Outcome.Succeeded, revision: 9)]);
        state.Release(At(3) + StratumQueue.LongestWait, isMemory: false, Rules);
        state.Evidence.Success.ShouldBe(new Tally(0, 0, 3, 4));
    }

    [Fact]
    public void A_stratum_of_short_runs_waits_three_times_as_long_as_99_of_100_of_them_take()
    {
        var state = State(0.25);
        Take(state, Enumerable.Range(1, 100).Select(seq => Ran(seq, Outcome.Succeeded)));
        state.Release(At(101), isMemory: false, Rules);
        state.Queues["s"].Patience.TotalSeconds.ShouldBeInRange(30, 3 * 10 * 1.19);
    }

    [Fact]
    public void Blocks_never_mix_strata()
    {
        var state = State(0.25);
        Take(state, [Ran(1, Outcome.Failed, "a"), Ran(2, Outcome.Failed, "b"), Ran(3, Outcome.Failed, "a"), Ran(4, Outcome.Failed, "b"), Ran(5, Outcome.Failed, "a")]);
        state.Release(At(6), isMemory: false, Rules);
        state.Blocks.ShouldBe(0);
        Take(state, [Ran(6, Outcome.Failed, "a")]);
        state.Release(At(7), isMemory: false, Rules);
        (state.Blocks, state.Evidence.Strata.Keys.Single()).ShouldBe((1, "a"));
    }

    [Fact]
    public void A_copy_found_out_in_time_is_taken_back_and_a_late_one_is_told()
    {
        var state = State(0.25);
        Take(state, [Ran(1, Outcome.Failed), Ran(2, Outcome.Running, role: MemberRole.Treatment), Ran(2, Outcome.Running, role: MemberRole.Withdrawn, revision: 3)]);
        (state.Phases[0].Treated, state.Phases[0].Control).ShouldBe((0, 1));
        Take(state, [Ran(4, Outcome.Failed), Ran(5, Outcome.Failed), Ran(6, Outcome.Failed)]);
        state.Release(At(7), isMemory: false, Rules);
        state.Evidence.Success.ShouldBe(new Tally(0, 0, 0, 4));
        Take(state, [Ran(1, Outcome.Failed, role: MemberRole.Withdrawn, revision: 8)]);
        (state.WithdrawnLate, state.Evidence.Success.Control).ShouldBe((1, 4));
    }

    [Fact]
    public void A_share_that_grows_makes_the_next_block_smaller_and_is_watched_for_itself()
    {
        var state = State(0.1);
        state.Draws(At(100), 0.25);
        state.Draws(At(101), 0.25);
        state.Phases.Count.ShouldBe(2);
        Take(state, Enumerable.Range(95, 14).Select(seq => Ran(seq, Outcome.Succeeded, role: seq % 5 == 0 ? MemberRole.Treatment : MemberRole.Control)));
        state.Release(At(200), isMemory: false, Rules);
        // The block that began before has ten units, the one after it four.
        (state.Blocks, state.Evidence.Success.Treated + state.Evidence.Success.Control).ShouldBe((2, 14));
        state.Phases.Select(phase => phase.Treated + phase.Control).ShouldBe([5, 9]);
    }

    [Fact]
    public void For_a_memory_change_a_win_is_a_run_that_was_not_killed_for_memory_whether_or_not_it_succeeded()
    {
        var state = State(0.25);
        Take(state, Enumerable.Range(1, 4).Select(seq => Ran(seq, Outcome.Failed, oom: seq == 1)));
        state.Release(At(5), isMemory: true, Rules);
        state.Evidence.Goal.ShouldBe(new Tally(0, 0, 3, 4));
        state.Evidence.Success.ShouldBe(new Tally(0, 0, 0, 4));
    }

    /// <summary>However the updates are cut into looks, and though the state is written and read between them, the evidence is the same.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Looks_and_restarts_in_between_change_nothing(int seed)
    {
        var random = new Random(seed);
        var updates = new List<Member>();
        long revision = 0;
        for (var seq = 1; seq <= 600; seq++)
        {
            var role = random.NextDouble() < 0.2 ? MemberRole.Treatment : MemberRole.Control;
            var stratum = $"{random.Next(3)}";
            updates.Add(Ran(seq, Outcome.Running, stratum, role, revision: ++revision));
            // Ends up to forty Jobs later, out of order.
            updates.Insert(Math.Max(updates.Count - random.Next(40), updates.FindIndex(one => one.Seq == seq) + 1), Ran(seq, random.NextDouble() < 0.8 ? Outcome.Succeeded : Outcome.Failed, stratum, role, oom: random.NextDouble() < 0.3, revision: ++revision) with
            {
                DurationSeconds = random.Next(1, 500),
                Requested = new RunResources { MemoryLimitBytes = 1 << 30 },
                Applied = new RunResources { MemoryLimitBytes = role == MemberRole.Treatment ? 2 << 29 : 1 << 30 },
            });
        }

        updates = [.. updates.OrderBy(update => update.Outcome == Outcome.Running ? update.Seq : update.Seq + random.Next(1, 40)).ThenBy(update => update.Revision)];
        var whole = Begun();
        Take(whole, updates);
        whole.Release(At(10_000), isMemory: true, Rules);

        var split = Begun();
        for (var from = 0; from < updates.Count;)
        {
            var count = Math.Min(random.Next(1, 60), updates.Count - from);
            Take(split, updates.Skip(from).Take(count));
            if (random.Next(2) == 0) split.Release(Start, isMemory: true, Rules); // a time at which nothing is overdue
            split = JsonSerializer.Deserialize(JsonSerializer.Serialize(split, EvidenceJson.Default.ExperimentState), EvidenceJson.Default.ExperimentState)!;
            from += count;
        }

        split.Release(At(10_000), isMemory: true, Rules);
        split.Evidence.Success.ShouldBe(whole.Evidence.Success);
        split.Evidence.Goal.ShouldBe(whole.Evidence.Goal);
        split.Evidence.Win.Log.ShouldBe(whole.Evidence.Win.Log, 1e-9);
        split.Evidence.NonInferior.Log.ShouldBe(whole.Evidence.NonInferior.Log, 1e-9);
        split.Evidence.NonInferiorGoal.Log.ShouldBe(whole.Evidence.NonInferiorGoal.Log, 1e-9);
        split.Evidence.Harm.Log.ShouldBe(whole.Evidence.Harm.Log, 1e-9);
        split.LogSampleRatio.ShouldBe(whole.LogSampleRatio, 1e-9);
        split.Revision.ShouldBe(whole.Revision);

        // What is counted as runs end is the same to the last digit.
        foreach (var counted in (Func<ExperimentState, object>[])[state => state.Trial, state => state.Rollout, state => state.Watch, state => state.Cost, state => state.Duration])
            JsonSerializer.Serialize(counted(split)).ShouldBe(JsonSerializer.Serialize(counted(whole)));
        (whole.Trial.Treated.Ended, whole.Rollout.Treated.Ended, whole.Watch.Runs, whole.Cost.Treated).ShouldBe((whole.Duration.Treated - whole.Watch.Runs, whole.Watch.Runs, whole.Rollout.Treated.Ended, whole.Duration.Treated));
        Math.Min(whole.Trial.Treated.Ended, whole.Watch.Runs).ShouldBeGreaterThan(30);
        whole.Evidence.Success.Treated.ShouldBeGreaterThan(80);

        // Rolled out half-way.
        static ExperimentState Begun()
        {
            var state = State(0.2);
            (state.AppliedAt, state.Watch.Baselines) = (At(300).ToUnixTimeMilliseconds(), new Dictionary<string, double> { ["0"] = 0.1, ["1"] = 0.2, ["2"] = 0.3 });
            return state;
        }
    }

    [Fact]
    public void The_state_stays_small_however_many_runs_have_ended()
    {
        var state = State(0.1);
        for (var seq = 1; seq <= 50_000; seq++) Take(state, [Ran(seq, Outcome.Succeeded, role: seq % 10 == 0 ? MemberRole.Treatment : MemberRole.Control)]);
        state.Release(At(60_000), isMemory: false, Rules);
        state.Blocks.ShouldBe(5_000);
        state.Points.Count.ShouldBeInRange(ExperimentState.MostPoints / 2, ExperimentState.MostPoints);
        state.Points.Zip(state.Points.Skip(1)).ShouldAllBe(pair => pair.First.Runs < pair.Second.Runs);
        JsonSerializer.SerializeToUtf8Bytes(state, EvidenceJson.Default.ExperimentState).Length.ShouldBeLessThan(64 * 1024);
    }

    private static ExperimentState State(double share)
    {
        var state = new ExperimentState();
        state.Draws(Start, share);
        return state;
    }

    private static readonly ExperimentLook Look = new() { StartedAt = Start, Since = Start, TreatedShare = 0.1 };

    private static void Take(ExperimentState state, IEnumerable<Member> news) => state.Take(news, Look);

    private static DateTimeOffset At(int minutes) => Start.AddMinutes(minutes);

    private static Member Ran(int seq, Outcome outcome, string stratum = "s", MemberRole role = MemberRole.Control, bool oom = false, long revision = 0)
    {
        var finished = outcome == Outcome.Running ? (DateTimeOffset?)null : At(seq).AddSeconds(10);
        return new Member(seq, $"uid-{seq}", null, stratum, role, role == MemberRole.Treatment ? Arm.Treatment : Arm.Control, null, At(seq), At(seq), finished, outcome, oom, null, finished is null ? null : 10, 1, new RunResources(), new RunResources(), revision == 0 ? seq : revision);
    }
}
