using System.Text.Json;
using Dapper;
using Fabrik.Analysis;
using Fabrik.Experiments;

namespace Fabrik.Storage;

/// <summary>One look at an experiment.</summary>
/// <param name="ChangeUid">UID of the OptimizationChange: another of the same name is another experiment.</param>
/// <param name="StartedAt">When this trial of it began; a second trial is another experiment too.</param>
/// <param name="Experiment">status.experimentId.</param>
/// <param name="Threshold">What each e-value has to reach.</param>
public sealed record StoredAnalysis(
    string ChangeUid, DateTimeOffset StartedAt, string Change, string? Experiment, long Generation, DateTimeOffset AnalyzedAt,
    Goal Goal, Verdict Verdict, double Threshold, ExperimentState State);

/// <summary>The last look at each experiment: written whole, in one statement.</summary>
public sealed class AnalysisStore(Database database)
{
    private const string Columns = """
        change_uid AS ChangeUid, started_at AS StartedAt, change_name AS ChangeName, experiment AS Experiment, generation AS Generation,
        analyzed_at AS AnalyzedAt, goal AS Goal, verdict AS Verdict, reasons AS Reasons, threshold AS Threshold, state AS State
        """;

    public StoredAnalysis? Find(string changeUid, DateTimeOffset startedAt)
    {
        using var connection = database.Read();
        return connection.QuerySingleOrDefault<Row>($"SELECT {Columns} FROM analyses WHERE change_uid = @changeUid AND started_at = @at", new { changeUid, at = startedAt.ToUnixTimeMilliseconds() })?.ToAnalysis();
    }

    /// <summary>Of the youngest experiment of a change of this name.</summary>
    public StoredAnalysis? Newest(string change)
    {
        using var connection = database.Read();
        return connection.QueryFirstOrDefault<Row>($"SELECT {Columns} FROM analyses WHERE change_name = @change ORDER BY started_at DESC LIMIT 1", new { change })?.ToAnalysis();
    }

    public void Save(StoredAnalysis analysis) => database.Write((connection, transaction) => connection.Execute(
        """
        INSERT INTO analyses (change_uid, started_at, change_name, experiment, generation, analyzed_at, goal, verdict, reasons, threshold, state)
        VALUES (@ChangeUid, @StartedAt, @ChangeName, @Experiment, @Generation, @AnalyzedAt, @Goal, @Verdict, @Reasons, @Threshold, @State)
        ON CONFLICT (change_uid, started_at) DO UPDATE SET change_name = excluded.change_name, experiment = excluded.experiment, generation = excluded.generation,
            analyzed_at = excluded.analyzed_at, goal = excluded.goal, verdict = excluded.verdict, reasons = excluded.reasons, threshold = excluded.threshold, state = excluded.state
        """,
        Row.Of(analysis),
        transaction));

    private sealed class Row
    {
        public string ChangeUid { get; set; } = "";
        public long StartedAt { get; set; }
        public string ChangeName { get; set; } = "";
        public string? Experiment { get; set; }
        public long Generation { get; set; }
        public long AnalyzedAt { get; set; }
        public string Goal { get; set; } = "";
        public string Verdict { get; set; } = "";
        public string Reasons { get; set; } = "";
        public double Threshold { get; set; }
        public string State { get; set; } = "";

        public static Row Of(StoredAnalysis one) => new()
        {
            ChangeUid = one.ChangeUid,
            StartedAt = one.StartedAt.ToUnixTimeMilliseconds(),
            ChangeName = one.Change,
            Experiment = one.Experiment,
            Generation = one.Generation,
            AnalyzedAt = one.AnalyzedAt.ToUnixTimeMilliseconds(),
            Goal = WireNames.Of(one.Goal),
            Verdict = WireNames.Of(one.Verdict.Decision),
            Reasons = JsonSerializer.Serialize(one.Verdict, EvidenceJson.Default.Verdict),
            Threshold = one.Threshold,
            State = JsonSerializer.Serialize(one.State, EvidenceJson.Default.ExperimentState),
        };

        public StoredAnalysis ToAnalysis() => new(
            ChangeUid, DateTimeOffset.FromUnixTimeMilliseconds(StartedAt), ChangeName, Experiment, Generation, DateTimeOffset.FromUnixTimeMilliseconds(AnalyzedAt), WireNames.Parse<Goal>(Goal),
            JsonSerializer.Deserialize(Reasons, EvidenceJson.Default.Verdict)!, Threshold, JsonSerializer.Deserialize(State, EvidenceJson.Default.ExperimentState)!);
    }
}
