using Dapper;
using Fabrik.Runs;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>
/// Pages of runs by keyset, none of which reads a row that is not on it, save for a change's runs. Where one of the filters has few runs, all of
/// them are looked at, so the page is full. Else the runs are walked along in order until the page is full or so many were passed; then the
/// page is short and says where to go on. So the work for one page is bounded whatever is asked.
/// </summary>
public sealed class RunReader
{
    /// <summary>Up to so many entries of a filter's index are looked at.</summary>
    internal const int Few = 50_000;

    /// <summary>Up to so many entries of an index are passed on one walk.</summary>
    internal const int Walk = 200_000;

    /// <summary>How many entries of an index cost as much as one row of a run, and as one look whether a run counts for a change.</summary>
    private const int Row = 8;
    private const int Look = 4;

    private readonly Database database;
    private readonly int few;
    private readonly int walk;

    public RunReader(Database database)
        : this(database, Few, Walk)
    {
    }

    internal RunReader(Database database, int few, int walk) => (this.database, this.few, this.walk) = (database, few, walk);

    public RunPage List(RunQuery query)
    {
        using var connection = database.Read();
        var filters = RunFilter.Of(query);
        var parameters = new DynamicParameters();
        foreach (var filter in filters) filter.Bind(parameters);
        parameters.Add("limit", query.Limit + 1);
        parameters.Add("value", query.After?.Value);
        parameters.Add("seq", query.After?.Seq);

        if (Fewest(connection, filters, parameters) is { } fewest) return Whole(query, Load(connection, query, fewest.Source, "1 = 1", filters.Where(filter => filter != fewest), parameters));

        var along = filters.Find(filter => filter.Source.InOrder);
        var source = along?.Source ?? RunSource.Order(query.Sort);
        var rest = filters.Where(filter => filter != along).ToArray();
        if (rest.Length == 0) return Whole(query, Load(connection, query, source, "1 = 1", rest, parameters));
        if (End(connection, query, source, parameters) is not var (value, seq)) return Whole(query, Load(connection, query, source, "1 = 1", rest, parameters));
        parameters.Add("end_value", value);
        parameters.Add("end_seq", seq);
        var rows = Load(connection, query, source, $"({source.Value}, {source.Seq}) {(query.Ascending ? "<" : ">")} (@end_value, @end_seq)", rest, parameters);
        return rows.Length > query.Limit ? Whole(query, rows) : new RunPage([.. rows.Select(row => row.Run)], new RunCursor(query.Sort, query.Ascending, value, query.Ascending ? seq - 1 : seq + 1));
    }

    /// <summary>One run by its Job's UID or its run id.</summary>
    public Run? Get(string id)
    {
        using var connection = database.Read();
        return One(connection, "WHERE id = @id", new { id }) ?? One(connection, "WHERE run_id = @id ORDER BY created_at LIMIT 1", new { id });
    }

    /// <summary>The latest run of the Jobs that had this name.</summary>
    public Run? Latest(string @namespace, string name)
    {
        using var connection = database.Read();
        return One(connection, "INDEXED BY runs_of_job WHERE namespace = @namespace AND name = @name ORDER BY created_at DESC, seq DESC LIMIT 1", new { @namespace, name });
    }

    private static RunPage Whole(RunQuery query, (RunRow Row, Run Run)[] rows)
    {
        if (rows.Length <= query.Limit) return new RunPage([.. rows.Select(row => row.Run)], null);
        var last = rows[query.Limit - 1].Row;
        var value = query.Sort switch { RunSort.Created => last.CreatedAt, RunSort.Finished => last.FinishedAt, _ => last.DurationMs };
        return new RunPage([.. rows.Take(query.Limit).Select(row => row.Run)], new RunCursor(query.Sort, query.Ascending, value, last.Seq));
    }

    /// <summary>The filter that the fewest runs meet; null where all of them have many.</summary>
    private RunFilter? Fewest(SqliteConnection connection, List<RunFilter> filters, DynamicParameters parameters)
    {
        (RunFilter? Filter, long Cost) best = (null, few + 1L);
        foreach (var filter in filters)
        {
            var cost = filter.Source.ReadsRows ? Row : filters[0].Source.ReadsRows ? Look : 1;
            parameters.Add("most", (best.Cost - 1) / cost);
            var count = connection.ExecuteScalar<long>($"SELECT count(*) FROM (SELECT 1 FROM {filter.Source.Index} WHERE {filter.Source.Where} LIMIT @most + 1) AS found", parameters);
            if (count * cost < best.Cost) best = (filter, count * cost);
        }

        return best.Filter;
    }

    /// <summary>Where a walk from the cursor along a source ends: the first entry that it does not pass; null where it passes all.</summary>
    private (long Value, long Seq)? End(SqliteConnection connection, RunQuery query, RunSource source, DynamicParameters parameters)
    {
        parameters.Add("walk", Math.Max(1, source.ReadsRows ? walk / Row : walk));
        var (beyond, direction) = query.Ascending ? (">", "ASC") : ("<", "DESC");

        // To compare the value alone is cheaper by far. But what has the cursor's own value and was passed before is counted then, too, and may be all that is.
        if (query.After is not { } after) return Find("1 = 1");
        var end = Find($"{source.Value} {beyond}= @value");
        return end is var (value, _) && value == after.Value ? Find($"({source.Value}, {source.Seq}) {beyond} (@value, @seq)") : end;

        (long, long)? Find(string from) => connection.Query<(long, long)>(
            $"SELECT {source.Value}, {source.Seq} FROM {source.Index} WHERE {source.Where} AND {from}{RunFilter.Range(query, source)} ORDER BY {source.Value} {direction}, {source.Seq} {direction} LIMIT 1 OFFSET @walk",
            parameters).Select(entry => ((long, long)?)entry).FirstOrDefault();
    }

    /// <summary>The first runs from a source beyond the cursor that meet the other filters, one more than the page may have.</summary>
    private static (RunRow Row, Run Run)[] Load(SqliteConnection connection, RunQuery query, RunSource source, string until, IEnumerable<RunFilter> rest, DynamicParameters parameters)
    {
        var (beyond, direction) = query.Ascending ? (">", "ASC") : ("<", "DESC");
        var column = RunSource.Column(query.Sort);
        var value = source.InOrder ? source.Value : $"runs.{column}";
        var from = query.After is null ? "1 = 1" : $"({value}, {source.Seq}) {beyond} (@value, @seq)";
        var others = string.Concat(rest.Select(filter => $" AND {filter.Condition}"));
        return Complete(connection, connection.Query<RunRow>(
            $"""
            SELECT {RunRow.Columns} FROM runs WHERE seq IN (
                SELECT {source.Seq} FROM {source.Index}{source.Join} WHERE {source.Where} AND {from} AND {until}{(source.InOrder ? RunFilter.Range(query, source) : "")}{others}
                ORDER BY {value} {direction}, {source.Seq} {direction} LIMIT @limit)
            ORDER BY {column} {direction}, seq {direction}
            """, parameters).AsList(), models: false);
    }

    private static Run? One(SqliteConnection connection, string rest, object parameters) =>
        Complete(connection, connection.Query<RunRow>($"SELECT {RunRow.Columns} FROM runs {rest}", parameters).AsList(), models: true) is [var (_, run)] ? run : null;

    /// <summary>With what stands in other tables.</summary>
    /// <param name="models">Calls of models by model too.</param>
    private static (RunRow Row, Run Run)[] Complete(SqliteConnection connection, List<RunRow> rows, bool models)
    {
        // Numbers, so that they may stand in the statement itself, which spares one parameter for each.
        var members = connection.Query<MemberRow>(
                $"SELECT run AS Run, change_name AS ChangeName, role AS Role FROM run_experiments WHERE run IN ({string.Join(',', rows.Select(row => row.Seq))}) ORDER BY run, position")
            .ToLookup(member => member.Run);
        return [.. rows.Zip(CallRow.With(connection, UsageRow.With(connection, [.. rows.Select(row => row.ToRun(members[row.Seq]))]), models))];
    }
}
