using System.Text.Json.Serialization;
using Fabrik.Costs;
using Fabrik.Experiments;
using Fabrik.Runs;

namespace Fabrik.Proposals;

/// <summary>What a profile takes in of one run that has ended and whose usage is settled.</summary>
public sealed record ProfiledRun(
    string Id, ProfileTarget Target, Arm Arm, int? Containers, RunResources Applied, DateTimeOffset CreatedAt, double? Seconds, Outcome Outcome, bool OomKilled,
    long? PeakMemoryBytes, long? P95CpuMillis);

/// <summary>
/// What the Jobs of one target need and how they fare, taken in run by run: each costs the same however many came before. Two generations of
/// 14 days each are kept, so that what was true last year ages away.
/// </summary>
public sealed class SpecProfile
{
    public static readonly TimeSpan GenerationLength = TimeSpan.FromDays(14);

    /// <summary>Ways in which its runs were given resources; beyond it the one that was met least lately goes.</summary>
    private const int MostRegimes = 8;

    /// <summary>Runs named as evidence, of each kind.</summary>
    private const int MostNamed = 20;

    /// <summary>How much the weight of what came before fades with each run: 50 runs make a regime the present one.</summary>
    private const double Fading = 0.98;

    public required ProfileTarget Target { get; set; }
    public ProfileGeneration Present { get; set; } = new();
    public ProfileGeneration Past { get; set; } = new();
    public List<Regime> Regimes { get; set; } = [];

    /// <summary>Ids, the last ones met.</summary>
    public List<string> Killed { get; set; } = [];
    public List<string> Named { get; set; } = [];

    /// <summary>The resources that most runs are given lately; null before the first.</summary>
    [JsonIgnore]
    public Regime? Now => Regimes.MaxBy(regime => regime.Weight);

    public void Take(ProfiledRun run, PriceBook prices)
    {
        // What several containers share cannot be said of one; what never ran to its end says nothing of needs.
        if (run.Containers != 1 || run.Outcome is Outcome.Running or Outcome.Lost or Outcome.Evicted or Outcome.Unschedulable) return;
        var generation = Generation(run.CreatedAt.ToUnixTimeMilliseconds());
        var limit = run.Applied.MemoryLimitBytes;
        if (run.OomKilled)
        {
            if ((limit ?? run.PeakMemoryBytes) is { } bound) generation.Above.Add(Math.Max(bound, run.PeakMemoryBytes ?? 0));
        }
        else if (run.Outcome == Outcome.Succeeded)
        {
            if (run.PeakMemoryBytes is { } peak) generation.Seen.Add(peak);
            else if (limit is { } enough) generation.Below.Add(enough);
        }

        // What a trial treats is not how runs fare now; what the webhook misses no change would reach.
        if (run.Arm is Arm.Treatment or Arm.Unassigned) return;
        foreach (var known in Regimes) known.Weight *= Fading;
        var regime = RegimeOf(run.Applied);
        regime.Weight += 1 - Fading;
        var tally = generation.Tallies.TryGetValue(regime.Number, out var found) ? found : generation.Tallies[regime.Number] = new RegimeTally();
        tally.Take(run, prices);
        Keep(run.OomKilled ? Killed : Named, run.Id);
    }

    /// <summary>Of both generations together.</summary>
    public RegimeTally Tally(Regime regime)
    {
        var sum = new RegimeTally();
        foreach (var generation in new[] { Past, Present })
            if (generation.Tallies.TryGetValue(regime.Number, out var tally)) sum.Add(tally);
        return sum;
    }

    public LogHistogram Needs(Func<ProfileGeneration, LogHistogram> which)
    {
        var sum = new LogHistogram();
        sum.Add(which(Past));
        sum.Add(which(Present));
        return sum;
    }

    private ProfileGeneration Generation(long created)
    {
        var length = (long)GenerationLength.TotalMilliseconds;
        if (Present.From == 0) Present.From = created;
        else if (created >= Present.From + length)
        {
            Past = created >= Present.From + (2 * length) ? new ProfileGeneration() : Present;
            Present = new ProfileGeneration { From = created };
        }

        return Present;
    }

    private Regime RegimeOf(RunResources resources)
    {
        if (Regimes.Find(one => one.Resources == resources) is { } known) return known;
        if (Regimes.Count >= MostRegimes)
        {
            var gone = Regimes.MinBy(one => one.Weight)!;
            Regimes.Remove(gone);
            Present.Tallies.Remove(gone.Number);
            Past.Tallies.Remove(gone.Number);
        }

        var regime = new Regime { Number = Regimes.Select(one => one.Number).DefaultIfEmpty(0).Max() + 1, Resources = resources };
        Regimes.Add(regime);
        return regime;
    }

    private static void Keep(List<string> ids, string id)
    {
        if (ids.Count >= MostNamed) ids.RemoveAt(0);
        ids.Add(id);
    }
}

/// <summary>One way in which runs were given resources.</summary>
public sealed class Regime
{
    public int Number { get; set; }
    public RunResources Resources { get; set; } = new();

    /// <summary>Share of the runs met lately, 0 to 1.</summary>
    public double Weight { get; set; }
}

public sealed class ProfileGeneration
{
    /// <summary>Creation of its first run, in milliseconds since 1970; 0 before it.</summary>
    public long From { get; set; }

    /// <summary>Bytes of memory: seen, and as bounds that a need was above or below.</summary>
    public LogHistogram Seen { get; set; } = new();
    public LogHistogram Above { get; set; } = new();
    public LogHistogram Below { get; set; } = new();

    /// <summary>By number of the regime; of runs that no trial treated.</summary>
    public Dictionary<int, RegimeTally> Tallies { get; set; } = [];
}

/// <summary>How the runs of one regime fared.</summary>
public sealed class RegimeTally
{
    public long Runs { get; set; }
    public long Succeeded { get; set; }
    public long OomKilled { get; set; }
    public long Deadlines { get; set; }

    /// <summary>First and last creation, in milliseconds since 1970.</summary>
    public long First { get; set; } = long.MaxValue;
    public long Last { get; set; } = long.MinValue;

    /// <summary>Of all runs together, of those that succeeded, and of those that were killed for memory.</summary>
    public double Cost { get; set; }
    public double SucceededCost { get; set; }
    public double KilledCost { get; set; }
    public double SucceededSeconds { get; set; }

    /// <summary>Thousandths of a core that were enough for 95 % of the time; of runs that succeeded.</summary>
    public LogHistogram Cpu { get; set; } = new();

    [JsonIgnore]
    public double OomRate => Runs == 0 ? 0 : (double)OomKilled / Runs;

    [JsonIgnore]
    public double SuccessRate => Runs == 0 ? 0 : (double)Succeeded / Runs;

    /// <summary>At the rate of the time that is known, but at least ten minutes of it.</summary>
    [JsonIgnore]
    public double RunsPerDay => Runs < 2 ? 0 : Runs / TimeSpan.FromMilliseconds(Math.Max(Last - First, 600_000)).TotalDays;

    public void Take(ProfiledRun run, PriceBook prices)
    {
        var created = run.CreatedAt.ToUnixTimeMilliseconds();
        (First, Last) = (Math.Min(First, created), Math.Max(Last, created));
        // Of what is reserved alone: that is what another size changes.
        var cost = prices.Of(run.Applied, null, run.Seconds) ?? 0;
        Runs++;
        Cost += cost;
        if (run.OomKilled)
        {
            OomKilled++;
            KilledCost += cost;
        }

        if (run.Outcome == Outcome.Deadline) Deadlines++;
        if (run.Outcome != Outcome.Succeeded) return;
        Succeeded++;
        SucceededCost += cost;
        SucceededSeconds += run.Seconds ?? 0;
        if (run.P95CpuMillis is { } millis) Cpu.Add(millis);
    }

    public void Add(RegimeTally other)
    {
        (First, Last) = (Math.Min(First, other.First), Math.Max(Last, other.Last));
        Runs += other.Runs;
        Succeeded += other.Succeeded;
        OomKilled += other.OomKilled;
        Deadlines += other.Deadlines;
        Cost += other.Cost;
        SucceededCost += other.SucceededCost;
        KilledCost += other.KilledCost;
        SucceededSeconds += other.SucceededSeconds;
        Cpu.Add(other.Cpu);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SpecProfile))]
public sealed partial class ProfileJson : JsonSerializerContext;
