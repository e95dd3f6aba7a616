using System.Globalization;
using Dapper;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>The ledger of model calls: attempts are taken in once each, however often they are delivered, and added up.</summary>
public sealed class ModelCallStore(Database database)
{
    private const string Append = """
        INSERT INTO model_calls (id, operation_id, started_at, run_id, key_id, namespace, project, arm, change_name, operation, streamed, provider, provider_key, requested_model, sent_model,
            served_model, service_tier, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_hour_tokens, output_tokens, reasoning_tokens, web_searches, estimated, cost_micros,
            currency, price_version, price_unknown, latency_ms, first_byte_ms, outcome, status, error)
        VALUES (@id, @operation_id, @started_at, @run_id, @key_id, @namespace, @project, @arm, @change_name, @operation, @streamed, @provider, @provider_key, @requested_model, @sent_model,
            @served_model, @service_tier, @input, @cache_read, @cache_write, @cache_write_hour, @output, @reasoning, @web_searches, @estimated, @cost_micros,
            @currency, @price_version, @price_unknown, @latency_ms, @first_byte_ms, @outcome, @status, @error)
        ON CONFLICT (id) DO NOTHING
        """;

    // Whichever attempt of a call comes first makes it count, so the order of delivery does not matter.
    private const string Others = """
        SELECT NOT EXISTS (SELECT 1 FROM model_calls WHERE operation_id = @operation_id AND run_id = @run_id AND id <> @id),
            NOT EXISTS (SELECT 1 FROM model_calls WHERE operation_id = @operation_id AND run_id = @run_id AND sent_model = @sent_model AND currency = @currency AND id <> @id)
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
        using var others = connection.Prepare(transaction, Others);
        using var run = connection.Prepare(transaction, AddToRun);
        using var model = connection.Prepare(transaction, AddToModel);
        var inserted = 0;
        foreach (var one in events)
        {
            Bind(append, one);
            if (append.ExecuteNonQuery() == 0) continue;
            inserted++;
            if (one.RunId is not null) Add(one, others, run, model);
        }

        return inserted;
    }, durable: true);

    /// <summary>Millionths that a budget's subject has cost since a time, as far as it was delivered.</summary>
    public long Spent(ModelBudget budget, string subject, DateTimeOffset since)
    {
        var of = budget.Scope.Subject switch
        {
            BudgetSubject.Cluster => "",
            BudgetSubject.Namespace => "AND namespace = @subject",
            BudgetSubject.Project => "AND project = @subject",
            BudgetSubject.Key => "AND key_id = @subject",
            BudgetSubject.Run => "AND run_id = @subject",
            _ when subject.Contains('/', StringComparison.Ordinal) => "AND change_name = @change AND arm = @arm",
            _ => "AND change_name = @subject",
        };
        var slash = subject.IndexOf('/', StringComparison.Ordinal);
        using var connection = database.Read();
        return connection.ExecuteScalar<long>(
            $"SELECT COALESCE(SUM(cost_micros), 0) FROM model_calls WHERE started_at >= @since AND currency = @currency {of}",
            new { since = since.ToUnixTimeMilliseconds(), currency = budget.Currency, subject, change = slash < 0 ? null : subject[..slash], arm = slash < 0 ? null : subject[(slash + 1)..] });
    }

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

    /// <summary>Costs a look at each attempt that meets the time and one of project and namespace.</summary>
    public CallTotals Totals(CallQuery query)
    {
        var key = Expression(query.By);
        var (where, parameters) = Where(query);
        parameters.Add("limit", query.Limit + 1);
        using var connection = database.Read();

        // One state of the database for all that is asked.
        using var transaction = connection.BeginTransaction(deferred: true);
        var columns = $"MIN(currency) AS Currency, MAX(currency) AS LastCurrency, COUNT(DISTINCT operation_id) AS Calls, COUNT(*) AS Attempts, {CallRow.Sums}";
        var order = query.By == CallGrouping.Day ? $"{key} DESC" : $"SUM(cost_micros) DESC, COUNT(*) DESC, {key}";
        var groups = connection.Query<CallRow>($"SELECT CAST({key} AS TEXT) AS \"Key\", {columns} FROM model_calls WHERE {where} GROUP BY {key} ORDER BY {order} LIMIT @limit", parameters, transaction).AsList();
        var all = connection.QuerySingle<CallRow>($"SELECT {columns} FROM model_calls WHERE {where}", parameters, transaction);
        var mixed = all.Currency == all.LastCurrency ? null : connection.Query<(string? Key, string Currency, long Micros)>(
            $"SELECT CAST({key} AS TEXT), currency, SUM(cost_micros) FROM model_calls WHERE {where} GROUP BY {key}, currency", parameters, transaction).ToLookup(cost => cost.Key);
        return new CallTotals(
            [.. groups.Take(query.Limit).Select(row => Total(row, mixed?[row.Key]) with { Key = query.By == CallGrouping.Day ? Day(row.Key!) : row.Key })],
            Total(all, mixed?.SelectMany(costs => costs)),
            groups.Count > query.Limit);
    }

    private static void Add(UsageEvent one, SqliteCommand others, SqliteCommand run, SqliteCommand model)
    {
        others.Set("@operation_id", one.OperationId);
        others.Set("@run_id", one.RunId);
        others.Set("@sent_model", one.SentModel);
        others.Set("@currency", one.Currency);
        others.Set("@id", one.Id);
        long ofRun, ofModel;
        using (var reader = others.ExecuteReader())
        {
            reader.Read();
            (ofRun, ofModel) = (reader.GetInt64(0), reader.GetInt64(1));
        }

        run.Set("@run_id", one.RunId);
        run.Set("@calls", ofRun);
        run.ExecuteNonQuery();
        model.Set("@run_id", one.RunId);
        model.Set("@calls", ofModel);
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
        command.Set("@input", one.Tokens.Input);
        command.Set("@cache_read", one.Tokens.CacheRead);
        command.Set("@cache_write", one.Tokens.CacheWrite);
        command.Set("@cache_write_hour", one.Tokens.CacheWriteHour);
        command.Set("@output", one.Tokens.Output);
        command.Set("@reasoning", one.Tokens.Reasoning);
        command.Set("@web_searches", one.Tokens.WebSearches);
        command.Set("@estimated", one.Estimated ? 1 : 0);
        command.Set("@cost_micros", one.CostMicros);
        command.Set("@price_unknown", one.PriceUnknown ? 1 : 0);
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

    private static (string Where, DynamicParameters Parameters) Where(CallQuery query)
    {
        var parameters = new DynamicParameters();
        parameters.Add("since", query.Since?.ToUnixTimeMilliseconds() ?? 0);
        parameters.Add("until", query.Until?.ToUnixTimeMilliseconds() ?? long.MaxValue);
        var conditions = new List<string> { "started_at >= @since AND started_at < @until" };
        foreach (var (column, value) in (ReadOnlySpan<(string, string?)>)[("project", query.Project), ("namespace", query.Namespace), ("arm", query.Arm), ("change_name", query.Change), ("key_id", query.Key), ("sent_model", query.Model)])
        {
            if (value is null) continue;
            conditions.Add($"{column} = @{column}");
            parameters.Add(column, value);
        }

        return (string.Join(" AND ", conditions), parameters);
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
