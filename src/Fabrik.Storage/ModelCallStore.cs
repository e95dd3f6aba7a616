using System.Globalization;
using Dapper;
using Fabrik.Gateway;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>The ledger of model calls: attempts are taken in once each, however often they are delivered, and added up.</summary>
public sealed class ModelCallStore(Database database)
{
    /// <summary>How long sums by hour are kept.</summary>
    public static readonly TimeSpan SumsKept = TimeSpan.FromDays(800);

    // Whichever attempt of a call comes first makes it count, so the order of delivery does not matter.
    private const string Append = """
        INSERT INTO model_calls (id, operation_id, started_at, run_id, key_id, namespace, project, arm, change_name, operation, streamed, provider, provider_key, requested_model, sent_model,
            served_model, service_tier, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_hour_tokens, output_tokens, reasoning_tokens, web_searches, estimated, cost_micros,
            currency, price_version, price_unknown, latency_ms, first_byte_ms, outcome, status, error, first_of_call, first_of_model)
        VALUES (@id, @operation_id, @started_at, @run_id, @key_id, @namespace, @project, @arm, @change_name, @operation, @streamed, @provider, @provider_key, @requested_model, @sent_model,
            @served_model, @service_tier, @input, @cache_read, @cache_write, @cache_write_hour, @output, @reasoning, @web_searches, @estimated, @cost_micros,
            @currency, @price_version, @price_unknown, @latency_ms, @first_byte_ms, @outcome, @status, @error,
            NOT EXISTS (SELECT 1 FROM model_calls WHERE operation_id = @operation_id), NOT EXISTS (SELECT 1 FROM model_calls WHERE operation_id = @operation_id AND sent_model = @sent_model))
        ON CONFLICT (id) DO NOTHING
        RETURNING first_of_call, first_of_model
        """;

    private const string AddToRun = "INSERT INTO run_calls (run_id, calls) VALUES (@run_id, @calls) ON CONFLICT (run_id) DO UPDATE SET calls = run_calls.calls + excluded.calls";

    private const string AddToModel = """
        INSERT INTO run_model_calls (run_id, model, currency, calls, attempts, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_hour_tokens, output_tokens, reasoning_tokens,
            web_searches, estimated, cost_micros, price_unknown)
        VALUES (@run_id, @sent_model, @currency, @calls, 1, @input, @cache_read, @cache_write, @cache_write_hour, @output, @reasoning, @web_searches, @estimated, @cost_micros, @price_unknown)
        ON CONFLICT (run_id, model, currency) DO UPDATE SET calls = run_model_calls.calls + excluded.calls, attempts = run_model_calls.attempts + 1,
            input_tokens = run_model_calls.input_tokens + excluded.input_tokens, cache_read_tokens = run_model_calls.cache_read_tokens + excluded.cache_read_tokens,
            cache_write_tokens = run_model_calls.cache_write_tokens + excluded.cache_write_tokens, cache_write_hour_tokens = run_model_calls.cache_write_hour_tokens + excluded.cache_write_hour_tokens,
            output_tokens = run_model_calls.output_tokens + excluded.output_tokens, reasoning_tokens = run_model_calls.reasoning_tokens + excluded.reasoning_tokens,
            web_searches = run_model_calls.web_searches + excluded.web_searches, cost_micros = run_model_calls.cost_micros + excluded.cost_micros,
            estimated = CASE WHEN excluded.estimated = 1 THEN 1 ELSE run_model_calls.estimated END, price_unknown = CASE WHEN excluded.price_unknown = 1 THEN 1 ELSE run_model_calls.price_unknown END
        """;

    /// <summary>Takes in what is new, in one transaction that a power loss does not undo: who delivered it forgets it then.</summary>
    /// <param name="events">Each as <see cref="UsageEventRules"/> wants it; of two with one id the first stays.</param>
    /// <returns>How many were new.</returns>
    public int Insert(IReadOnlyList<UsageEvent> events) => database.Write((connection, transaction) =>
    {
        using var append = connection.Prepare(transaction, Append);
        using var run = connection.Prepare(transaction, AddToRun);
        using var model = connection.Prepare(transaction, AddToModel);
        var (inserted, sums) = (0, new CallSums());
        foreach (var one in events)
        {
            Bind(append, one);
            bool firstOfCall, firstOfModel;
            using (var reader = append.ExecuteReader())
            {
                if (!reader.Read()) continue;
                (firstOfCall, firstOfModel) = (reader.GetBoolean(0), reader.GetBoolean(1));
            }

            inserted++;
            sums.Add(one, firstOfCall, firstOfModel);
            if (one.RunId is not null) Add(one, firstOfCall, firstOfModel, run, model);
        }

        sums.Write(connection, transaction);
        return inserted;
    }, durable: true);

    /// <summary>What a run called, by its run id; null where it called nothing, or nothing was delivered yet. The run itself need not be known.</summary>
    public CallTotal? OfRun(string runId)
    {
        using var connection = database.Read();
        return CallRow.Of(connection, [runId], models: true).GetValueOrDefault(runId);
    }

    /// <summary>The same of many runs, by run id and without their models; those that called nothing are not there.</summary>
    public IReadOnlyDictionary<string, CallTotal> OfRuns(IEnumerable<string> runIds)
    {
        using var connection = database.Read();
        return runIds.Distinct(StringComparer.Ordinal).Chunk(500).SelectMany(chunk => CallRow.Of(connection, chunk, models: false)).ToDictionary(StringComparer.Ordinal);
    }

    /// <summary>
    /// Whole hours are read from their sums, which cost a look at each hour and combination of what calls are told apart by; the hours in which
    /// the time begins and ends from their attempts. A call counts where the first of its attempts to be delivered does.
    /// </summary>
    public CallTotals Totals(CallQuery query)
    {
        var key = Expression(query.By);
        var (source, parameters) = Source(query);
        parameters.Add("limit", query.Limit + 1);
        using var connection = database.Read();

        // One state of the database for all that is asked.
        using var transaction = connection.BeginTransaction(deferred: true);
        var calls = query.By == CallGrouping.Model || query.Model is not null ? "model_calls" : "calls";
        string Columns(string count) => $"MIN(currency) AS Currency, MAX(currency) AS LastCurrency, COALESCE(SUM({count}), 0) AS Calls, COALESCE(SUM(attempts), 0) AS Attempts, {CallRow.Sums}";
        var order = query.By == CallGrouping.Day ? $"{key} DESC" : $"SUM(cost_micros) DESC, SUM(attempts) DESC, {key}";
        var groups = connection.Query<CallRow>($"SELECT CAST({key} AS TEXT) AS \"Key\", {Columns(calls)} FROM ({source}) AS met GROUP BY {key} ORDER BY {order} LIMIT @limit", parameters, transaction).AsList();
        var all = connection.QuerySingle<CallRow>($"SELECT {Columns(query.Model is null ? "calls" : calls)} FROM ({source}) AS met", parameters, transaction);
        var mixed = all.Currency == all.LastCurrency ? null : connection.Query<(string? Key, string Currency, long Micros)>(
            $"SELECT CAST({key} AS TEXT), currency, SUM(cost_micros) FROM ({source}) AS met GROUP BY {key}, currency", parameters, transaction).ToLookup(cost => cost.Key);
        return new CallTotals(
            [.. groups.Take(query.Limit).Select(row => Total(row, mixed?[row.Key]) with { Key = query.By == CallGrouping.Day ? Day(row.Key!) : row.Key })],
            Total(all, mixed?.SelectMany(costs => costs)),
            groups.Count > query.Limit);
    }

    /// <summary>
    /// Forgets the oldest attempts, sums by hour, sums of what single runs are charged, and what was told of budgets. Sums of runs, and what everybody
    /// else is charged by day, stay: there are few, and budgets without an end need them.
    /// </summary>
    /// <param name="attempts">Those from before; at least <see cref="UsageEventRules.Oldest"/> ago, or one that is delivered again would be counted again.</param>
    /// <param name="sums">The same for sums.</param>
    /// <param name="most">Of each about so many at most: what is of one time is not torn apart.</param>
    /// <returns>How many of that of which most were forgotten.</returns>
    public int Forget(DateTimeOffset attempts, DateTimeOffset sums, int most) => database.Write((connection, transaction) =>
    {
        (string Table, string Time, string Of, DateTimeOffset Before)[] old =
        [
            ("model_calls", "started_at", "", attempts), ("call_hours", "hour", "", sums), ("run_hours", "hour", "", sums), ("account_days", "day", "kind = 'run' AND ", sums),
            ("budget_thresholds", "reached_at", "period_start > 0 AND ", attempts), ("budget_thresholds", "reached_at", "account LIKE '%/%' AND ", sums),
            ("budget_refusals", "at", "period_start > 0 AND ", attempts), ("budget_refusals", "at", "account LIKE '%/%' AND ", sums),
        ];
        return old.Max(one => connection.Execute(
            $"""
            DELETE FROM {one.Table} WHERE {one.Of}{one.Time} < @before
                AND {one.Time} <= (SELECT MAX(time) FROM (SELECT {one.Time} AS time FROM {one.Table} WHERE {one.Of}{one.Time} < @before ORDER BY {one.Time} LIMIT @most) AS oldest)
            """,
            new { before = one.Before.ToUnixTimeMilliseconds(), most }, transaction));
    });

    private static void Add(UsageEvent one, bool firstOfCall, bool firstOfModel, SqliteCommand run, SqliteCommand model)
    {
        run.Set("@run_id", one.RunId);
        run.Set("@calls", firstOfCall ? 1 : 0);
        run.ExecuteNonQuery();
        model.Set("@run_id", one.RunId);
        model.Set("@calls", firstOfModel ? 1 : 0);
        BindSums(model, one);
        model.ExecuteNonQuery();
    }

    private static void Bind(SqliteCommand command, UsageEvent one)
    {
        command.Set("@id", one.Id);
        command.Set("@operation_id", one.OperationId);
        command.Set("@started_at", one.StartedAt.ToUnixTimeMilliseconds());
        command.Set("@run_id", one.RunId);
        command.Set("@key_id", one.KeyId);
        command.Set("@namespace", one.Namespace);
        command.Set("@project", one.Project);
        command.Set("@arm", one.Arm);
        command.Set("@change_name", one.Change);
        command.Set("@operation", WireNames.Of(one.Operation));
        command.Set("@streamed", one.Streamed ? 1 : 0);
        command.Set("@provider", one.Provider);
        command.Set("@provider_key", one.ProviderKey);
        command.Set("@requested_model", one.RequestedModel);
        command.Set("@served_model", one.ServedModel);
        command.Set("@service_tier", one.ServiceTier);
        command.Set("@price_version", one.PriceVersion);
        command.Set("@latency_ms", one.LatencyMs);
        command.Set("@first_byte_ms", one.FirstByteMs);
        command.Set("@outcome", WireNames.Of(one.Outcome));
        command.Set("@status", one.Status);
        command.Set("@error", one.Error);
        BindSums(command, one);
    }

    private static void BindSums(SqliteCommand command, UsageEvent one)
    {
        command.Set("@sent_model", one.SentModel);
        command.Set("@currency", one.Currency);
        command.Set(one.Tokens, one.Estimated, one.CostMicros, one.PriceUnknown);
    }

    private static string Expression(CallGrouping by) => by switch
    {
        CallGrouping.Run => "run_id",
        CallGrouping.Project => "project",
        CallGrouping.Model => "sent_model",
        CallGrouping.Arm => "arm",
        CallGrouping.Key => "key_id",
        _ => "(started_at - started_at % 86400000)",
    };

    private static string Day(string milliseconds) =>
        DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(milliseconds, CultureInfo.InvariantCulture)).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    /// <summary>Sums of whole hours and single attempts beside one another, in the same columns.</summary>
    private static (string Sql, DynamicParameters Parameters) Source(CallQuery query)
    {
        var (since, until) = (query.Since?.ToUnixTimeMilliseconds() ?? 0, query.Until?.ToUnixTimeMilliseconds() ?? long.MaxValue - CallSums.Hour);
        var (from, to) = ((since + CallSums.Hour - 1) / CallSums.Hour * CallSums.Hour, until / CallSums.Hour * CallSums.Hour);
        if (from >= to) (from, to) = (until, until);
        var parameters = new DynamicParameters(new { since, from, to, until });
        var filter = "";
        foreach (var (column, value) in (ReadOnlySpan<(string, string?)>)[("project", query.Project), ("namespace", query.Namespace), ("arm", query.Arm), ("change_name", query.Change), ("key_id", query.Key), ("sent_model", query.Model)])
        {
            if (value is null) continue;
            filter += $" AND {column} = @{column}";
            parameters.Add(column, value);
        }

        const string sums = "currency, sent_model, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_hour_tokens, output_tokens, reasoning_tokens, web_searches, estimated, cost_micros, price_unknown";
        const string attempt = $"started_at, run_id, project, arm, key_id, first_of_call AS calls, first_of_model AS model_calls, 1 AS attempts, {sums} FROM model_calls";
        var (table, run) = query.By == CallGrouping.Run ? ("run_hours", "NULLIF(run_id, '')") : ("call_hours", "NULL");
        return ($"""
            SELECT hour AS started_at, {run} AS run_id, NULLIF(project, '') AS project, NULLIF(arm, '') AS arm, NULLIF(key_id, '') AS key_id, calls, model_calls, attempts, {sums}
            FROM {table} WHERE hour >= @from AND hour < @to{filter}
            UNION ALL SELECT {attempt} WHERE started_at >= @since AND started_at < @from{filter}
            UNION ALL SELECT {attempt} WHERE started_at >= @to AND started_at < @until{filter}
            """, parameters);
    }

    /// <param name="costs">Where there is more than one currency.</param>
    private static CallTotal Total(CallRow row, IEnumerable<(string? Key, string Currency, long Micros)>? costs) => new()
    {
        Calls = row.Calls,
        Attempts = row.Attempts,
        Tokens = row.Tokens,
        Costs = costs is not null ? [.. costs.GroupBy(cost => cost.Currency, StringComparer.Ordinal).Select(same => new CallCost(same.Key, same.Sum(cost => cost.Micros))).OrderBy(cost => cost.Currency, StringComparer.Ordinal)]
            : row.Currency is { } currency ? [new CallCost(currency, row.Micros)] : [],
        Estimated = row.Estimated,
        PriceUnknown = row.PriceUnknown,
    };
}
