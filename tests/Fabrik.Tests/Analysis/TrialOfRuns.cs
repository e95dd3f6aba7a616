using System.Text.Json;
using Fabrik.Analysis;
using Fabrik.Experiments;
using Fabrik.Runs;

namespace Fabrik.Tests.Analysis;

/// <summary>Runs of one change, written as an observer would: each when it begins and when it ends, a minute apart.</summary>
internal sealed class TrialOfRuns
{
    private static readonly DateTimeOffset Start = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);
    private long revision;
    private int seq;

    public TrialOfRuns(double share)
    {
        Look = new ExperimentLook { StartedAt = Start, Since = Start, TreatedShare = share };
        State.Begin(Look, Start);
    }

    public ExperimentState State { get; private set; } = new();

    public ExperimentLook Look { get; private set; }

    public DateTimeOffset Now => Start.AddMinutes(seq);

    /// <summary>A minute later, the next look is another one.</summary>
    public void With(Func<ExperimentLook, ExperimentLook> change)
    {
        seq++;
        State.Begin(Look = change(Look), Now);
    }

    public Verdict Verdict() => Judgement.Of(State, Look);

    public IEnumerable<Trigger> Trips() => Safety.Trips(State, Look).Select(trip => trip.Trigger);

    /// <summary>Releases what has ended, and goes through the store's text.</summary>
    public void LookAgain()
    {
        State.Release(Now, Look.IsMemory, Look.Rules);
        State = JsonSerializer.Deserialize(JsonSerializer.Serialize(State, EvidenceJson.Default.ExperimentState), EvidenceJson.Default.ExperimentState)!;
    }

    public Member Begin(MemberRole role, string stratum = "s", Arm? arm = null, string? armChange = null)
    {
        seq++;
        var run = new Member(
            seq, $"uid-{seq}", $"run-{seq}", stratum, role, arm ?? (role == MemberRole.Treatment ? Arm.Treatment : role == MemberRole.Control ? Arm.Control : Arm.Applied), armChange, Now, Now, null,
            Outcome.Running, false, null, null, 1, new RunResources(), new RunResources(), ++revision);
        State.Take([run], Look);
        return run;
    }

    public Member End(Member run, Outcome outcome, bool oom = false, string? reason = null, double seconds = 10, RunResources? requested = null, RunResources? applied = null)
    {
        var ended = run with
        {
            Outcome = outcome,
            OomKilled = oom,
            Reason = reason,
            FinishedAt = Now.AddSeconds(seconds),
            DurationSeconds = outcome == Outcome.Unschedulable ? null : seconds,
            Requested = requested ?? new RunResources(),
            Applied = applied ?? requested ?? new RunResources(),
            Revision = ++revision,
        };
        State.Take([ended], Look);
        return ended;
    }

    public void Withdraw(Member run) => State.Take([run with { Role = MemberRole.Withdrawn, Arm = Arm.Unassigned, Revision = ++revision }], Look);

    public List<Member> Treated(int runs, int failed = 0) => Many(MemberRole.Treatment, runs, failed);

    public List<Member> Control(int runs, int failed = 0) => Many(MemberRole.Control, runs, failed);

    /// <summary>Blocks of one treated run and nine controls, each released.</summary>
    public void Blocks(int blocks, Func<bool> treatedFails, Func<int, bool> controlFails)
    {
        for (var block = 0; block < blocks; block++)
        {
            End(Begin(MemberRole.Treatment), treatedFails() ? Outcome.Failed : Outcome.Succeeded);
            for (var unit = 0; unit < 9; unit++) End(Begin(MemberRole.Control), controlFails(unit) ? Outcome.Failed : Outcome.Succeeded);
            LookAgain();
        }
    }

    private List<Member> Many(MemberRole role, int runs, int failed) =>
        [.. Enumerable.Range(0, runs).Select(run => End(Begin(role), run < failed ? Outcome.Failed : Outcome.Succeeded))];
}
