using Dapper;
using Fabrik.Gateway;
using Fabrik.Runs;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>Sums over attempts as Dapper reads them.</summary>
internal sealed class CallRow
{
    /// <summary>What adds up over rows of model_calls as over those of run_model_calls.</summary>
    public const string Sums = """
        COALESCE(SUM(input_tokens), 0) AS Input, COALESCE(SUM(cache_read_tokens), 0) AS CacheRead, COALESCE(SUM(cache_write_tokens), 0) AS CacheWrite,
        COALESCE(SUM(cache_write_hour_tokens), 0) AS CacheWriteHour, COALESCE(SUM(output_tokens), 0) AS Output, COALESCE(SUM(reasoning_tokens), 0) AS Reasoning,
        COALESCE(SUM(web_searches), 0) AS WebSearches, COALESCE(SUM(cost_micros), 0) AS Micros, COALESCE(MAX(estimated), 0) AS Estimated, COALESCE(MAX(price_unknown), 0) AS PriceUnknown
        """;

    public string RunId { get; set; } = "";
    public string? Key { get; set; }
    public string? Currency { get; set; }
    public string? LastCurrency { get; set; }
    public long Calls { get; set; }
    public long Attempts { get; set; }
    public long Input { get; set; }
    public long CacheRead { get; set; }
    public long CacheWrite { get; set; }
    public long CacheWriteHour { get; set; }
    public long Output { get; set; }
    public long Reasoning { get; set; }
    public long WebSearches { get; set; }
    public long Micros { get; set; }
    public bool Estimated { get; set; }
    public bool PriceUnknown { get; set; }

    public TokenCounts Tokens => new(Input, CacheRead, CacheWrite, CacheWriteHour, Output, Reasoning, WebSearches);

    /// <summary>The same runs with their calls of models.</summary>
    /// <param name="models">By model too.</param>
    public static IReadOnlyList<Run> With(SqliteConnection connection, IReadOnlyList<Run> runs, bool models)
    {
        var ids = runs.Select(run => run.RunId).OfType<string>().ToArray();
        if (ids.Length == 0) return runs;
        var totals = Of(connection, ids, models);
        return totals.Count == 0 ? runs : [.. runs.Select(run => run.RunId is { } id && totals.TryGetValue(id, out var total) ? run with { ModelCalls = total } : run)];
    }

    /// <summary>By run id; those without calls are not there.</summary>
    public static Dictionary<string, CallTotal> Of(SqliteConnection connection, IReadOnlyCollection<string> ids, bool models)
    {
        var rows = connection.Query<CallRow>(
            $"""
            SELECT run_id AS RunId, {(models ? "model" : "''")} AS "Key", currency AS Currency, SUM(calls) AS Calls, SUM(attempts) AS Attempts, {Sums}
            FROM run_model_calls WHERE run_id IN @ids GROUP BY run_id, currency{(models ? ", model" : "")}
            """, new { ids }).ToLookup(row => row.RunId);
        var others = (models ? Others(connection, ids) : []).ToLookup(other => (other.RunId, other.Sent), other => other.Named);
        return connection.Query<(string RunId, long Calls)>("SELECT run_id, calls FROM run_calls WHERE run_id IN @ids", new { ids })
            .ToDictionary(run => run.RunId, run => Together(rows[run.RunId], run.Calls) with
            {
                Models = !models ? null : [.. rows[run.RunId].GroupBy(row => row.Key).Select(model => Together(model, model.Sum(row => row.Calls)) with { Key = model.Key, NamedAs = others[(run.RunId, model.Key!)].Take(CallTotal.MostModels).ToArray() is { Length: > 0 } named ? named : null })
                    .OrderByDescending(model => model.Costs.Sum(cost => cost.Micros)).ThenBy(model => model.Key, StringComparer.Ordinal).Take(CallTotal.MostModels)],
            }, StringComparer.Ordinal);
    }

    /// <summary>Models that were called under another name, from the attempts that are not forgotten yet.</summary>
    private static IEnumerable<(string RunId, string Sent, string Named)> Others(SqliteConnection connection, IReadOnlyCollection<string> ids) =>
        connection.Query<(string RunId, string Sent, string Named)>("SELECT DISTINCT run_id, sent_model, requested_model FROM model_calls WHERE run_id IN @ids AND requested_model <> sent_model ORDER BY 1, 2, 3", new { ids });

    private static CallTotal Together(IEnumerable<CallRow> rows, long calls) => rows.Aggregate(
        new CallTotal { Calls = calls, Attempts = 0, Tokens = default, Costs = [] },
        (sum, row) => sum with
        {
            Attempts = sum.Attempts + row.Attempts,
            Tokens = sum.Tokens + row.Tokens,
            Costs = Add(sum.Costs, row.Currency!, row.Micros),
            Estimated = sum.Estimated || row.Estimated,
            PriceUnknown = sum.PriceUnknown || row.PriceUnknown,
        });

    private static IReadOnlyList<CallCost> Add(IReadOnlyList<CallCost> costs, string currency, long micros) =>
        [.. costs.Append(new CallCost(currency, micros)).GroupBy(cost => cost.Currency, StringComparer.Ordinal).Select(same => new CallCost(same.Key, same.Sum(cost => cost.Micros))).OrderBy(cost => cost.Currency, StringComparer.Ordinal)];
}
