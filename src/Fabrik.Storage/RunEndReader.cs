using System.Globalization;
using Dapper;
using Fabrik.Gateway;

namespace Fabrik.Storage;

/// <summary>Which runs have ended, for those who hold their tokens.</summary>
public sealed class RunEndReader(Database database)
{
    public const int PageSize = 10_000;

    /// <summary>What became known after a cursor; from the beginning where there is none, or where it is of a database that was since replaced by an older one.</summary>
    /// <param name="now">UTC; what no token can be valid of any more is left out.</param>
    public RunEnds After(string? cursor, DateTimeOffset now, int limit = PageSize)
    {
        using var connection = database.Read();
        using var transaction = connection.BeginTransaction(deferred: true);
        var since = Place(cursor) is var (seq, runId) && connection.ExecuteScalar<string?>("SELECT run_id FROM run_ends WHERE seq = @seq", new { seq }, transaction) == runId ? seq : 0;
        var rows = connection.Query<(long Seq, string RunId, bool Ended, long ExpiresAt)>(
            "SELECT seq, run_id, ended, expires_at FROM run_ends WHERE seq > @since AND expires_at > @now ORDER BY seq LIMIT @limit",
            new { since, now = now.ToUnixTimeMilliseconds(), limit = limit + 1 }, transaction).AsList();
        var more = rows.Count > limit;
        if (more) rows.RemoveAt(limit);
        return new RunEnds(
            [.. rows.Select(row => new RunEnd(row.RunId, row.Ended, DateTimeOffset.FromUnixTimeMilliseconds(row.ExpiresAt)))],
            rows.Count > 0 ? $"{rows[^1].Seq.ToString(CultureInfo.InvariantCulture)}.{rows[^1].RunId}" : since > 0 ? cursor : null,
            more);
    }

    /// <summary>The place of a row, and whose it must be: numbers alone would be given out anew after a backup was restored.</summary>
    private static (long Seq, string RunId)? Place(string? cursor)
    {
        var dot = cursor?.IndexOf('.', StringComparison.Ordinal) ?? -1;
        return dot > 0 && long.TryParse(cursor.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out var seq) ? (seq, cursor![(dot + 1)..]) : null;
    }
}
