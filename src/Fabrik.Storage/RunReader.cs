using Dapper;
using Fabrik.Runs;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>
/// Pages of runs by keyset. The work for one page is bounded whatever the filters: a value that is rare is looked up and sorted, any other
/// is met soon enough in a walk along the order; a walk that meets too few gives a short page and says where to go on.
/// </summary>
public sealed class RunReader
{
    /// <summary>Up to so many rows are looked up and sorted.</summary>
    internal const int Rare = 3_000;

    /// <summary>Up to so many index entries are passed on one walk.</summary>
    internal const int Walk = 12_000;

    private readonly Database database;
    private readonly int rare;
    private readonly int walk;

    public RunReader(Database database)
        : this(database, Rare, Walk)
    {
    }

    internal RunReader(Database database, int rare, int walk) => (this.database, this.rare, this.walk) = (database, rare, walk);

    public RunPage List(RunQuery query)
    {
        using var connection = database.Read();
        var filters = Filters(query);
        var parameters = new DynamicParameters();
        foreach (var filter in filters) filter.Bind(parameters);
        var (column, value, seq) = (SortColumn(query.Sort), query.After?.Value, query.After?.Seq);
        parameters.Add("value", value);
        parameters.Add("seq", seq);
        parameters.Add("limit", query.Limit + 1);
        parameters.Add("walk", walk);

        var (direction, beyond) = query.Ascending ? ("ASC", ">") : ("DESC", "<");
        var keyset = value is null ? "1 = 1" : $"({column}, seq) {beyond} (@value, @seq)";
        var order = $"{column} {direction}, seq {direction}";
        var where = string.Join(" AND ", filters.Select(filter => filter.Sql).Prepend(keyset));

        // On an order by creation the index of a filter is itself in order, so that it serves rare and frequent values alike.
        var few = filters.FirstOrDefault(filter => filter.Index is not null && IsRare(connection, filter, parameters));
        var index = few?.Index ?? (query.Sort == RunSort.Created && filters is [{ InOrder: true } only] ? only.Index : null);
        if (index is not null) return Page(connection, query, [.. connection.Query<RunRow>($"SELECT {RunRow.Columns} FROM runs INDEXED BY {index} WHERE {where} ORDER BY {order} LIMIT @limit", parameters)]);

        // The inner walk reads nothing but the index; only the rows that match are looked up. The rows of a subquery with ORDER BY and LIMIT
        // come in that order; to sort them once more in the middle would mean to finish every walk.
        var columns = string.Join(", ", filters.Select(filter => filter.Column).Append(column).Distinct(StringComparer.Ordinal));
        var within = $"{keyset}{Range(query)}";
        var walked = $"SELECT seq, {columns} FROM runs INDEXED BY {SortIndex(query.Sort)} WHERE {within} ORDER BY {order} LIMIT @walk";
        var rows = connection.Query<RunRow>(
            $"SELECT {RunRow.Columns} FROM runs WHERE seq IN (SELECT seq FROM ({walked}) AS walked WHERE {where} LIMIT @limit) ORDER BY {order}", parameters).AsList();
        if (rows.Count > query.Limit) return Page(connection, query, rows);
        var opposite = query.Ascending ? "DESC" : "ASC";
        var last = connection.QueryFirstOrDefault<(long Value, long Seq)>($"SELECT {column}, seq FROM ({walked}) AS walked ORDER BY {column} {opposite}, seq {opposite} LIMIT 1", parameters);
        parameters.Add("value", last.Value);
        parameters.Add("seq", last.Seq);
        var more = connection.ExecuteScalar<int?>($"SELECT 1 FROM runs INDEXED BY {SortIndex(query.Sort)} WHERE ({column}, seq) {beyond} (@value, @seq){Range(query)} LIMIT 1", parameters) is not null;
        return new RunPage(Runs(connection, rows), more ? new RunCursor(query.Sort, query.Ascending, last.Value, last.Seq) : null);
    }

    /// <summary>One run by its Job's UID or its run id.</summary>
    public Run? Get(string id)
    {
        using var connection = database.Read();
        return One(connection, connection.QueryFirstOrDefault<RunRow>($"SELECT {RunRow.Columns} FROM runs WHERE id = @id", new { id })
            ?? connection.QueryFirstOrDefault<RunRow>($"SELECT {RunRow.Columns} FROM runs WHERE run_id = @id ORDER BY created_at LIMIT 1", new { id }));
    }

    /// <summary>The latest run of the Jobs that had this name.</summary>
    public Run? Latest(string @namespace, string name)
    {
        using var connection = database.Read();
        return One(connection, connection.QueryFirstOrDefault<RunRow>(
            $"SELECT {RunRow.Columns} FROM runs INDEXED BY runs_of_job WHERE namespace = @namespace AND name = @name ORDER BY created_at DESC, seq DESC LIMIT 1",
            new { @namespace, name }));
    }

    private static Run? One(SqliteConnection connection, RunRow? row) => row is null ? null : Runs(connection, [row])[0];

    private static IReadOnlyList<Run> Runs(SqliteConnection connection, IEnumerable<RunRow> rows) => UsageRow.With(connection, [.. rows.Select(row => row.ToRun())]);

    private static RunPage Page(SqliteConnection connection, RunQuery query, List<RunRow> rows)
    {
        if (rows.Count <= query.Limit) return new RunPage(Runs(connection, rows), null);
        var last = rows[query.Limit - 1];
        var value = query.Sort switch { RunSort.Created => last.CreatedAt, RunSort.Finished => last.FinishedAt, _ => last.DurationMs };
        return new RunPage(Runs(connection, rows.Take(query.Limit)), new RunCursor(query.Sort, query.Ascending, value, last.Seq));
    }

    private bool IsRare(SqliteConnection connection, Filter filter, DynamicParameters parameters) => connection.ExecuteScalar<int>(
        $"SELECT count(*) FROM (SELECT 1 FROM runs INDEXED BY {filter.Index} WHERE {filter.Sql} LIMIT {rare + 1}) AS found", parameters) <= rare;

    private static string SortColumn(RunSort sort) => sort switch { RunSort.Created => "created_at", RunSort.Finished => "finished_at", _ => "duration_ms" };

    private static string SortIndex(RunSort sort) => sort switch { RunSort.Created => "runs_by_created", RunSort.Finished => "runs_by_finished", _ => "runs_by_duration" };

    /// <summary>A range of creation times bounds the walk itself where that is the order.</summary>
    private static string Range(RunQuery query) =>
        query is { Sort: RunSort.Created, Since: null, Until: null } or { Sort: not RunSort.Created } ? "" : " AND created_at >= @since AND created_at < @until";

    private sealed record Filter(string Column, string Sql, string? Index, Action<DynamicParameters> Bind, bool InOrder = false);

    private static List<Filter> Filters(RunQuery query)
    {
        var filters = new List<Filter>();
        Equal("namespace", query.Namespace, null);
        Equal("change_name", query.Change, "runs_of_change");
        Equal("arm", query.Arm is { } arm ? WireNames.Of(arm) : null, "runs_of_arm");
        Equal("outcome", query.Outcome is { } outcome ? WireNames.Of(outcome) : null, "runs_of_outcome");
        Equal("project", query.Project, "runs_of_project");
        Equal("spec_type", query.SpecType, "runs_of_spec_type");
        if (query.NamePrefix is { Length: > 0 } prefix)
        {
            // The first text that is greater than every one with this prefix.
            var end = prefix[..^1] + (char)(prefix[^1] + 1);
            filters.Add(new Filter("name", "name >= @prefix AND name < @prefix_end", "runs_of_name", parameters =>
            {
                parameters.Add("prefix", prefix);
                parameters.Add("prefix_end", end);
            }));
        }

        if (query.Since is not null || query.Until is not null)
        {
            filters.Add(new Filter("created_at", "created_at >= @since AND created_at < @until", "runs_by_created", parameters =>
            {
                parameters.Add("since", query.Since?.ToUnixTimeMilliseconds() ?? 0);
                parameters.Add("until", query.Until?.ToUnixTimeMilliseconds() ?? long.MaxValue);
            }));
        }

        return filters;

        void Equal(string column, string? value, string? index)
        {
            if (value is not null) filters.Add(new Filter(column, $"{column} = @{column}", index ?? $"runs_of_{column}", parameters => parameters.Add(column, value), InOrder: true));
        }
    }
}
