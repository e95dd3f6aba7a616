using Dapper;

namespace Fabrik.Storage;

/// <summary>Runs of a change by arm as they are stored now, each counted once: what a person sees beside the analyses, which count in blocks.</summary>
/// <param name="Runs">With an outcome, or still running.</param>
/// <param name="Ended">Of those, the ones with an outcome.</param>
public sealed record ArmCount(string Role, long Runs, long Ended, long Succeeded, long OomKilled);

/// <summary>One change that runs count for.</summary>
public sealed record ExperimentCount(string Change, DateTimeOffset FirstRunAt, DateTimeOffset LastRunAt, IReadOnlyList<ArmCount> Arms);

/// <summary>Changes that runs count for, with their runs by arm. Costs a look at each run of each change on the page.</summary>
public sealed class ExperimentReader(Database database)
{
    /// <summary>Names of changes beyond one, in order; each is one step along an index, however many runs it has.</summary>
    public IReadOnlyList<string> Names(string? after, int limit)
    {
        using var connection = database.Read();
        var found = new List<string>();
        for (var name = after ?? ""; found.Count < limit; found.Add(name))
        {
            if (connection.ExecuteScalar<string?>("SELECT MIN(change_name) FROM run_experiments WHERE change_name > @name", new { name }) is not { } next) break;
            name = next;
        }

        return found;
    }

    /// <param name="ns">Only runs of this namespace; null: all.</param>
    /// <returns>Null where no run counts for the change.</returns>
    public ExperimentCount? Get(string change, string? ns)
    {
        using var connection = database.Read();
        var rows = connection.Query<Row>(
            $"""
            SELECT member.role AS Role, COUNT(*) AS Runs, SUM(CASE WHEN runs.outcome <> 'running' THEN 1 ELSE 0 END) AS Ended,
                SUM(CASE WHEN runs.outcome = 'succeeded' THEN 1 ELSE 0 END) AS Succeeded,
                SUM(runs.oom_killed) AS OomKilled, MIN(member.created_at) AS First, MAX(member.created_at) AS Last
            FROM run_experiments AS member INDEXED BY members_by_created CROSS JOIN runs ON runs.seq = member.run
            WHERE member.change_name = @change AND member.role <> 'withdrawn'{(ns is null ? "" : " AND runs.namespace = @ns")}
            GROUP BY member.role ORDER BY member.role
            """, new { change, ns }).ToList();
        return rows.Count == 0 ? null : new ExperimentCount(
            change,
            DateTimeOffset.FromUnixTimeMilliseconds(rows.Min(row => row.First)),
            DateTimeOffset.FromUnixTimeMilliseconds(rows.Max(row => row.Last)),
            [.. rows.Select(row => new ArmCount(row.Role, row.Runs, row.Ended, row.Succeeded, row.OomKilled))]);
    }

    private sealed class Row
    {
        public string Role { get; set; } = "";
        public long Runs { get; set; }
        public long Ended { get; set; }
        public long Succeeded { get; set; }
        public long OomKilled { get; set; }
        public long First { get; set; }
        public long Last { get; set; }
    }
}
