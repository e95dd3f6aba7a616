using System.Text.Json.Serialization;
using Fabrik.Runs;

namespace Fabrik.Analysis;

/// <summary>
/// Runs in the order in which they end, each once: what the hard trips read, which must not wait for the order of creation as the evidence
/// does. Runs that were lost tell nothing here. Only the first treated ones are known by number, so that a copy can be taken out again.
/// </summary>
public sealed class Completions
{
    /// <summary>How many of the first treated outcomes are watched, and how many kills for memory.</summary>
    public const int FirstRuns = 5;
    public const int Kills = 3;

    public ArmCompletions Treated { get; set; } = new();
    public ArmCompletions Control { get; set; } = new();

    /// <summary>The first treated runs to end, by number.</summary>
    public List<FirstRun> First { get; set; } = [];

    /// <summary>Treated runs that never got a node, whose Pods were refused, or that were killed for memory with less of it than they asked for: the first few.</summary>
    public List<long> Unschedulable { get; set; } = [];
    public List<long> Refused { get; set; } = [];
    public List<long> Killed { get; set; } = [];

    /// <param name="run">Ended, for the first time.</param>
    /// <param name="cost">Null where it is not known.</param>
    public void Add(Member run, bool isTreated, double? cost)
    {
        if (run.Outcome == Outcome.Lost) return;
        (isTreated ? Treated : Control).Count(run, cost, 1);
        if (!isTreated) return;
        if (First.Count < FirstRuns) First.Add(new FirstRun(run.Seq, run.Outcome != Outcome.Succeeded));
        if (IsUnschedulable(run)) Note(Unschedulable, run.Seq);
        if (IsRefused(run)) Note(Refused, run.Seq);
        if (run.OomKilled && run.Applied.MemoryLimitBytes < run.Requested.MemoryLimitBytes) Note(Killed, run.Seq);
    }

    /// <summary>A run that was counted turns out not to count.</summary>
    /// <param name="isTreated">Null where it is not known any more: then only what is known by number is taken back.</param>
    public void TakeBack(Member run, bool? isTreated, double? cost)
    {
        First.RemoveAll(first => first.Seq == run.Seq);
        foreach (var list in (ReadOnlySpan<List<long>>)[Unschedulable, Refused, Killed]) list.Remove(run.Seq);
        if (isTreated is { } treated && run.Outcome != Outcome.Lost) (treated ? Treated : Control).Count(run, cost, -1);
    }

    internal static bool IsUnschedulable(Member run) => run.Outcome == Outcome.Unschedulable && !IsRefused(run);

    /// <summary>The Job controller could not create its Pods.</summary>
    internal static bool IsRefused(Member run) => run.Outcome == Outcome.Unschedulable && run.Reason == "FailedCreate";

    private static void Note(List<long> list, long seq)
    {
        if (list.Count < Kills) list.Add(seq);
    }
}

/// <param name="Seq">Of the run.</param>
public sealed record FirstRun(long Seq, bool Failed);

/// <summary>Runs of one arm that have ended.</summary>
public sealed class ArmCompletions
{
    public long Ended { get; set; }
    public long Failed { get; set; }
    public long OomKilled { get; set; }
    public long Unschedulable { get; set; }
    public long Refused { get; set; }

    /// <summary>Sum over runs whose cost is known, and how many of those succeeded.</summary>
    public double Cost { get; set; }
    public long Paid { get; set; }
    public long PaidSuccesses { get; set; }

    /// <summary>See <see cref="LogBuckets"/>.</summary>
    public int[] Durations { get; set; } = new int[LogBuckets.Count];

    [JsonIgnore]
    public long Succeeded => Ended - Failed;

    [JsonIgnore]
    public double ErrorRate => Ended == 0 ? double.NaN : (double)Failed / Ended;

    [JsonIgnore]
    public double OomRate => Ended == 0 ? double.NaN : (double)OomKilled / Ended;

    /// <summary>Infinite where none succeeded.</summary>
    [JsonIgnore]
    public double CostOfSuccess => PaidSuccesses > 0 ? Cost / PaidSuccesses : double.PositiveInfinity;

    /// <summary>The cost of a run that was counted without one.</summary>
    internal void Pay(double paid, bool succeeded)
    {
        Cost += paid;
        Paid++;
        if (succeeded) PaidSuccesses++;
    }

    internal void Count(Member run, double? cost, int sign)
    {
        Ended += sign;
        if (run.Outcome != Outcome.Succeeded) Failed += sign;
        if (run.OomKilled) OomKilled += sign;
        if (Completions.IsUnschedulable(run)) Unschedulable += sign;
        if (Completions.IsRefused(run)) Refused += sign;
        if (run.DurationSeconds is { } seconds) LogBuckets.Add(Durations, seconds, sign);
        if (cost is not { } paid) return;
        Cost += sign * paid;
        Paid += sign;
        if (run.Outcome == Outcome.Succeeded) PaidSuccesses += sign;
    }
}
