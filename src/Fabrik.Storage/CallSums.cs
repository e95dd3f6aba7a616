using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>What the new attempts of one delivery add to the sums by hour and by account: added up first, then written with them in one transaction.</summary>
internal sealed class CallSums
{
    public const long Hour = 3_600_000;
    public const long Day = 24 * Hour;

    private const string Sums = "calls, model_calls, attempts, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_hour_tokens, output_tokens, reasoning_tokens, web_searches, estimated, cost_micros, price_unknown";
    private const string Values = "@calls, @model_calls, @attempts, @input, @cache_read, @cache_write, @cache_write_hour, @output, @reasoning, @web_searches, @estimated, @cost_micros, @price_unknown";
    private const string Keys = "namespace, project, key_id, arm, change_name, sent_model, currency";
    private const string KeyValues = "@namespace, @project, @key_id, @arm, @change_name, @sent_model, @currency";

    private static readonly string AddToHour = Upsert("call_hours", $"hour, {Keys}", $"@hour, {KeyValues}");
    private static readonly string AddToRunHour = Upsert("run_hours", $"hour, run_id, {Keys}", $"@hour, @run_id, {KeyValues}");

    private const string AddToDay = """
        INSERT INTO account_days (kind, subject, currency, day, cost_micros, tokens) VALUES (@kind, @subject, @currency, @day, @cost_micros, @tokens)
        ON CONFLICT (kind, subject, currency, day) DO UPDATE SET cost_micros = account_days.cost_micros + excluded.cost_micros, tokens = account_days.tokens + excluded.tokens
        """;

    private readonly Dictionary<Key, Sum> hours = [];
    private readonly Dictionary<Key, Sum> runHours = [];
    private readonly Dictionary<(string Kind, string Subject, string Currency, long Day), Charge> days = [];

    /// <param name="firstOfCall">No other attempt of its call was delivered before.</param>
    /// <param name="firstOfModel">Nor one at its model.</param>
    public void Add(UsageEvent one, bool firstOfCall, bool firstOfModel)
    {
        var at = one.StartedAt.ToUnixTimeMilliseconds();
        var key = new Key(at - (at % Hour), "", one.Namespace ?? "", one.Project ?? "", one.KeyId ?? "", one.Arm ?? "", one.Change ?? "", one.SentModel, one.Currency);
        var sum = new Sum(firstOfCall ? 1 : 0, firstOfModel ? 1 : 0, 1, one.Tokens, one.Estimated, one.CostMicros, one.PriceUnknown);
        hours[key] = hours.TryGetValue(key, out var hour) ? hour + sum : sum;
        key = key with { RunId = one.RunId ?? "" };
        runHours[key] = runHours.TryGetValue(key, out hour) ? hour + sum : sum;
        foreach (var (kind, subject) in Accounts(one))
        {
            var day = (WireNames.Of(kind), subject, one.Currency, at - (at % Day));
            days[day] = days.GetValueOrDefault(day) + Charge.Of(one);
        }
    }

    public void Write(SqliteConnection connection, SqliteTransaction transaction)
    {
        using (var command = connection.Prepare(transaction, AddToHour))
            foreach (var (key, sum) in hours) Execute(command, key, sum);
        using (var command = connection.Prepare(transaction, AddToRunHour))
            foreach (var (key, sum) in runHours) Execute(command, key, sum);
        using var add = connection.Prepare(transaction, AddToDay);
        foreach (var ((kind, subject, currency, day), charged) in days)
        {
            add.Set("@kind", kind);
            add.Set("@subject", subject);
            add.Set("@currency", currency);
            add.Set("@day", day);
            add.Set("@cost_micros", charged.Micros);
            add.Set("@tokens", charged.Tokens);
            add.ExecuteNonQuery();
        }
    }

    private static IEnumerable<(BudgetSubject Kind, string Subject)> Accounts(UsageEvent one)
    {
        yield return (BudgetSubject.Cluster, "");
        if (one.Namespace is not null) yield return (BudgetSubject.Namespace, one.Namespace);
        if (one.Project is not null) yield return (BudgetSubject.Project, one.Project);
        if (one.KeyId is not null) yield return (BudgetSubject.Key, one.KeyId);
        if (one.Change is not null) yield return (BudgetSubject.Change, one.Change);
        if (one is { Change: not null, Arm: not null }) yield return (BudgetSubject.Change, $"{one.Change}/{one.Arm}");
        if (one.RunId is not null) yield return (BudgetSubject.Run, one.RunId);
    }

    private static void Execute(SqliteCommand command, Key key, Sum sum)
    {
        command.Set("@hour", key.Hour);
        command.Set("@run_id", key.RunId);
        command.Set("@namespace", key.Namespace);
        command.Set("@project", key.Project);
        command.Set("@key_id", key.KeyId);
        command.Set("@arm", key.Arm);
        command.Set("@change_name", key.Change);
        command.Set("@sent_model", key.Model);
        command.Set("@currency", key.Currency);
        command.Set("@calls", sum.Calls);
        command.Set("@model_calls", sum.ModelCalls);
        command.Set("@attempts", sum.Attempts);
        command.Set(sum.Tokens, sum.Estimated, sum.Micros, sum.PriceUnknown);
        command.ExecuteNonQuery();
    }

    private static string Upsert(string table, string keys, string values)
    {
        var changes = Sums.Split(", ").Select(column => column is "estimated" or "price_unknown"
            ? $"{column} = CASE WHEN excluded.{column} = 1 THEN 1 ELSE {table}.{column} END"
            : $"{column} = {table}.{column} + excluded.{column}");
        return $"INSERT INTO {table} ({keys}, {Sums}) VALUES ({values}, {Values}) ON CONFLICT ({keys}) DO UPDATE SET {string.Join(", ", changes)}";
    }

    private sealed record Key(long Hour, string RunId, string Namespace, string Project, string KeyId, string Arm, string Change, string Model, string Currency);

    private sealed record Sum(long Calls, long ModelCalls, long Attempts, TokenCounts Tokens, bool Estimated, long Micros, bool PriceUnknown)
    {
        public static Sum operator +(Sum one, Sum other) => new(
            one.Calls + other.Calls, one.ModelCalls + other.ModelCalls, one.Attempts + other.Attempts, one.Tokens + other.Tokens,
            one.Estimated || other.Estimated, one.Micros + other.Micros, one.PriceUnknown || other.PriceUnknown);
    }
}
