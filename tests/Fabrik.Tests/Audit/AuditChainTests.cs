using System.Text.Json;
using Dapper;
using Fabrik.Audit;
using Fabrik.Storage;
using Fabrik.Tests.Storage;
using Microsoft.Data.Sqlite;

namespace Fabrik.Tests.Audit;

public sealed class AuditChainTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);
    private static readonly string[] Columns = ["at", "actor", "action", "kind", "namespace", "name", "uid", "resource_version", "request", "details", "previous", "hash"];

    private readonly TemporaryDatabase database = new();

    private AuditStore Store => new(database.Database);

    [Fact]
    public void What_is_appended_is_read_back_as_it_was_and_its_chain_is_whole()
    {
        var entries = Enumerable.Range(1, 50).Select(number => Entry(new Random(number), number)).ToList();
        foreach (var entry in entries) Store.Append(entry);
        var list = Store.List(new AuditQuery(Ascending: true, Limit: 1000));
        list.Items.Select(row => new AuditEntry(row.At, row.Actor, row.Action, row.Object, row.Request, row.Details)).Select(Text).ShouldBe(entries.Select(Text));
        list.Items.Select(row => row.Seq).ShouldBe(Enumerable.Range(1, 50).Select(number => (long)number));
        (list.Anchor, list.Head).ShouldBe((AuditChain.Beginning, new AuditPlace(50, list.Items[^1].Hash)));
        Store.Verify().ShouldBeNull();
    }

    /// <summary>By somebody who can write the file, and takes the triggers away first.</summary>
    [Fact]
    public void Any_row_that_is_altered_removed_put_in_or_swapped_is_found()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            using var one = new TemporaryDatabase();
            var random = new Random(seed);
            var rows = random.Next(1, 12);
            for (var number = 1; number <= rows; number++) new AuditStore(one.Database).Append(Entry(random, number));
            new AuditStore(one.Database).Verify().ShouldBeNull($"seed {seed}");
            string what;
            using (var connection = Tamperer(one))
            {
                var (victim, other) = (random.Next(1, rows + 1), random.Next(1, rows + 1));
                var column = Columns[random.Next(Columns.Length)];
                what = random.Next(4) switch
                {
                    0 => Did($"altered {column} of {victim}", connection.Execute($"UPDATE audit SET {column} = {(column == "at" ? "at + 1" : column == "details" ? "json_set(details, '$.x', 'y')" : $"COALESCE({column}, '') || 'x'")} WHERE seq = @victim", new { victim })),
                    1 => Did($"removed {victim}", connection.Execute("DELETE FROM audit WHERE seq = @victim", new { victim })),
                    2 => Did($"put one in behind {victim}", connection.Execute(
                        "UPDATE audit SET seq = -seq WHERE seq > @victim; UPDATE audit SET seq = 1 - seq WHERE seq < 0; INSERT INTO audit SELECT seq + 1, at, actor, action, kind, namespace, name, uid, resource_version, request, details, previous, hash FROM audit WHERE seq = @victim", new { victim })),
                    _ when other == victim => Did("removed all", connection.Execute("DELETE FROM audit")),
                    _ => Did($"swapped {victim} and {other}", connection.Execute("UPDATE audit SET seq = -1 WHERE seq = @victim; UPDATE audit SET seq = @victim WHERE seq = @other; UPDATE audit SET seq = @other WHERE seq = -1", new { victim, other })),
                };
            }

            new AuditStore(one.Database).Verify().ShouldNotBeNull($"seed {seed}: {what}");
        }

        static string Did(string what, int rows)
        {
            rows.ShouldBeGreaterThan(0, what);
            return what;
        }
    }

    [Theory]
    [InlineData("UPDATE audit SET actor = 'nobody' WHERE seq = 2")]
    [InlineData("DELETE FROM audit WHERE seq = 3")]
    [InlineData("INSERT INTO audit SELECT 9, at, actor, action, kind, namespace, name, uid, resource_version, request, details, previous, hash FROM audit WHERE seq = 3")]
    [InlineData("INSERT INTO audit_anchors SELECT seq, hash, at + 7775999999 FROM audit WHERE seq = 2")]
    [InlineData("INSERT INTO audit_anchors SELECT 2, 'another', at + 7776000000 FROM audit WHERE seq = 2")]
    public void The_database_itself_forbids_what_is_not_an_entry_at_the_end_or_the_retention(string sql)
    {
        for (var number = 1; number <= 3; number++) Store.Append(Entry(new Random(number), number));
        Should.Throw<SqliteException>(() => database.Database.Write((connection, transaction) => connection.Execute(sql, transaction: transaction))).SqliteErrorCode.ShouldBe(19);
        Store.Verify().ShouldBeNull();
    }

    [Fact]
    public void Retention_takes_what_is_older_than_ninety_days_says_so_once_a_day_and_the_rest_still_verifies()
    {
        for (var day = 0; day < 100; day++) Store.Append(Entry(new Random(day), day) with { At = Start.AddDays(day) });
        Store.Retain(Start.AddDays(90)).ShouldBe(0);
        Store.Retain(Start.AddDays(99)).ShouldBe(10);
        Store.Retain(Start.AddDays(99)).ShouldBe(0);
        Store.Verify().ShouldBeNull();
        var list = Store.List(new AuditQuery(Ascending: true, Limit: 1000));
        list.Anchor.Seq.ShouldBe(10);
        list.Items[0].Seq.ShouldBe(11);
        list.Items[^1].Action.ShouldBe(AuditActions.Retention);
        list.Items[^1].Details["rows"].ShouldBe("10");

        Store.Retain(Start.AddDays(120)).ShouldBe(21);
        Store.Verify().ShouldBeNull();
        Store.Retain(Start.AddDays(1000)).ShouldBe(71);
        Store.Verify().ShouldBeNull();
        Store.Append(Entry(new Random(1), 1) with { At = Start.AddDays(1000) });
        Store.Verify().ShouldBeNull();
        Store.List(new AuditQuery(Ascending: true)).Items.Count.ShouldBe(2);
    }

    [Fact]
    public void A_beginning_that_somebody_took_away_with_an_anchor_of_their_own_is_found()
    {
        for (var day = 0; day < 5; day++) Store.Append(Entry(new Random(day), day) with { At = Start.AddDays(day) });
        using (var connection = Tamperer(database))
            connection.Execute("INSERT INTO audit_anchors SELECT seq, hash, at FROM audit WHERE seq = 3; DELETE FROM audit WHERE seq <= 3");
        Store.Verify().ShouldBe("rows up to 3 are gone, and no row says that retention removed them");
    }

    [Fact]
    public void A_hash_is_what_the_documentation_says_it_is_over()
    {
        var row = AuditChain.Append(AuditChain.Beginning, new AuditEntry(DateTimeOffset.UnixEpoch.AddMilliseconds(1500), null, "step.ended", new AuditObject("OptimizationChange", "fabrik-system", "größer", "u", null), "t", new Dictionary<string, string> { ["b"] = "2", ["a"] = "1" }));
        var text = $"1:1,4:1500,-,10:step.ended,18:OptimizationChange,13:fabrik-system,8:größer,1:u,-,1:t,1:2,1:a,1:1,1:b,1:2,64:{AuditChain.Genesis},";
        row.Hash.ShouldBe(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text))));
    }

    public void Dispose() => database.Dispose();

    private static SqliteConnection Tamperer(TemporaryDatabase database)
    {
        var connection = new SqliteConnection($"Data Source={database.File};Pooling=False");
        connection.Open();
        foreach (var trigger in connection.Query<string>("SELECT name FROM sqlite_master WHERE type = 'trigger'").AsList()) connection.Execute($"DROP TRIGGER {trigger}");
        return connection;
    }

    private static AuditEntry Entry(Random random, int number)
    {
        string? Maybe(string text) => random.Next(3) == 0 ? null : $"{text}{random.Next(5)}\u2028\"é";
        return new AuditEntry(
            Start.AddMilliseconds(number), Maybe("actor"), $"action.{random.Next(3)}", random.Next(4) == 0 ? null : new AuditObject("Kind", Maybe("ns"), "name", Maybe("uid"), Maybe("7")), Maybe("request"),
            Enumerable.Range(0, random.Next(4)).ToDictionary(key => $"k{key}", key => $"v{random.Next(9)}", StringComparer.Ordinal));
    }

    private static string Text(AuditEntry entry) => JsonSerializer.Serialize(entry);
}
