using System.Globalization;
using System.Reflection;
using Dapper;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>Brings the schema up to date with the numbered files that are embedded in this assembly.</summary>
internal static class Migrations
{
    public static IReadOnlyList<(int Number, string Name, string Sql)> All { get; } = Load();

    public static void Apply(SqliteConnection connection, TimeProvider clock)
    {
        // Immediate: two processes that start together take turns, and the second finds nothing left to do.
        using var transaction = connection.BeginTransaction(deferred: false);
        connection.Execute("CREATE TABLE IF NOT EXISTS schema_version (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)", transaction: transaction);
        var current = connection.ExecuteScalar<int?>("SELECT max(number) FROM schema_version", transaction: transaction) ?? 0;
        if (current > All[^1].Number)
        {
            throw new StorageException(
                $"the database has schema {current}, this Fabrik knows up to {All[^1].Number}: a newer version wrote it. Start that version again, or restore a backup from before the upgrade");
        }

        foreach (var (number, name, sql) in All.Where(migration => migration.Number > current))
        {
            // One savepoint for each, one transaction for all: a half-applied upgrade cannot be left behind.
            connection.Execute(sql, transaction: transaction);
            connection.Execute(
                "INSERT INTO schema_version (number, name, applied_at) VALUES (@number, @name, @at)",
                new { number, name, at = clock.GetUtcNow().ToUnixTimeMilliseconds() },
                transaction);
        }

        transaction.Commit();
    }

    private static (int, string, string)[] Load()
    {
        var assembly = Assembly.GetExecutingAssembly();
        return [.. assembly.GetManifestResourceNames()
            .Where(name => name.EndsWith(".sql", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(name =>
            {
                using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
                var file = name.Split('.')[^2];
                return (int.Parse(file.AsSpan(0, 4), CultureInfo.InvariantCulture), file, reader.ReadToEnd());
            })];
    }
}
