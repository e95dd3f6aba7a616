using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Fabrik.Analysis;
using Fabrik.Costs;
using Fabrik.Experiments;

namespace Fabrik.Proposals;

/// <summary>What is proposed, or why a suggestion is not.</summary>
/// <param name="Change">To be created; null where it is refused.</param>
/// <param name="Refused">One word; null where it is proposed.</param>
public sealed record Proposal(ProfileTarget Target, Suggestion Suggestion, OptimizationChange? Change, string? Refused);

/// <summary>From profiles to changes: nothing twice, nothing against a refusal that holds, nothing that can never be decided.</summary>
public static class Proposing
{
    /// <summary>How long a refusal or a rollback speaks against the same.</summary>
    public static readonly TimeSpan RefusalHolds = TimeSpan.FromDays(30);

    public const string OpenAlready = "open";
    public const string AppliedAlready = "applied";
    public const string RefusedBefore = "refused_before";
    public const string NeverDecided = "never_decided";
    public const string EnoughOpen = "enough_open";
    public const string NamespaceGone = "namespace_gone";

    /// <summary>Proposed and queued at a time: three run at once, and a person has to be able to read them. What is worth more goes first.</summary>
    public const int MostOpen = 30;

    private const int Simulations = 400;

    /// <summary>Sizes that differ by less are the same.</summary>
    private const double Close = 0.25;

    /// <summary>Part of the Jobs that takes part in trials: the others are the permanent holdout.</summary>
    private const double Eligible = 0.95;

    /// <param name="profiles">Those in which something is new.</param>
    /// <param name="changes">All there are.</param>
    /// <param name="namespaces">Names of all there are: runs are remembered for longer than some namespaces last.</param>
    /// <param name="policy">For the forecast: share, confidence, least runs.</param>
    /// <param name="prices">For what a run costs.</param>
    /// <param name="now">For how long a refusal has held.</param>
    public static IEnumerable<Proposal> Of(IEnumerable<SpecProfile> profiles, IReadOnlyList<OptimizationChange> changes, IReadOnlySet<string> namespaces, PolicySpec policy, PriceBook prices, DateTimeOffset now)
    {
        if (policy.Paused) yield break;
        var room = MostOpen - changes.Count(change => change.Phase is Phase.Proposed or Phase.Queued);
        var forecasts = new Dictionary<(double, double, Goal), Forecast>();
        var suggested = profiles.SelectMany(profile => Sizing.Of(profile, prices).Select(suggestion => (Profile: profile, Suggestion: suggestion)));
        foreach (var (profile, suggestion) in suggested.OrderByDescending(one => one.Suggestion.GainPerDay))
        {
            var refused = (namespaces.Contains(profile.Target.Namespace) ? Objection(profile.Target, suggestion, changes, now) : NamespaceGone) ?? (room <= 0 ? EnoughOpen : null);
            if (refused is null)
            {
                var forecast = Decided(suggestion, policy, forecasts);
                if (forecast.Days.P90 is { } days && days <= ExperimentTime.MostDays)
                {
                    room--;
                    yield return new Proposal(profile.Target, suggestion, Change(profile, suggestion, forecast, changes, policy, prices), null);
                    continue;
                }

                refused = NeverDecided;
            }

            yield return new Proposal(profile.Target, suggestion, null, refused);
        }
    }

    /// <summary>Rates that differ by less than a hundredth share a simulation.</summary>
    private static Forecast Decided(Suggestion suggestion, PolicySpec policy, Dictionary<(double, double, Goal), Forecast> known)
    {
        var key = (Math.Clamp(Math.Round(suggestion.Baseline, 2), 0.01, 0.99), Math.Round(suggestion.Expected, 2), suggestion.Goal);
        if (!known.TryGetValue(key, out var forecast))
        {
            var rules = new DecisionRules { Confidence = policy.Experiments.Confidence, MinimumRunsPerArm = policy.Experiments.MinimumRunsPerArm };
            known[key] = forecast = Forecast.Of(key.Item1, key.Item2, policy.Experiments.InitialShare, 0, suggestion.Goal, rules, Simulations);
        }

        return forecast.With(suggestion.RunsPerDay * Eligible);
    }

    private static string? Objection(ProfileTarget target, Suggestion suggestion, IReadOnlyList<OptimizationChange> changes, DateTimeOffset now)
    {
        foreach (var change in changes.Where(change => change.Spec.Type == ChangeType.Resource && target.MayBeMeantBy(change.Spec.Target)))
        {
            if (SizeOf(change.Spec.Change, suggestion) is not { } size) continue;
            var isClose = Math.Abs(suggestion.Size - size) <= Close * size;
            switch (change.Phase)
            {
                case Phase.Proposed or Phase.Queued or Phase.ExperimentRunning or Phase.Analyzing or Phase.Approved:
                    return OpenAlready;
                case Phase.Applied when isClose && !HaveIt(suggestion, size):
                    return AppliedAlready;
                case Phase.Rejected or Phase.RolledBack when now - Ended(change) < RefusalHolds && (isClose || (suggestion.IsUp ? suggestion.Size > size : suggestion.Size < size)) && IsUp(change, suggestion) == suggestion.IsUp:
                    return RefusedBefore;
            }
        }

        return null;
    }

    /// <summary>Whether the runs have that size, or are past it, and still ask for another: then it is the next step and not the same again, however close.</summary>
    private static bool HaveIt(Suggestion suggestion, long size)
    {
        var current = suggestion.Figures[suggestion.Resource == "memory" ? Names.Figures.CurrentBytes : Names.Figures.CurrentMillis];
        return suggestion.IsUp ? current >= size : current <= size;
    }

    /// <summary>Which way a change went: as its figures say, else as if the same way.</summary>
    private static bool IsUp(OptimizationChange change, Suggestion suggestion)
    {
        var (now, then) = suggestion.Resource == "memory" ? (Names.Figures.CurrentBytes, Names.Figures.ProposedBytes) : (Names.Figures.CurrentMillis, Names.Figures.ProposedMillis);
        var figures = change.Spec.Evidence?.Figures;
        if (figures is not null && figures.TryGetValue(now, out var before) && figures.TryGetValue(then, out var after)) return after > before;
        return SizeOf(change.Spec.Change, suggestion) is { } size && suggestion.Figures.GetValueOrDefault(now) is var current ? size > current : suggestion.IsUp;
    }

    private static DateTimeOffset Ended(OptimizationChange change) =>
        change.Status.Conditions.FirstOrDefault(one => one.Type == Names.Conditions.PhaseReached)?.LastTransitionTime ?? change.Metadata.CreationTimestamp ?? DateTimeOffset.MinValue;

    /// <summary>What a change gives of the resource, by request where reservations are lowered; null where it leaves it alone.</summary>
    private static long? SizeOf(Treatment treatment, Suggestion suggestion)
    {
        var (request, limit) = suggestion.Resource == "memory" ? (treatment.MemoryRequest, treatment.MemoryLimit) : (treatment.CpuRequest, treatment.CpuLimit);
        if (!Quantities.Quantity.TryParse(suggestion.IsUp ? limit ?? request : request ?? limit, out var quantity)) return null;
        return suggestion.Resource == "memory" ? quantity.RoundUp() : quantity.RoundUpToMillis();
    }

    private static OptimizationChange Change(SpecProfile profile, Suggestion suggestion, Forecast forecast, IReadOnlyList<OptimizationChange> changes, PolicySpec policy, PriceBook prices)
    {
        var figures = new Dictionary<string, double>(suggestion.Figures)
        {
            [Names.Figures.Baseline] = suggestion.Baseline,
            [Names.Figures.Expected] = suggestion.Expected,
            [Names.Figures.RunsPerDay] = suggestion.RunsPerDay,
            [Names.Figures.CostRatio] = suggestion.CostRatio,
            [Names.Figures.Value] = suggestion.GainPerDay,
            [Names.Figures.ForecastRuns] = forecast.Median ?? 0,
            [Names.Figures.ForecastRuns90] = forecast.P90 ?? 0,
            [Names.Figures.ForecastDays] = forecast.Days.Median ?? 0,
            [Names.Figures.ForecastDays90] = forecast.Days.P90 ?? 0,
        };
        if (suggestion.Goal == Goal.Save) figures[Names.Figures.SavingPerDay] = suggestion.GainPerDay;
        return new OptimizationChange
        {
            Metadata = new ChangeMetadata { Name = FreeName(profile.Target, suggestion, changes), Namespace = Names.SystemNamespace },
            Spec = new ChangeSpec
            {
                Type = ChangeType.Resource,
                Target = profile.Target.ToTarget(),
                Change = suggestion.Change,
                Rationale = string.Create(CultureInfo.InvariantCulture, $"{suggestion.Rationale} {Decided(forecast)} {Money(suggestion, prices)}"),
                Evidence = new ChangeEvidence { Runs = suggestion is { IsUp: true, Resource: "memory" } ? profile.Killed : profile.Named, Figures = figures.ToDictionary(one => one.Key, one => Math.Round(one.Value, 6)) },
                Experiment = new ExperimentPlan { Share = policy.Experiments.InitialShare },
                Goal = suggestion.Goal,
                Risk = suggestion.Risk,
                AutoApply = suggestion.Risk == Risk.Low,
                RollbackPlan = suggestion.RollbackPlan,
            },
        };
    }

    private static string Decided(Forecast forecast) => forecast.Days is { Median: { } median, P90: { } late }
        ? string.Create(CultureInfo.InvariantCulture, $"A trial is decided after about {forecast.Median} runs ({Days(median)}), in 90 of 100 cases within {Days(late)}.")
        : "";

    private static string Days(double days) => days < 1 ? "less than a day" : string.Create(CultureInfo.InvariantCulture, $"{Math.Round(days)} days");

    private static string Money(Suggestion suggestion, PriceBook prices)
    {
        var amount = Math.Abs(suggestion.GainPerDay) < 0.1 ? Math.Abs(suggestion.GainPerDay).ToString("0.####", CultureInfo.InvariantCulture) : Math.Abs(suggestion.GainPerDay).ToString("0.00", CultureInfo.InvariantCulture);
        return suggestion.GainPerDay >= 0 ? $"It saves about {prices.Currency} {amount} a day." : $"It costs about {prices.Currency} {amount} a day more.";
    }

    /// <summary>The same for the same target and size, so that a proposal that was cut off is not made twice; a number where an earlier one has the name.</summary>
    private static string FreeName(ProfileTarget target, Suggestion suggestion, IReadOnlyList<OptimizationChange> changes)
    {
        var amount = (suggestion.Resource == "memory" ? Amounts.Shown(suggestion.Size) : Amounts.Cpu(suggestion.Size)).ToLowerInvariant();
        var words = $"{suggestion.Resource}-{amount}-for-{target.Name}".ToLowerInvariant();
        var plain = new string([.. words.Select(one => char.IsAsciiLetterLower(one) || char.IsAsciiDigit(one) ? one : '-')]).Trim('-');
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{target.Key}/{suggestion.Resource}/{suggestion.IsUp}")).AsSpan(0, 3));
        var name = $"{(plain.Length > 50 ? plain[..50].TrimEnd('-') : plain)}-{hash}";
        var taken = changes.Select(change => change.Name).ToHashSet(StringComparer.Ordinal);
        for (var number = 2; taken.Contains(name); number++) name = $"{name[..(name.IndexOf(hash, StringComparison.Ordinal) + hash.Length)]}-{number}";
        return name;
    }
}
