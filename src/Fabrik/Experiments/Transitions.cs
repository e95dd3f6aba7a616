using System.Collections.Frozen;

namespace Fabrik.Experiments;

/// <summary>
/// The steps between phases. A paused policy moves nothing: it stops arms from being drawn, and the phases stay.
/// A change that was rolled back by a false alarm goes back to proposed, where its spec may be edited again.
/// </summary>
public static class Transitions
{
    private static readonly FrozenDictionary<Phase, Phase[]> Table = new Dictionary<Phase, Phase[]>
    {
        [Phase.Proposed] = [Phase.Queued, Phase.ExperimentRunning, Phase.Rejected],
        [Phase.Queued] = [Phase.ExperimentRunning, Phase.Rejected],
        [Phase.ExperimentRunning] = [Phase.Analyzing, Phase.Approved, Phase.Rejected, Phase.RolledBack],
        [Phase.Analyzing] = [Phase.ExperimentRunning, Phase.Approved, Phase.Rejected, Phase.RolledBack],
        [Phase.Approved] = [Phase.Applied, Phase.Rejected, Phase.RolledBack],
        [Phase.Rejected] = [],
        [Phase.Applied] = [Phase.RolledBack],
        [Phase.RolledBack] = [Phase.Proposed],
    }.ToFrozenDictionary();

    public static IReadOnlyList<Phase> From(Phase phase) => Table[phase];

    public static bool Exists(Phase from, Phase to) => from == to || Table[from].AsSpan().Contains(to);
}
