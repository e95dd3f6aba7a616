using System.Text.Json;
using System.Text.Json.Serialization;
using Dapper;
using Fabrik.Audit;
using Fabrik.Decisions;
using Fabrik.Experiments;
using Fabrik.Reports;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>Every step of every change: rows are added and never changed.</summary>
public sealed class TransitionStore(Database database)
{
    /// <summary>What a person has for looking at an emergency rollback.</summary>
    public static readonly TimeSpan ReviewWithin = TimeSpan.FromHours(1);

    private const string Deleted = "deleted";
    private const string Written = "EXISTS (SELECT 1 FROM transition_results WHERE transition = transitions.id AND result = 'written')";

    /// <param name="named">Steps that the status of a change names now.</param>
    public RecordState State(IReadOnlyCollection<string> named)
    {
        using var connection = database.Read();
        var open = connection.Query<OpenRow>(
            $"""
            SELECT id, change_uid AS ChangeUid, to_phase AS ToPhase, EXISTS (SELECT 1 FROM transition_results WHERE transition = transitions.id) AS HasResult
            FROM transitions WHERE NOT {Written} AND (id IN @named OR NOT EXISTS (SELECT 1 FROM transition_results WHERE transition = transitions.id)) ORDER BY seq
            """, new { named });
        var last = connection.Query<(string Uid, string Change, string To)>(
            $"SELECT change_uid, change_name, to_phase FROM transitions WHERE seq IN (SELECT max(seq) FROM transitions WHERE {Written} GROUP BY change_uid)");
        var incidents = connection.Query<(string Id, string Uid, long At)>(
            $"SELECT id, change_uid, at FROM transitions WHERE incident IS NOT NULL AND {Written} AND NOT EXISTS (SELECT 1 FROM incident_reviews WHERE transition = transitions.id)");
        return new RecordState(
            [.. open.Select(row => new OpenStep(row.Id, row.ChangeUid, Parse(row.ToPhase), row.HasResult))],
            last.ToDictionary(row => row.Uid, row => new LastStep(row.Change, Parse(row.To))),
            [.. incidents.Select(row => new OpenIncident(row.Id, row.Uid, DateTimeOffset.FromUnixTimeMilliseconds(row.At)))]);
    }

    public void Note(Bookkeeping told, DateTimeOffset now) => database.Write((connection, transaction) =>
    {
        foreach (var (id, result) in told.Results) Add(connection, transaction, id, result, null, now);
        foreach (var one in told.Observed)
        {
            Add(connection, transaction, one, AuditActions.StepSeen);
            Add(connection, transaction, one.Id, TransitionResult.Written, null, now, audited: false);
        }

        foreach (var review in told.Reviews)
        {
            var added = connection.Execute(
                "INSERT INTO incident_reviews (transition, actor, reason, at) VALUES (@Transition, @Actor, @Reason, @at) ON CONFLICT DO NOTHING",
                new { review.Transition, review.Actor, review.Reason, at = review.At.ToUnixTimeMilliseconds() }, transaction);
            if (added > 0) Audit(connection, transaction, new AuditEntry(now, review.Actor, AuditActions.IncidentReviewed, ObjectOf(connection, transaction, review.Transition), review.Transition, Told(("reason", review.Reason))));
        }

        return 0;
    });

    /// <summary>Before the object is written.</summary>
    public void Intend(Transition step) => database.Write((connection, transaction) => Add(connection, transaction, step, AuditActions.StepIntended));

    /// <summary>After the object was written, or was not.</summary>
    public void Became(string id, TransitionResult result, string? message, DateTimeOffset now) => database.Write((connection, transaction) => Add(connection, transaction, id, result, message, now));

    /// <summary>Whether this very step was refused a moment ago: trying it each minute would fill the record and help nobody.</summary>
    public bool WasRefused(string changeUid, string resourceVersion, Phase to, DateTimeOffset since)
    {
        using var connection = database.Read();
        return connection.ExecuteScalar<bool>(
            """
            SELECT EXISTS (SELECT 1 FROM transitions JOIN transition_results ON transition = id AND result = 'refused'
            WHERE change_uid = @changeUid AND resource_version = @resourceVersion AND to_phase = @to AND transitions.at >= @since)
            """, new { changeUid, resourceVersion, to = WireNames.Of(to), since = since.ToUnixTimeMilliseconds() });
    }

    /// <summary>UIDs of changes that were rolled back at any time.</summary>
    public IReadOnlySet<string> RolledBack()
    {
        using var connection = database.Read();
        return connection.Query<string>($"SELECT DISTINCT change_uid FROM transitions WHERE to_phase = 'rolled_back' AND {Written}").ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Steps that were taken, newest first.</summary>
    /// <param name="since">Not older than this.</param>
    /// <param name="change">Only of changes of this name.</param>
    /// <param name="before">Value of <see cref="Recorded{T}.Seq"/> of the last one of the page before.</param>
    /// <param name="limit">At most so many.</param>
    public IReadOnlyList<Recorded<HistoryEntry>> History(DateTimeOffset? since, string? change, long? before, int limit)
    {
        using var connection = database.Read();
        return
        [
            .. connection.Query<HistoryRow>(
                $"""
                SELECT seq, at, change_name AS ChangeName, from_phase AS FromPhase, to_phase AS ToPhase, actor, reasons FROM transitions
                WHERE {Written} AND at >= @since AND seq < @before{(change is null ? "" : " AND change_name = @change")} ORDER BY seq DESC LIMIT @limit
                """, new { since = since?.ToUnixTimeMilliseconds() ?? long.MinValue, change, before = before ?? long.MaxValue, limit })
                .Select(row => new Recorded<HistoryEntry>(row.Seq, new HistoryEntry(DateTimeOffset.FromUnixTimeMilliseconds(row.At), row.ChangeName, row.FromPhase, row.ToPhase, row.Actor, Reasons(row.Reasons)))),
        ];
    }

    /// <summary>Emergency rollbacks, newest first.</summary>
    /// <param name="open">Only those that nobody has looked at.</param>
    /// <param name="before">As above.</param>
    /// <param name="limit">As above.</param>
    public IReadOnlyList<Recorded<IncidentReport>> Incidents(bool open, long? before, int limit)
    {
        using var connection = database.Read();
        return
        [
            .. connection.Query<IncidentRow>(
                $"""
                SELECT seq, id, transitions.at AS At, change_name AS ChangeName, incident AS Trigger, transitions.reasons AS Reasons, review.at AS ReviewedAt
                FROM transitions LEFT JOIN incident_reviews AS review ON review.transition = transitions.id
                WHERE incident IS NOT NULL AND {Written} AND seq < @before{(open ? " AND review.at IS NULL" : "")} ORDER BY seq DESC LIMIT @limit
                """, new { before = before ?? long.MaxValue, limit })
                .Select(row => new Recorded<IncidentReport>(row.Seq, row.ToReport())),
        ];
    }

    private static int Add(SqliteConnection connection, SqliteTransaction transaction, Transition step, string action)
    {
        var (from, to) = (step.From is { } before ? WireNames.Of(before) : null, step.To is { } after ? WireNames.Of(after) : Deleted);
        connection.Execute(
            """
            INSERT INTO transitions (id, change_uid, change_name, experiment, from_phase, to_phase, actor, reasons, evidence, incident, generation, resource_version, at)
            VALUES (@Id, @ChangeUid, @Change, @Experiment, @from, @to, @Actor, @reasons, @evidence, @Incident, @Generation, @ResourceVersion, @at)
            """,
            new
            {
                step.Id,
                step.ChangeUid,
                step.Change,
                step.Experiment,
                from,
                to,
                step.Actor,
                reasons = JsonSerializer.Serialize(step.Reasons, TransitionJson.Default.IReadOnlyListString),
                evidence = JsonSerializer.Serialize(step.Evidence, TransitionJson.Default.IReadOnlyDictionaryStringDouble),
                step.Incident,
                step.Generation,
                step.ResourceVersion,
                at = step.At.ToUnixTimeMilliseconds(),
            },
            transaction);
        var about = new AuditObject(ObjectEdits.ChangeKind, Names.SystemNamespace, step.Change, step.ChangeUid, step.ResourceVersion);
        Audit(connection, transaction, new AuditEntry(step.At, step.Actor, action, about, step.Id, Told(("from", from), ("to", to), ("reasons", string.Join("; ", step.Reasons)), ("experiment", step.Experiment), ("incident", step.Incident))));
        return 1;
    }

    /// <param name="audited">False where the step's own row says it.</param>
    private static int Add(SqliteConnection connection, SqliteTransaction transaction, string id, TransitionResult result, string? message, DateTimeOffset now, bool audited = true)
    {
        var added = connection.Execute(
            "INSERT INTO transition_results (transition, result, message, at) VALUES (@id, @result, @message, @at) ON CONFLICT DO NOTHING",
            new { id, result = WireNames.Of(result), message, at = now.ToUnixTimeMilliseconds() }, transaction);
        if (added > 0 && audited) Audit(connection, transaction, new AuditEntry(now, Names.FieldManager, AuditActions.StepEnded, ObjectOf(connection, transaction, id), id, Told(("result", WireNames.Of(result)), ("message", message))));
        return added;
    }

    private static void Audit(SqliteConnection connection, SqliteTransaction transaction, AuditEntry entry) => AuditStore.Append(connection, transaction, [entry]);

    private static AuditObject? ObjectOf(SqliteConnection connection, SqliteTransaction transaction, string id) =>
        connection.QuerySingleOrDefault<(string? Name, string Uid, string Version)>("SELECT change_name, change_uid, resource_version FROM transitions WHERE id = @id", new { id }, transaction) is ({ } name, var uid, var version)
            ? new AuditObject(ObjectEdits.ChangeKind, Names.SystemNamespace, name, uid, version) : null;

    private static Dictionary<string, string> Told(params ReadOnlySpan<(string Name, string? Value)> details)
    {
        var told = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in details)
            if (!string.IsNullOrEmpty(value)) told[name] = value.Length <= 4000 ? value : value[..4000];
        return told;
    }

    private static Phase? Parse(string phase) => phase == Deleted ? null : WireNames.Parse<Phase>(phase);

    private static IReadOnlyList<string> Reasons(string json) => JsonSerializer.Deserialize(json, TransitionJson.Default.IReadOnlyListString)!;

    private sealed class OpenRow
    {
        public string Id { get; set; } = "";
        public string ChangeUid { get; set; } = "";
        public string ToPhase { get; set; } = "";
        public bool HasResult { get; set; }
    }

    private sealed class HistoryRow
    {
        public long Seq { get; set; }
        public long At { get; set; }
        public string ChangeName { get; set; } = "";
        public string? FromPhase { get; set; }
        public string ToPhase { get; set; } = "";
        public string? Actor { get; set; }
        public string Reasons { get; set; } = "";
    }

    private sealed class IncidentRow
    {
        public long Seq { get; set; }
        public string Id { get; set; } = "";
        public long At { get; set; }
        public string ChangeName { get; set; } = "";
        public string Trigger { get; set; } = "";
        public string Reasons { get; set; } = "";
        public long? ReviewedAt { get; set; }

        public IncidentReport ToReport()
        {
            var at = DateTimeOffset.FromUnixTimeMilliseconds(At);
            return new IncidentReport(Id, ChangeName, at, Trigger, string.Join("; ", TransitionStore.Reasons(Reasons)), at + ReviewWithin, ReviewedAt is { } reviewed ? DateTimeOffset.FromUnixTimeMilliseconds(reviewed) : null);
        }
    }
}

/// <param name="Seq">Where it stands in the record; larger is younger.</param>
public sealed record Recorded<T>(long Seq, T Value);

[JsonSourceGenerationOptions(NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(IReadOnlyList<string>))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, double>))]
internal sealed partial class TransitionJson : JsonSerializerContext;
