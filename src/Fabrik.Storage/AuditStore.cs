using System.Globalization;
using System.Text.Json;
using Dapper;
using Fabrik.Audit;
using Fabrik.Gateway;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>What rows are asked for.</summary>
/// <param name="Since">Not older.</param>
/// <param name="Actor">Exactly this one.</param>
/// <param name="Name">Of the object.</param>
/// <param name="Kind">Of the object.</param>
/// <param name="Ascending">From the oldest.</param>
/// <param name="After">Sequence of the last row of the page before.</param>
public sealed record AuditQuery(DateTimeOffset? Since = null, string? Actor = null, string? Kind = null, string? Name = null, string? Action = null, bool Ascending = false, long? After = null, int Limit = AuditQuery.DefaultLimit)
{
    public const int DefaultLimit = 100;
    public const int MaximumLimit = 1000;
}

/// <summary>The record of what was done: entries are chained in the transaction of what they speak of, so that neither is there without the other.</summary>
public sealed class AuditStore(Database database)
{
    private const string Columns = "seq AS Seq, at AS At, actor AS Actor, action AS Action, kind AS Kind, namespace AS Namespace, name AS Name, uid AS Uid, resource_version AS ResourceVersion, request AS Request, details AS Details, previous AS Previous, hash AS Hash";

    /// <summary>For entries that speak of nothing else in the database.</summary>
    public void Append(params IReadOnlyList<AuditEntry> entries) => database.Write((connection, transaction) => Append(connection, transaction, entries));

    /// <summary>A page, and between which places all rows stand at the time of it.</summary>
    public AuditList List(AuditQuery query)
    {
        using var connection = database.Read();

        // One state of the database for all that is asked.
        using var transaction = connection.BeginTransaction(deferred: true);
        var (anchor, head) = Ends(connection, transaction);
        var where = new List<string>();
        if (query.Since is not null) where.Add("at >= @since");
        if (query.Actor is not null) where.Add("actor = @Actor");
        if (query.Kind is not null) where.Add("kind = @Kind");
        if (query.Name is not null) where.Add("name = @Name");
        if (query.Action is not null) where.Add("action = @Action");
        if (query.After is not null) where.Add(query.Ascending ? "seq > @After" : "seq < @After");
        var rows = connection.Query<Row>(
            $"SELECT {Columns} FROM audit{(where.Count == 0 ? "" : $" WHERE {string.Join(" AND ", where)}")} ORDER BY seq {(query.Ascending ? "ASC" : "DESC")} LIMIT @limit",
            new { since = query.Since?.ToUnixTimeMilliseconds(), query.Actor, query.Kind, query.Name, query.Action, query.After, limit = query.Limit + 1 }, transaction).AsList();
        return new AuditList(
            [.. rows.Take(query.Limit).Select(row => row.ToAudit())], anchor, head, rows.Count > query.Limit ? rows[query.Limit - 1].Seq.ToString(CultureInfo.InvariantCulture) : null);
    }

    /// <summary>The first link that is broken.</summary>
    /// <returns>Null: none is.</returns>
    public string? Verify()
    {
        using var connection = database.Read();
        using var transaction = connection.BeginTransaction(deferred: true);
        var (anchor, head) = Ends(connection, transaction);
        var verifier = new AuditVerifier(anchor, head);
        foreach (var row in connection.Query<Row>($"SELECT {Columns} FROM audit ORDER BY seq", transaction: transaction, buffered: false))
            if (verifier.Next(row.ToAudit()) is { } broken) return broken;
        return verifier.End();
    }

    /// <summary>
    /// Removes what is older than <see cref="AuditChain.Kept"/>, says so in the record, and leaves the place that the first remaining row fits. Once a
    /// day at most, as it is itself a row.
    /// </summary>
    /// <returns>How many were removed.</returns>
    public long Retain(DateTimeOffset now) => database.Write((connection, transaction) =>
    {
        var before = (now - AuditChain.Kept).ToUnixTimeMilliseconds();
        if (connection.ExecuteScalar<long?>("SELECT MIN(at) FROM audit", transaction: transaction) is not { } oldest || oldest > before - (long)TimeSpan.FromDays(1).TotalMilliseconds) return 0;

        // What is old by its time and before something young stays: a prefix goes, and clocks may have been set.
        var upto = connection.QuerySingleOrDefault<(long Seq, string Hash)>(
            "SELECT seq, hash FROM audit WHERE seq < COALESCE((SELECT MIN(seq) FROM audit WHERE at > @before), (SELECT MAX(seq) + 1 FROM audit)) ORDER BY seq DESC LIMIT 1", new { before }, transaction);
        if (upto.Hash is null) return 0;
        var rows = connection.ExecuteScalar<long>("SELECT COUNT(*) FROM audit WHERE seq <= @Seq", new { upto.Seq }, transaction);
        var place = new AuditPlace(upto.Seq, upto.Hash);
        Append(connection, transaction, [new AuditEntry(now, Names.FieldManager, AuditActions.Retention, null, null, AuditChain.Retained(place, rows))]);
        connection.Execute("INSERT INTO audit_anchors (seq, hash, at) VALUES (@Seq, @Hash, @at)", new { place.Seq, place.Hash, at = now.ToUnixTimeMilliseconds() }, transaction);
        connection.Execute("DELETE FROM audit WHERE seq <= @Seq", new { place.Seq }, transaction);
        return rows;
    });

    /// <summary>Objects that people write, as they were last seen.</summary>
    public IReadOnlyList<SeenObject> Seen()
    {
        using var connection = database.Read();
        return connection.Query<SeenRow>("SELECT kind AS Kind, uid AS Uid, namespace AS Namespace, name AS Name, resource_version AS ResourceVersion, generation AS Generation, spec AS Spec FROM audit_objects")
            .Select(row => new SeenObject(row.Kind, row.Uid, row.Namespace, row.Name, row.ResourceVersion, row.Generation, row.Spec)).ToList();
    }

    /// <summary>An object is as it is now, and the record says what became of it.</summary>
    public void See(SeenObject now, IReadOnlyList<AuditEntry> entries) => database.Write((connection, transaction) =>
    {
        connection.Execute(
            """
            INSERT INTO audit_objects (kind, uid, namespace, name, resource_version, generation, spec) VALUES (@Kind, @Uid, @Namespace, @Name, @ResourceVersion, @Generation, @Spec)
            ON CONFLICT (kind, uid) DO UPDATE SET resource_version = excluded.resource_version, generation = excluded.generation, spec = excluded.spec
            """, now, transaction);
        return Append(connection, transaction, entries);
    });

    public void Lose(SeenObject gone, AuditEntry entry) => database.Write((connection, transaction) =>
        connection.Execute("DELETE FROM audit_objects WHERE kind = @Kind AND uid = @Uid", new { gone.Kind, gone.Uid }, transaction) == 0 ? 0 : Append(connection, transaction, [entry]));

    /// <summary>In the transaction of what the entries speak of.</summary>
    internal static int Append(SqliteConnection connection, SqliteTransaction transaction, IReadOnlyList<AuditEntry> entries)
    {
        if (entries.Count == 0) return 0;
        var (seq, hash) = connection.QuerySingle<(long, string)>("SELECT seq, hash FROM audit_head", transaction: transaction);
        var head = new AuditPlace(seq, hash);
        using var insert = connection.Prepare(
            transaction,
            "INSERT INTO audit (seq, at, actor, action, kind, namespace, name, uid, resource_version, request, details, previous, hash) VALUES (@seq, @at, @actor, @action, @kind, @namespace, @name, @uid, @version, @request, @details, @previous, @hash)");
        foreach (var entry in entries)
        {
            var row = AuditChain.Append(head, entry);
            insert.Set("@seq", row.Seq);
            insert.Set("@at", row.At.ToUnixTimeMilliseconds());
            insert.Set("@actor", row.Actor);
            insert.Set("@action", row.Action);
            insert.Set("@kind", row.Object?.Kind);
            insert.Set("@namespace", row.Object?.Namespace);
            insert.Set("@name", row.Object?.Name);
            insert.Set("@uid", row.Object?.Uid);
            insert.Set("@version", row.Object?.ResourceVersion);
            insert.Set("@request", row.Request);
            insert.Set("@details", JsonSerializer.Serialize(row.Details, AuditJson.Default.IReadOnlyDictionaryStringString));
            insert.Set("@previous", row.Previous);
            insert.Set("@hash", row.Hash);
            insert.ExecuteNonQuery();
            head = new AuditPlace(row.Seq, row.Hash);
        }

        return entries.Count;
    }

    private static (AuditPlace Anchor, AuditPlace Head) Ends(SqliteConnection connection, SqliteTransaction transaction)
    {
        var head = connection.QuerySingleOrDefault<(long Seq, string? Hash)>("SELECT seq, hash FROM audit_head", transaction: transaction);
        var anchor = connection.QuerySingleOrDefault<(long Seq, string? Hash)>("SELECT seq, hash FROM audit_anchors ORDER BY seq DESC LIMIT 1", transaction: transaction);
        return (anchor.Hash is null ? AuditChain.Beginning : new AuditPlace(anchor.Seq, anchor.Hash), new AuditPlace(head.Seq, head.Hash ?? ""));
    }

    private sealed class Row
    {
        public long Seq { get; set; }
        public long At { get; set; }
        public string? Actor { get; set; }
        public string Action { get; set; } = "";
        public string? Kind { get; set; }
        public string? Namespace { get; set; }
        public string? Name { get; set; }
        public string? Uid { get; set; }
        public string? ResourceVersion { get; set; }
        public string? Request { get; set; }
        public string Details { get; set; } = "";
        public string Previous { get; set; } = "";
        public string Hash { get; set; } = "";

        public AuditRow ToAudit() => new(
            Seq, DateTimeOffset.FromUnixTimeMilliseconds(At), Actor, Action, Kind is null && Name is null && Namespace is null && Uid is null && ResourceVersion is null ? null : new AuditObject(Kind ?? "", Namespace, Name ?? "", Uid, ResourceVersion), Request, Told(Details), Previous, Hash);

        /// <summary>What is no list of texts any more was altered: it must show as that, and not as an error of the one who looks.</summary>
        private static IReadOnlyDictionary<string, string> Told(string json)
        {
            try
            {
                if (JsonSerializer.Deserialize(json, AuditJson.Default.IReadOnlyDictionaryStringString) is { } details && details.All(one => one.Value is not null)) return details;
            }
            catch (JsonException)
            {
                // Below.
            }

            return new Dictionary<string, string>(StringComparer.Ordinal) { ["unreadable"] = json };
        }
    }

    private sealed class SeenRow
    {
        public string Kind { get; set; } = "";
        public string Uid { get; set; } = "";
        public string? Namespace { get; set; }
        public string Name { get; set; } = "";
        public string? ResourceVersion { get; set; }
        public long Generation { get; set; }
        public string Spec { get; set; } = "";
    }
}
