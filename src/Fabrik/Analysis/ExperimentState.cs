using System.Text.Json.Serialization;
using Fabrik.Reports;
using Fabrik.Runs;

namespace Fabrik.Analysis;

/// <summary>
/// All that the analysis of one experiment carries from one look to the next. Taking a run in and releasing it costs the same however many came
/// before, and the state grows with the runs that have not ended and with the strata, not with the runs that have.
/// </summary>
public sealed class ExperimentState
{
    /// <summary>Points of the evidence over time that are kept; beyond it every second one goes.</summary>
    public const int MostPoints = 400;

    /// <summary>The updates of members that are in this state: where to go on.</summary>
    public long Revision { get; set; }

    public Evidence Evidence { get; init; } = new();
    public Dictionary<string, StratumQueue> Queues { get; init; } = new(StringComparer.Ordinal);
    public List<SharePhase> Phases { get; init; } = [];
    public List<EvidencePoint> Points { get; init; } = [];

    /// <summary>Treated over control, of runs as they end.</summary>
    public RatioSequence Duration { get; init; } = new();

    /// <summary>Blocks between two points.</summary>
    public int PointEvery { get; set; } = 1;
    public long Blocks { get; set; }

    /// <summary>Runs that turned out to be copies after they had been counted.</summary>
    public long WithdrawnLate { get; set; }

    /// <summary>See <see cref="SampleRatio"/>: over all phases.</summary>
    [JsonIgnore]
    public double LogSampleRatio => Phases.Sum(phase => SampleRatio.LogBayesFactor(phase.Treated, phase.Control, phase.Share));

    /// <summary>The chance of treatment, among treated and controls, of Jobs created from now on.</summary>
    public void Draws(DateTimeOffset from, double share)
    {
        var at = from.ToUnixTimeMilliseconds();
        if (Phases.Count == 0 || (Phases[^1].Share != share && Phases[^1].From < at)) Phases.Add(new SharePhase(at, share, 0, 0));
    }

    /// <summary>Takes in what was written of members since <see cref="Revision"/>, in that order. Nothing is released, so all pages can be taken first.</summary>
    public void Take(IEnumerable<Member> news)
    {
        if (Phases.Count == 0) throw new InvalidOperationException("the share of the experiment is not known");
        foreach (var member in news)
        {
            Revision = member.Revision;
            Take(member);
        }
    }

    /// <summary>Releases what is known or overdue, fills blocks, and bets with each that is full.</summary>
    /// <param name="now">Outcomes that are overdue by now count as failures.</param>
    /// <param name="isMemory">Whether the change is for out-of-memory kills; else its goal is success itself.</param>
    /// <param name="rules">For the margin.</param>
    public void Release(DateTimeOffset now, bool isMemory, DecisionRules rules)
    {
        foreach (var (stratum, queue) in Queues)
        {
            var overdue = (now - queue.Patience).ToUnixTimeMilliseconds();
            var released = 0;
            while (released < queue.Waiting.Count && queue.Waiting[released] is var run && (run.HasEnded || run.Created < overdue))
            {
                released++;
                (queue.ReleasedCreated, queue.ReleasedSeq) = (run.Created, run.Seq);
                if (queue.Size == 0) queue.Size = Block.Size(PhaseOf(run.Created).Share);
                (queue.Success, queue.OomFree) = (With(queue.Success, run, run.Succeeded), With(queue.OomFree, run, run.HasEnded && run.IsOomFree));
                if (queue.Success.Treated + queue.Success.Control < queue.Size) continue;
                Evidence.Add(stratum, queue.Success, isMemory ? queue.OomFree : queue.Success, rules.Margin);
                (queue.Success, queue.OomFree, queue.Size) = (default, default, 0);
                Mark();
            }

            queue.Waiting.RemoveRange(0, released);
        }
    }

    private void Take(Member member)
    {
        var created = member.CreatedAt.ToUnixTimeMilliseconds();
        if (created < Phases[0].From) return; // of an earlier trial of the same name
        if (!Queues.TryGetValue(member.Stratum, out var queue)) Queues[member.Stratum] = queue = new StratumQueue();
        if (queue.IsReleased(created, member.Seq))
        {
            if (member.Role == MemberRole.Withdrawn) WithdrawnLate++;
            return;
        }

        if (member.Role == MemberRole.Withdrawn)
        {
            if (queue.Remove(created, member.Seq) is { } known) PhaseOf(created).Count(known.IsTreated, -1);
            return;
        }

        if (member.Role is not (MemberRole.Treatment or MemberRole.Control)) return;
        var isTreated = member.Role == MemberRole.Treatment;
        var ended = member.Outcome != Outcome.Running;
        var before = queue.Put(new WaitingRun(created, member.Seq, isTreated, ended, member.Outcome == Outcome.Succeeded, !member.OomKilled));
        if (before is null) PhaseOf(created).Count(isTreated, 1);
        if (!ended || before is { HasEnded: true } || member.DurationSeconds is not { } seconds) return;
        queue.Took(seconds);
        Duration.Add(isTreated, seconds, PhaseOf(created).Share);
    }

    private SharePhase PhaseOf(long created)
    {
        for (var i = Phases.Count - 1; i > 0; i--)
            if (Phases[i].From <= created) return Phases[i];
        return Phases[0];
    }

    private void Mark()
    {
        if (++Blocks % PointEvery != 0) return;
        Points.Add(new EvidencePoint((int)Math.Min(int.MaxValue, Evidence.Success.Treated + Evidence.Success.Control), Evidence.Win.Value, Evidence.NonInferior.Value, Evidence.Harm.Value));
        if (Points.Count <= MostPoints) return;
        for (var i = Points.Count - 1; i >= 0; i--)
            if (i % 2 == 0) Points.RemoveAt(i);
        PointEvery *= 2;
    }

    private static Block With(Block block, WaitingRun run, bool good) => run.IsTreated
        ? block with { Treated = block.Treated + 1, TreatedGood = block.TreatedGood + (good ? 1 : 0) }
        : block with { Control = block.Control + 1, ControlGood = block.ControlGood + (good ? 1 : 0) };
}

/// <summary>A time in which the chance of treatment was one and the same.</summary>
/// <param name="from">Milliseconds since 1970, UTC.</param>
/// <param name="share">Among treated and controls, inside (0, 1).</param>
/// <param name="treated">Runs created in it.</param>
/// <param name="control">Likewise.</param>
public sealed class SharePhase(long from, double share, long treated, long control)
{
    public long From { get; } = from;
    public double Share { get; } = share;
    public long Treated { get; private set; } = treated;
    public long Control { get; private set; } = control;

    public void Count(bool isTreated, int number)
    {
        if (isTreated) Treated += number;
        else Control += number;
    }
}
