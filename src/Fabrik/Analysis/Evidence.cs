namespace Fabrik.Analysis;

/// <summary>
/// What the blocks of one experiment have shown so far: the four e-processes, the arms' counts, and of each stratum its controls, from which
/// the next block's alternatives come. Blocks of different strata are never mixed; their evidence is multiplied.
/// </summary>
public sealed class Evidence
{
    /// <summary>That the treatment is better at what the change is for.</summary>
    public EProcess Win { get; init; } = new();

    /// <summary>That it does not cost the margin of success.</summary>
    public EProcess NonInferior { get; init; } = new();

    /// <summary>That it does not cost the margin of what the change is for: wanted of a change that only saves.</summary>
    public EProcess NonInferiorGoal { get; init; } = new();

    /// <summary>That it costs success.</summary>
    public EProcess Harm { get; init; } = new();

    public Tally Success { get; set; } = new();

    /// <summary>Of what the change is for: runs that succeeded, or that were not killed for memory.</summary>
    public Tally Goal { get; set; } = new();

    public Dictionary<string, StratumCounts> Strata { get; init; } = new(StringComparer.Ordinal);

    /// <param name="stratum">Where the block comes from.</param>
    /// <param name="success">Runs that succeeded.</param>
    /// <param name="goal">The same runs by what the change is for.</param>
    /// <param name="margin">Loss that counts as one, such as -0.05.</param>
    public void Add(string stratum, Block success, Block goal, double margin)
    {
        if (!Strata.TryGetValue(stratum, out var before)) before = new StratumCounts();
        Win.Add(NullHypothesis.NoGain, goal, before.GoalGood, before.GoalBad);
        var inferior = NullHypothesis.Inferior(margin);
        NonInferior.Add(inferior, success, before.Good, before.Bad);
        NonInferiorGoal.Add(inferior, goal, before.GoalGood, before.GoalBad);
        Harm.Add(NullHypothesis.NoGain, success.Flipped, before.Bad, before.Good);
        (Success, Goal) = (Success.With(success), Goal.With(goal));
        Strata[stratum] = new StratumCounts(
            before.Good + success.ControlGood,
            before.Bad + success.Control - success.ControlGood,
            before.GoalGood + goal.ControlGood,
            before.GoalBad + goal.Control - goal.ControlGood);
    }
}

/// <summary>Controls of a stratum in finished blocks.</summary>
public sealed record StratumCounts(long Good = 0, long Bad = 0, long GoalGood = 0, long GoalBad = 0);
