using System.Globalization;
using Dapper;
using Fabrik.Audit;
using Fabrik.Experiments;
using Fabrik.Gateway.Budgets;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>What budgets are charged, and what was told of them. Amounts are in the budget's unit.</summary>
public sealed class BudgetStore(Database database)
{
    /// <summary>Who was charged within this time is looked at, of a budget without an end.</summary>
    private static readonly TimeSpan Lately = TimeSpan.FromDays(1);

    /// <summary>What a budget's subject has used since a time, as far as it was delivered: a look at one row for each day.</summary>
    public long Spent(ModelBudget budget, string subject, DateTimeOffset since)
    {
        using var connection = database.Read();
        return connection.ExecuteScalar<long>(
            $"SELECT COALESCE(SUM({Amount(budget)}), 0) FROM account_days WHERE kind = @kind AND subject = @subject AND day >= @since{Currency(budget)}",
            new { kind = WireNames.Of(budget.Scope.Subject), subject, since = Day(since), currency = budget.Currency });
    }

    /// <summary>A gateway lacked what a call would have taken.</summary>
    public void Refused(string account, DateTimeOffset periodStart, DateTimeOffset now) => database.Write((connection, transaction) => connection.Execute(
        "INSERT INTO budget_refusals (account, period_start, at) VALUES (@account, @start, @at) ON CONFLICT DO NOTHING",
        new { account, start = periodStart.ToUnixTimeMilliseconds(), at = now.ToUnixTimeMilliseconds() }, transaction));

    /// <summary>How budgets stand in the periods that are now; those per minute are not here, as the ledger knows nothing of them.</summary>
    /// <param name="least">Of a budget that each has for itself, who used less than this part of it is left out.</param>
    /// <param name="most">And of others at most so many, those who used most.</param>
    public IReadOnlyList<BudgetState> States(IReadOnlyList<ModelBudget> budgets, double least, int most, DateTimeOffset now)
    {
        var states = new List<BudgetState>();
        foreach (var budget in budgets)
        {
            if (budget.IsOfMinute) continue;
            var from = BudgetPeriods.Now(budget.Period, now).From;
            var subjects = budget.Scope.IsOfEach ? Most(budget, from, (long)(budget.Limit * least), most, now) : [(budget.Scope.Name ?? "", Spent(budget, budget.Scope.Name ?? "", from))];
            var refused = Refusals([.. subjects.Select(one => budget.Account(one.Item1))], from);
            states.AddRange(subjects.Select(one => new BudgetState(budget, one.Item1, one.Item2, from, refused.Contains(budget.Account(one.Item1)))));
        }

        return states;
    }

    /// <summary>Notes what was reached, each once for a period and a limit.</summary>
    /// <returns>Those among them that nobody was told of yet.</returns>
    public IReadOnlyList<ThresholdReached> Reach(IReadOnlyList<ThresholdReached> reached, DateTimeOffset now) => database.Write((connection, transaction) =>
    {
        using var add = connection.Prepare(transaction, "INSERT INTO budget_thresholds (account, limit_amount, period_start, percent, reached_at) VALUES (@account, @limit, @start, @percent, @at) ON CONFLICT DO NOTHING");
        using var find = connection.Prepare(transaction, "SELECT told_at IS NULL FROM budget_thresholds WHERE account = @account AND limit_amount = @limit AND period_start = @start AND percent = @percent");
        var untold = new List<ThresholdReached>();
        foreach (var one in reached)
        {
            Bind(add, one);
            add.Set("@at", now.ToUnixTimeMilliseconds());
            if (add.ExecuteNonQuery() > 0) AuditStore.Append(connection, transaction, [Audited(one, now)]);
            Bind(find, one);
            if (Convert.ToInt64(find.ExecuteScalar(), CultureInfo.InvariantCulture) == 1) untold.Add(one);
        }

        return untold;
    });

    /// <summary>It was told, and so was all below it.</summary>
    public void Told(ThresholdReached one, DateTimeOffset now) => database.Write((connection, transaction) => connection.Execute(
        "UPDATE budget_thresholds SET told_at = @at WHERE account = @Account AND limit_amount = @Limit AND period_start = @start AND percent <= @Percent AND told_at IS NULL",
        new { one.Account, one.Limit, start = one.PeriodStart.ToUnixTimeMilliseconds(), one.Percent, at = now.ToUnixTimeMilliseconds() }, transaction));

    /// <summary>When parts of budgets were last known to be handed out; null where they never were.</summary>
    public DateTimeOffset? HandedOutAt()
    {
        using var connection = database.Read();
        return connection.ExecuteScalar<long?>("SELECT MAX(at) FROM leases_handed_out") is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at) : null;
    }

    public void HandedOut(DateTimeOffset now) => database.Write((connection, transaction) => connection.Execute(
        "INSERT INTO leases_handed_out (one, at) VALUES (1, @at) ON CONFLICT (one) DO UPDATE SET at = excluded.at", new { at = now.ToUnixTimeMilliseconds() }, transaction), durable: true);

    private IReadOnlyList<(string Subject, long Spent)> Most(ModelBudget budget, DateTimeOffset since, long least, int limit, DateTimeOffset now)
    {
        // Runs without number have ended: whoever was not charged of late has not come nearer to a limit.
        var active = budget.Period == BudgetPeriod.Total ? " AND subject IN (SELECT subject FROM account_days WHERE kind = @kind AND day >= @lately)" : "";
        var arms = budget.Scope.Subject == BudgetSubject.Change ? " AND subject NOT LIKE '%/%'" : "";
        using var connection = database.Read();
        return connection.Query<(string, long)>(
            $"""
            SELECT subject, SUM({Amount(budget)}) AS spent FROM account_days WHERE kind = @kind AND day >= @since{Currency(budget)}{active}{arms}
            GROUP BY subject HAVING SUM({Amount(budget)}) >= @least ORDER BY spent DESC, subject LIMIT @limit
            """,
            new { kind = WireNames.Of(budget.Scope.Subject), since = Day(since), currency = budget.Currency, lately = Day(now - Lately), least, limit }).AsList();
    }

    private HashSet<string> Refusals(IReadOnlyCollection<string> accounts, DateTimeOffset periodStart)
    {
        using var connection = database.Read();
        return accounts.Chunk(500).SelectMany(chunk => connection.Query<string>(
            "SELECT account FROM budget_refusals WHERE account IN @chunk AND period_start = @start", new { chunk, start = periodStart.ToUnixTimeMilliseconds() })).ToHashSet(StringComparer.Ordinal);
    }

    private static void Bind(SqliteCommand command, ThresholdReached one)
    {
        command.Set("@account", one.Account);
        command.Set("@limit", one.Limit);
        command.Set("@start", one.PeriodStart.ToUnixTimeMilliseconds());
        command.Set("@percent", one.Percent);
    }

    private static AuditEntry Audited(ThresholdReached one, DateTimeOffset now) => new(now, Names.FieldManager, AuditActions.BudgetReached, new AuditObject(ObjectEdits.PolicyKind, null, Names.PolicyName, null, null), null, new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["account"] = one.Account,
        ["percent"] = one.Percent.ToString(CultureInfo.InvariantCulture),
        ["limit"] = one.Limit.ToString(CultureInfo.InvariantCulture),
        ["periodStart"] = one.PeriodStart.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
    });

    private static string Amount(ModelBudget budget) => budget.Unit == BudgetUnit.Tokens ? "tokens" : "cost_micros";

    private static string Currency(ModelBudget budget) => budget.Unit == BudgetUnit.Tokens ? "" : " AND currency = @currency";

    private static long Day(DateTimeOffset time)
    {
        var at = time.ToUnixTimeMilliseconds();
        return at - (at % CallSums.Day);
    }
}
