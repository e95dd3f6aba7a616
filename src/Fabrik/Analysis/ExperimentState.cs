using System.Text.Json.Serialization;
using Fabrik.Gateway;
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

    public Evidence Evidence { get; set; } = new();
    public Dictionary<string, StratumQueue> Queues { get; set; } = new(StringComparer.Ordinal);
    public List<SharePhase> Phases { get; set; } = [];
    public List<EvidencePoint> Points { get; set; } = [];

    /// <summary>Treated over control, of runs as they end.</summary>
    public RatioSequence Duration { get; set; } = new();
    public RatioSequence Cost { get; set; } = new();

    /// <summary>Of a change of model: what its calls cost is the cost of a run, and these have ended too lately for the ledger to have heard of all.</summary>
    public List<UnpaidRun> Unpaid { get; set; } = [];

    /// <summary>ISO 4217, of those costs; null before the first. What was called in another one is not compared.</summary>
    public string? Currency { get; set; }

    /// <summary>Runs that called models of which the cost cannot be compared: the price book does not know one of them, or it is in another currency.</summary>
    public long Unpriced { get; set; }

    /// <summary>Runs as they end: those created on trial, and those created since the rollout.</summary>
    public Completions Trial { get; set; } = new();
    public Completions Rollout { get; set; } = new();

    /// <summary>Since when the change is applied, in milliseconds since 1970; null while it is on trial.</summary>
    public long? AppliedAt { get; set; }

    /// <summary>Of the runs under the applied change.</summary>
    public BaselineWatch Watch { get; set; } = new();

    /// <summary>Blocks between two points.</summary>
    public int PointEvery { get; set; } = 1;
    public long Blocks { get; set; }

    /// <summary>Runs that turned out to be copies after they had been counted.</summary>
    public long WithdrawnLate { get; set; }

    /// <summary>Those that the hard trips read now.</summary>
    [JsonIgnore]
    public Completions Completions => AppliedAt is null ? Trial : Rollout;

    /// <summary>See <see cref="SampleRatio"/>: over all phases in which there were two arms.</summary>
    [JsonIgnore]
    public double LogSampleRatio => Phases.Where(phase => phase.IsCompared).Sum(phase => SampleRatio.LogBayesFactor(phase.Treated, phase.Control, phase.Share));

    /// <summary>Why the arms cannot be compared; null where nothing speaks against it. Both factors may be looked at any time.</summary>
    [JsonIgnore]
    public string? Incomparable
    {
        get
        {
            if (LogSampleRatio >= Math.Log(SampleRatio.Limit)) return SampleRatio.Broken;
            var compared = Phases.Where(phase => phase.IsCompared).ToList();
            if (compared.Sum(phase => SampleRatio.LogLossFactor(phase.TreatedLost, phase.ControlLost, phase.Share)) < Math.Log(SampleRatio.LossLimit)) return null;
            return $"runs of one arm are lost more often than those of the other ({compared.Sum(phase => phase.TreatedLost)} of {compared.Sum(phase => phase.Treated)} treated, {compared.Sum(phase => phase.ControlLost)} of {compared.Sum(phase => phase.Control)} control): how they ended is not known, so nothing is decided until what takes them away is found";
        }
    }

    /// <summary>Says, before anything is taken in, how Jobs are drawn by now and whether the change has been applied.</summary>
    public void Begin(ExperimentLook look, DateTimeOffset now)
    {
        if (look.IsDrawing || Phases.Count == 0) Draws(Phases.Count == 0 || Phases[^1].From < look.Since.ToUnixTimeMilliseconds() ? look.Since : now, look.TreatedShare);
        if (!look.IsApplied || AppliedAt is not null) return;
        AppliedAt = look.Since.ToUnixTimeMilliseconds();
        Watch.Freeze(Evidence.Strata);
    }

    /// <summary>The chance of treatment, among treated and controls, of Jobs created from now on.</summary>
    public void Draws(DateTimeOffset from, double share)
    {
        var at = from.ToUnixTimeMilliseconds();
        if (Phases.Count == 0 || (Phases[^1].Share != share && Phases[^1].From < at)) Phases.Add(new SharePhase(at, share, 0, 0));
    }

    /// <summary>Takes in what was written of members since <see cref="Revision"/>, in that order. Nothing is released, so all pages can be taken first.</summary>
    public void Take(IEnumerable<Member> news, ExperimentLook look)
    {
        if (Phases.Count == 0) throw new InvalidOperationException("the share of the experiment is not known");
        foreach (var member in news)
        {
            Revision = member.Revision;
            Take(member, look);
        }
    }

    /// <summary>Those of <see cref="Unpaid"/> whose calls the ledger should have by now, the first to end before the others.</summary>
    public IReadOnlyList<UnpaidRun> Due(DateTimeOffset now, int limit)
    {
        var until = (now - UnpaidRun.Wait).ToUnixTimeMilliseconds();
        return [.. Unpaid.Where(run => run.Finished <= until).OrderBy(run => run.Finished).Take(limit)];
    }

    /// <summary>Takes what these runs called as their cost. What is delivered later is not in it, of treated runs and controls alike.</summary>
    /// <param name="due">From <see cref="Due"/>.</param>
    /// <param name="calls">By run id; of a run that called nothing there is no cost to compare.</param>
    public void Pay(IReadOnlyList<UnpaidRun> due, IReadOnlyDictionary<string, CallTotal> calls)
    {
        var taken = due.Select(run => run.Seq).ToHashSet();
        Unpaid.RemoveAll(run => taken.Contains(run.Seq));
        foreach (var run in due)
        {
            if (!calls.TryGetValue(run.RunId, out var total) || total.Costs.All(one => one.Micros == 0)) continue;
            if (total is not { PriceUnknown: false, Costs: [var cost] } || (Currency ??= cost.Currency) != cost.Currency)
            {
                Unpriced++;
                continue;
            }

            var (paid, phase) = (cost.Micros / 1e6, PhaseOf(run.Created));
            (CompletionsOf(run.Created) is var counts && run.IsTreated ? counts.Treated : counts.Control).Pay(paid, run.Succeeded);
            if (phase.IsCompared) Cost.Add(run.IsTreated, paid, phase.Share);
        }
    }

    /// <summary>Releases what is known or overdue, fills blocks, and bets with each that is full.</summary>
    /// <param name="now">Outcomes that are overdue by now count as failures.</param>
    /// <param name="isMemory">Whether the change is for out-of-memory kills; else its goal is success itself.</param>
    /// <param name="rules">For the margin.</param>
    /// <returns>How many were released.</returns>
    public int Release(DateTimeOffset now, bool isMemory, DecisionRules rules)
    {
        var all = 0;
        foreach (var (stratum, queue) in Queues)
        {
            var overdue = (now - queue.Patience).ToUnixTimeMilliseconds();
            var released = 0;
            while (released < queue.Waiting.Count && queue.Waiting[released] is var run && (run.HasEnded || run.Created < overdue))
            {
                released++;
                (queue.ReleasedCreated, queue.ReleasedSeq) = (run.Created, run.Seq);
                if (!run.HasEnded) queue.Overdue.Add(run.Seq);
                if (PhaseOf(run.Created) is not { IsCompared: true } phase) continue;
                if (queue.Size == 0) queue.Size = Block.Size(phase.Share);
                (queue.Success, queue.OomFree) = (With(queue.Success, run, run.Succeeded), With(queue.OomFree, run, run.HasEnded && run.IsOomFree));
                if (queue.Success.Treated + queue.Success.Control < queue.Size) continue;
                Evidence.Add(stratum, queue.Success, isMemory ? queue.OomFree : queue.Success, rules.Margin);
                (queue.Success, queue.OomFree, queue.Size) = (default, default, 0);
                Mark();
            }

            queue.Waiting.RemoveRange(0, released);
            all += released;
        }

        return all;
    }

    private void Take(Member member, ExperimentLook look)
    {
        var created = member.CreatedAt.ToUnixTimeMilliseconds();
        if (created < Phases[0].From) return; // of an earlier trial of the same name
        if (!Queues.TryGetValue(member.Stratum, out var queue)) Queues[member.Stratum] = queue = new StratumQueue();
        if (member.Role == MemberRole.Withdrawn)
        {
            TakeBack(member, queue, look);
            return;
        }

        // Whoever waits keeps its arm, whatever is held back by now: a run that began to count has to end.
        if ((queue.Known(created, member.Seq)?.IsTreated ?? look.IsTreated(member)) is not { } isTreated) return;
        var ended = member.Outcome != Outcome.Running;
        if (queue.IsReleased(created, member.Seq))
        {
            if (ended && queue.Overdue.Remove(member.Seq)) End(member, queue, isTreated, look);
            return;
        }

        var before = queue.Put(new WaitingRun(created, member.Seq, isTreated, ended, member.Outcome == Outcome.Succeeded, !member.OomKilled));
        if (before is null) PhaseOf(created).Count(isTreated, 1);
        if (ended && before is not { HasEnded: true }) End(member, queue, isTreated, look);
    }

    /// <summary>A run has ended, and is seen so for the first time.</summary>
    private void End(Member member, StratumQueue queue, bool isTreated, ExperimentLook look)
    {
        var created = member.CreatedAt.ToUnixTimeMilliseconds();
        var (phase, cost) = (PhaseOf(created), look.IsModel ? null : look.Prices.Of(member));
        if (look.IsModel && member is { RunId: { } id, FinishedAt: { } finished }) Unpaid.Add(new UnpaidRun(created, member.Seq, id, isTreated, member.Outcome == Outcome.Succeeded, finished.ToUnixTimeMilliseconds()));
        CompletionsOf(created).Add(member, isTreated, cost);
        if (member.Outcome == Outcome.Lost) phase.CountLost(isTreated, 1);
        if (isTreated && created >= AppliedAt && member.Outcome != Outcome.Lost) Watch.Add(member.Stratum, member.Outcome != Outcome.Succeeded);
        if (member.DurationSeconds is not { } seconds) return;
        LogBuckets.Add(queue.Durations, seconds);
        if (!phase.IsCompared) return;
        Duration.Add(isTreated, seconds, phase.Share);
        if (cost is { } paid) Cost.Add(isTreated, paid, phase.Share);
    }

    /// <summary>What the ratios, the watch and finished blocks have of it stays in them, and what its calls cost where that was added up already.</summary>
    private void TakeBack(Member member, StratumQueue queue, ExperimentLook look)
    {
        var created = member.CreatedAt.ToUnixTimeMilliseconds();
        var known = queue.Remove(created, member.Seq);
        Unpaid.RemoveAll(run => run.Seq == member.Seq);
        if (known is not null) PhaseOf(created).Count(known.IsTreated, -1);
        if (known is { HasEnded: true } && member.Outcome == Outcome.Lost) PhaseOf(created).CountLost(known.IsTreated, -1);
        if (known is { HasEnded: true }) CompletionsOf(created).TakeBack(member, known.IsTreated, look.IsModel ? null : look.Prices.Of(member));
        if (known is not null || !queue.IsReleased(created, member.Seq)) return;
        WithdrawnLate++;
        if (!queue.Overdue.Remove(member.Seq)) CompletionsOf(created).TakeBack(member, null, null);
    }

    private Completions CompletionsOf(long created) => created >= AppliedAt ? Rollout : Trial;

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
/// <param name="share">Among treated and controls, above 0; 1 where nothing was held back.</param>
/// <param name="treated">Runs created in it.</param>
/// <param name="control">Likewise.</param>
/// <param name="treatedLost">Those of them that were given up as lost, whether or not they turned up again.</param>
/// <param name="controlLost">Likewise.</param>
public sealed class SharePhase(long from, double share, long treated, long control, long treatedLost = 0, long controlLost = 0)
{
    public long From { get; } = from;
    public double Share { get; } = share;

    /// <summary>Whether there were controls too.</summary>
    [JsonIgnore]
    public bool IsCompared => Share < 1;

    public long Treated { get; private set; } = treated;
    public long Control { get; private set; } = control;
    public long TreatedLost { get; private set; } = treatedLost;
    public long ControlLost { get; private set; } = controlLost;

    public void Count(bool isTreated, int number)
    {
        if (isTreated) Treated += number;
        else Control += number;
    }

    public void CountLost(bool isTreated, int number)
    {
        if (isTreated) TreatedLost += number;
        else ControlLost += number;
    }
}
