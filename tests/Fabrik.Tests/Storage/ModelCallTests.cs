using Dapper;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Storage;
using Fabrik.Tests.Gateway;
using Fabrik.Tests.Runs;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Data.Sqlite;

namespace Fabrik.Tests.Storage;

public class ModelCallTests
{
    // Calls of up to three attempts, each with a model of its own; some estimated, some of virtual keys.
    private static readonly UsageEvent[] Pool = [.. Enumerable.Range(0, 60).Select(number => Attempts.Of(number, number / 3, Attempts.Start.AddHours(number / 3).AddMinutes(number)) with
    {
        RunId = number % 30 >= 24 ? null : $"run-{number % 30 / 12}",
        KeyId = number % 30 >= 24 ? "laptop" : null,
        Namespace = number % 30 >= 24 ? null : "ci",
        Project = number / 3 % 4 == 0 ? null : $"p{number / 3 % 4}",
        Change = number / 3 % 2 == 0 ? "memory" : null,
        Arm = number / 3 % 2 == 0 ? "treatment" : null,
        SentModel = $"m{number % 2}",
        Tokens = new TokenCounts(number, number * 2, 1, 0, number * 3, number, number % 2),
        CostMicros = number * 100,
        Estimated = number == 7,
        PriceUnknown = number == 40,
    })];

    [Fact]
    public void A_batch_that_is_delivered_twice_is_counted_once()
    {
        using var temporary = new TemporaryDatabase();
        var store = new ModelCallStore(temporary.Database);
        store.Insert([Attempts.Of(1), Attempts.Of(2), Attempts.Of(1)]).ShouldBe(2);
        store.Insert([Attempts.Of(2), Attempts.Of(3), Attempts.Of(1)]).ShouldBe(1);
        var run = store.OfRun("run-a")!;
        (run.Calls, run.Attempts, run.Tokens, run.Costs.Single()).ShouldBe((3, 3, new TokenCounts(300, 120, 15, 6, 60, 24, 3), new CallCost("USD", 4500)));
        store.OfRun("run-b").ShouldBeNull();
    }

    [Fact]
    public void Whatever_is_delivered_again_in_whatever_order_across_restarts_adds_up_to_each_attempt_once()
    {
        var deliveries = Gen.ListOf(Gen.ListOf(Gen.Choose(0, Pool.Length - 1)));
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(40), Prop.ForAll(Gen.Zip(deliveries, Gen.Choose(0, 5)).ToArbitrary(), drawn =>
        {
            using var temporary = new TemporaryDatabase();
            var met = new HashSet<int>();
            foreach (var (batch, index) in drawn.Item1.Select((batch, index) => (batch.ToArray(), index)))
            {
                if (index == drawn.Item2) temporary.Reopen();
                var before = met.Count;
                met.UnionWith(batch);
                new ModelCallStore(temporary.Database).Insert([.. batch.Select(number => Pool[number])]).ShouldBe(met.Count - before);
            }

            var store = new ModelCallStore(temporary.Database);
            var kept = met.Select(number => Pool[number]).ToArray();
            foreach (var run in (string[])["run-0", "run-1"])
            {
                var expected = kept.Where(one => one.RunId == run).ToArray();
                Same(store.OfRun(run), expected.Length == 0 ? null : Sum(expected));
                foreach (var model in store.OfRun(run)?.Models ?? []) Same(model, Sum([.. expected.Where(one => one.SentModel == model.Key)]));
            }

            foreach (var (by, key) in (ReadOnlySpan<(CallGrouping, Func<UsageEvent, string?>)>)[
                (CallGrouping.Run, one => one.RunId), (CallGrouping.Project, one => one.Project), (CallGrouping.Model, one => one.SentModel), (CallGrouping.Arm, one => one.Arm),
                (CallGrouping.Key, one => one.KeyId), (CallGrouping.Day, one => one.StartedAt.ToString("yyyy-MM-dd"))])
            {
                var totals = store.Totals(new CallQuery { By = by });
                totals.Items.Select(item => item.Key).ShouldBe(kept.Select(key).Distinct(), ignoreOrder: true);
                foreach (var item in totals.Items) Same(item, Sum([.. kept.Where(one => key(one) == item.Key)]));
                Same(totals.Total, Sum(kept));
            }
        }));
    }

    [Fact]
    public void Sums_by_hour_and_account_are_those_of_their_attempts_whatever_is_delivered_again()
    {
        var deliveries = Gen.ListOf(Gen.ListOf(Gen.Choose(0, Pool.Length - 1)));
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(40), Prop.ForAll(deliveries.ToArbitrary(), drawn =>
        {
            using var temporary = new TemporaryDatabase();
            foreach (var batch in drawn) new ModelCallStore(temporary.Database).Insert([.. batch.Select(number => Pool[number])]);
            var kept = drawn.SelectMany(batch => batch).Distinct().Select(number => Pool[number]).ToArray();
            using var connection = temporary.Database.Read();
            foreach (var table in (string[])["call_hours", "run_hours"])
                Dump(connection, table).ShouldBe(Dump(connection, $"({FromRows(table)})"), table);
            foreach (var (scope, charged) in (ReadOnlySpan<(string, Func<UsageEvent, bool>)>)[
                ("cluster", _ => true), ("namespace/ci", one => one.Namespace == "ci"), ("project/p1", one => one.Project == "p1"), ("key/laptop", one => one.KeyId == "laptop"),
                ("change/memory", one => one.Change == "memory"), ("change/memory/treatment", one => one.Arm == "treatment"), ("run/run-1", one => one.RunId == "run-1")])
            {
                var budget = new ModelBudget("a", BudgetScope.Parse(scope)!, BudgetPeriod.Month, 1, "USD", true);
                var since = Attempts.Start.AddHours(12); // midnight
                var store = new BudgetStore(temporary.Database);
                var subject = scope.Split('/', 2).ElementAtOrDefault(1) ?? "";
                store.Spent(budget, subject, since).ShouldBe(kept.Where(one => charged(one) && one.StartedAt >= since).Sum(one => one.CostMicros), scope);
                store.Spent(budget with { Unit = BudgetUnit.Tokens, Currency = "EUR" }, subject, DateTimeOffset.UnixEpoch).ShouldBe(kept.Where(charged).Sum(one => one.Tokens.All), scope);
                store.Spent(budget with { Currency = "EUR" }, subject, DateTimeOffset.UnixEpoch).ShouldBe(0);
            }
        }));
    }

    [Fact]
    public void Totals_of_any_time_are_those_of_its_attempts_to_the_millisecond()
    {
        using var temporary = new TemporaryDatabase();
        var store = new ModelCallStore(temporary.Database);
        store.Insert(Pool);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(200), Prop.ForAll(Gen.Zip(Gen.Choose(-5_000, 90_000), Gen.Choose(0, 90_000)).ToArbitrary(), drawn =>
        {
            var (since, until) = (Attempts.Start.AddSeconds(drawn.Item1), Attempts.Start.AddSeconds(drawn.Item1 + drawn.Item2));
            var met = Pool.Where(one => one.StartedAt >= since && one.StartedAt < until).ToArray();
            foreach (var by in Enum.GetValues<CallGrouping>())
            {
                var totals = store.Totals(new CallQuery { By = by, Since = since, Until = until });
                (totals.Total.Attempts, totals.Total.Tokens.All, totals.Total.Costs.Sum(cost => cost.Micros)).ShouldBe((met.Length, met.Sum(one => one.Tokens.All), met.Sum(one => one.CostMicros)));
                totals.Items.Sum(item => item.Attempts).ShouldBe(met.Length);
            }
        }));
    }

    [Fact]
    public void A_database_from_before_the_sums_gets_them_from_its_rows()
    {
        using var temporary = new TemporaryDatabase();
        new ModelCallStore(temporary.Database).Insert([.. Pool.OrderBy(one => one.Id, StringComparer.Ordinal)]);
        string[] tables = ["call_hours", "run_hours", "account_days", "(SELECT id, first_of_call, first_of_model FROM model_calls)"];
        var before = tables.Select(Read).ToArray();
        temporary.Database.Write((connection, transaction) => connection.Execute("""
            DROP TABLE call_hours; DROP TABLE run_hours; DROP TABLE account_days; DROP TABLE budget_thresholds; DROP TABLE budget_refusals; DROP TABLE leases_handed_out; DROP TABLE run_ends;
            DROP TABLE audit; DROP TABLE audit_head; DROP TABLE audit_anchors; DROP TABLE audit_objects;
            ALTER TABLE model_calls DROP COLUMN first_of_call; ALTER TABLE model_calls DROP COLUMN first_of_model; DELETE FROM schema_version WHERE number >= 8
            """, transaction: transaction));
        temporary.Reopen();
        before[0].ShouldNotBeEmpty();
        tables.Select(Read).ShouldBe(before);

        string Read(string table)
        {
            using var connection = temporary.Database.Read();
            return Dump(connection, table);
        }
    }

    [Fact]
    public void What_is_old_is_forgotten_in_parts_and_its_sums_later()
    {
        using var temporary = new TemporaryDatabase();
        var store = new ModelCallStore(temporary.Database);
        store.Insert([.. Enumerable.Range(0, 100).Select(number => Attempts.Of(number, at: Attempts.Start.AddHours(number)))]);
        var cut = Attempts.Start.AddHours(70);
        int[] parts = [store.Forget(cut, DateTimeOffset.UnixEpoch, 30), store.Forget(cut, DateTimeOffset.UnixEpoch, 30), store.Forget(cut, DateTimeOffset.UnixEpoch, 30), store.Forget(cut, DateTimeOffset.UnixEpoch, 30)];
        parts.ShouldBe([30, 30, 10, 0]);
        Count("model_calls").ShouldBe(30);
        (store.Totals(new CallQuery()).Total.Attempts, store.OfRun("run-a")!.Attempts).ShouldBe((100, 100));
        new BudgetStore(temporary.Database).Spent(new ModelBudget("a", BudgetScope.Parse("run")!, BudgetPeriod.Total, 1, "USD", true), "run-a", DateTimeOffset.UnixEpoch).ShouldBe(150_000);

        store.Forget(cut, cut, 1000);
        store.Totals(new CallQuery()).Total.Attempts.ShouldBe(30);
        store.Totals(new CallQuery { By = CallGrouping.Run }).Total.Attempts.ShouldBe(30);
        new BudgetStore(temporary.Database).Spent(new ModelBudget("a", BudgetScope.Parse("project")!, BudgetPeriod.Total, 1, "USD", true), "shop", DateTimeOffset.UnixEpoch).ShouldBe(150_000, "of budgets without an end nothing is forgotten");

        long Count(string table)
        {
            using var connection = temporary.Database.Read();
            return connection.ExecuteScalar<long>($"SELECT COUNT(*) FROM {table}");
        }
    }

    [Fact]
    public void A_budgets_sum_is_looked_up_and_not_searched_for()
    {
        using var temporary = new TemporaryDatabase();
        using var connection = temporary.Database.Read();
        connection.Query<(int, int, int, string Detail)>("EXPLAIN QUERY PLAN SELECT SUM(cost_micros) FROM account_days WHERE kind = 'run' AND subject = 'x' AND day >= 5 AND currency = 'USD'")
            .ShouldHaveSingleItem().Detail.ShouldContain("kind=? AND subject=? AND currency=? AND day>?");
    }

    [Fact]
    public void A_thousand_attempts_are_taken_in_at_once_and_soon()
    {
        using var temporary = new TemporaryDatabase();
        var store = new ModelCallStore(temporary.Database);
        var batch = Enumerable.Range(0, 1000).Select(number => Attempts.Of(number) with { RunId = $"run-{number % 50}" }).ToArray();
        var began = TimeProvider.System.GetTimestamp();
        store.Insert(batch).ShouldBe(1000);
        TimeProvider.System.GetElapsedTime(began).ShouldBeLessThan(TimeSpan.FromSeconds(5));
        store.Insert(batch).ShouldBe(0);
        store.OfRun("run-7")!.Calls.ShouldBe(20);
    }

    [Fact]
    public void A_batch_that_breaks_off_leaves_nothing_of_itself()
    {
        using var temporary = new TemporaryDatabase();
        var store = new ModelCallStore(temporary.Database);
        Should.Throw<SqliteException>(() => store.Insert([Attempts.Of(1), Attempts.Of(2), Attempts.Of(3) with { Provider = null! }]));
        store.OfRun("run-a").ShouldBeNull();
        store.Totals(new CallQuery()).Total.Attempts.ShouldBe(0);
        store.Insert([Attempts.Of(1), Attempts.Of(2)]).ShouldBe(2);
    }

    [Fact]
    public void After_a_batch_the_database_is_as_quick_to_write_as_before()
    {
        using var temporary = new TemporaryDatabase();
        new ModelCallStore(temporary.Database).Insert([Attempts.Of(1)]);
        Should.Throw<SqliteException>(() => new ModelCallStore(temporary.Database).Insert([Attempts.Of(3) with { Provider = null! }]));
        const int normal = 1;
        temporary.Database.Write((connection, transaction) => connection.ExecuteScalar<int>("PRAGMA synchronous", transaction: transaction)).ShouldBe(normal);
        temporary.Database.Write((connection, transaction) => connection.ExecuteScalar<int>("PRAGMA synchronous", transaction: transaction), durable: true).ShouldBe(2, "a power loss must not undo what the gateway then forgets");
    }

    [Fact]
    public void A_call_that_failed_over_is_one_call_however_its_attempts_arrive()
    {
        UsageEvent[] attempts =
        [
            Attempts.Of(1, call: 9) with { Outcome = AttemptOutcome.Failed, Tokens = default, CostMicros = 0, Status = 529 },
            Attempts.Of(2, call: 9) with { SentModel = "claude-haiku-4-5" },
            Attempts.Of(3, call: 9) with { SentModel = "claude-haiku-4-5", Estimated = true },
        ];
        foreach (var order in (int[][])[[0, 1, 2], [2, 1, 0], [1, 2, 0]])
        {
            using var temporary = new TemporaryDatabase();
            var store = new ModelCallStore(temporary.Database);
            foreach (var index in order) store.Insert([attempts[index]]);
            var run = store.OfRun("run-a")!;
            (run.Calls, run.Attempts, run.Estimated).ShouldBe((1, 3, true));
            run.Models!.Select(model => (model.Key, model.Calls, model.Attempts)).ShouldBe([("claude-haiku-4-5", 1, 2), ("gpt-5.4-mini", 1, 1)]);
        }
    }

    [Fact]
    public void Calls_may_be_known_before_their_run_and_are_found_with_it_wherever_runs_are_read()
    {
        using var temporary = new TemporaryDatabase();
        new ModelCallStore(temporary.Database).Insert([Attempts.Of(1), Attempts.Of(2) with { SentModel = "other" }, Attempts.Of(3) with { RunId = "uid" }]);
        UsageStoreTests.Put(temporary, Some.Run("uid") with { RunId = "run-a" }, Some.Run("uid-2", "b") with { RunId = "run-b" }, Some.Run("uid-3", "c"));
        foreach (var run in (Fabrik.Runs.Run[])[temporary.Reader.Get("uid")!, temporary.Reader.Get("run-a")!, temporary.Reader.Latest("ci", "a")!])
        {
            run.ModelCalls!.Calls.ShouldBe(2);
            run.ModelCalls.Models!.Select(model => model.Key).ShouldBe(["gpt-5.4-mini", "other"]);
        }

        temporary.Reader.Get("uid-2")!.ModelCalls.ShouldBeNull();
        temporary.Reader.Get("uid-3")!.ModelCalls.ShouldBeNull();
        var listed = temporary.All().Single(run => run.ModelCalls is not null);
        (listed.Id, listed.ModelCalls!.Costs.Single().Micros, listed.ModelCalls.Models).ShouldBe(("uid", 3000, null));
    }

    [Fact]
    public void A_run_that_names_no_end_of_models_shows_the_dearest_and_counts_all()
    {
        using var temporary = new TemporaryDatabase();
        var store = new ModelCallStore(temporary.Database);
        store.Insert([.. Enumerable.Range(0, 300).Select(number => Attempts.Of(number) with { SentModel = $"m{number}", CostMicros = number })]);
        var run = store.OfRun("run-a")!;
        (run.Calls, run.Models!.Count, run.Models[0].Key, run.Costs[0].Micros).ShouldBe((300, CallTotal.MostModels, "m299", 300 * 299 / 2));
    }

    [Fact]
    public void What_was_named_otherwise_is_told_with_the_model_that_was_called_as_long_as_its_attempts_are_there()
    {
        using var temporary = new TemporaryDatabase();
        var store = new ModelCallStore(temporary.Database);
        store.Insert(
        [
            Attempts.Of(1) with { RequestedModel = "large", SentModel = "small" }, Attempts.Of(2) with { RequestedModel = "fast", SentModel = "small" }, Attempts.Of(3) with { RequestedModel = "small", SentModel = "small" },
            Attempts.Of(4) with { RequestedModel = "small", SentModel = "other", RunId = "run-b" }, Attempts.Of(5) with { RequestedModel = "plain", SentModel = "plain" },
        ]);
        Named("run-a").ShouldBe([("plain", null), ("small", "fast large")]);
        Named("run-b").ShouldBe([("other", "small")]);
        store.Forget(Attempts.Start.AddDays(1), DateTimeOffset.MinValue, 100);
        Named("run-a").ShouldBe([("plain", null), ("small", null)]);

        IEnumerable<(string?, string?)> Named(string run) =>
            store.OfRun(run)!.Models!.Select(model => (model.Key, model.NamedAs is null ? null : string.Join(' ', model.NamedAs))).OrderBy(model => model.Key, StringComparer.Ordinal);
    }

    [Fact]
    public void Filters_leave_out_what_is_not_meant_and_time_ends_before_until()
    {
        using var temporary = new TemporaryDatabase();
        var store = new ModelCallStore(temporary.Database);
        store.Insert(
        [
            Attempts.Of(1), Attempts.Of(2, at: Attempts.Start.AddHours(1)) with { Project = "x" }, Attempts.Of(3) with { Namespace = "prod" }, Attempts.Of(4) with { Arm = "treatment", Change = "c" },
            Attempts.Of(5) with { RunId = null, KeyId = "laptop", Namespace = null }, Attempts.Of(6) with { SentModel = "m" },
        ]);
        Met(new CallQuery()).ShouldBe(6);
        Met(new CallQuery { Since = Attempts.Start.AddHours(1) }).ShouldBe(1);
        Met(new CallQuery { Until = Attempts.Start.AddHours(1) }).ShouldBe(5);
        Met(new CallQuery { Project = "x" }).ShouldBe(1);
        Met(new CallQuery { Namespace = "ci" }).ShouldBe(4);
        Met(new CallQuery { Arm = "treatment" }).ShouldBe(1);
        Met(new CallQuery { Change = "c" }).ShouldBe(1);
        Met(new CallQuery { Key = "laptop" }).ShouldBe(1);
        Met(new CallQuery { Model = "m", Project = "shop" }).ShouldBe(1);
        Met(new CallQuery { Model = "m' OR 1=1 --" }).ShouldBe(0);

        long Met(CallQuery query) => store.Totals(query).Total.Attempts;
    }

    [Fact]
    public void Currencies_are_never_added_to_one_another()
    {
        using var temporary = new TemporaryDatabase();
        var store = new ModelCallStore(temporary.Database);
        store.Insert([Attempts.Of(1), Attempts.Of(2) with { Currency = "EUR", CostMicros = 7 }, Attempts.Of(3) with { Project = "x", Currency = "EUR", CostMicros = 1 }]);
        CallCost[] both = [new("EUR", 7), new("USD", 1500)];
        var totals = store.Totals(new CallQuery());
        totals.Items.ToDictionary(item => item.Key!, item => item.Costs)["shop"].ShouldBe(both);
        totals.Items.ToDictionary(item => item.Key!, item => item.Costs)["x"].ShouldBe([new CallCost("EUR", 1)]);
        totals.Total.Costs.ShouldBe([new CallCost("EUR", 8), new CallCost("USD", 1500)]);
        store.OfRun("run-a")!.Costs.ShouldBe([new CallCost("EUR", 8), new CallCost("USD", 1500)]);
    }

    [Fact]
    public void Beyond_the_limit_there_are_more_groups_and_the_total_has_them_all()
    {
        using var temporary = new TemporaryDatabase();
        var store = new ModelCallStore(temporary.Database);
        store.Insert([.. Enumerable.Range(0, 9).Select(number => Attempts.Of(number, at: Attempts.Start.AddDays(number)) with { Project = $"p{number}", CostMicros = number })]);
        var dearest = store.Totals(new CallQuery { Limit = 3 });
        (string.Join(',', dearest.Items.Select(item => item.Key)), dearest.More, dearest.Total.Attempts).ShouldBe(("p8,p7,p6", true, 9));
        store.Totals(new CallQuery { Limit = 9 }).More.ShouldBeFalse();
        store.Totals(new CallQuery { By = CallGrouping.Day, Limit = 2 }).Items.Select(item => item.Key).ShouldBe(["2026-11-28", "2026-11-27"]);
    }

    [Theory]
    [InlineData(CallGrouping.Project, "model_calls_of_project")]
    [InlineData(CallGrouping.Run, "model_calls_of_namespace")]
    [InlineData(CallGrouping.Day, "model_calls_by_time")]
    public void A_time_and_one_filter_are_looked_up_and_not_searched_for(CallGrouping by, string index)
    {
        using var temporary = new TemporaryDatabase();
        var filter = by switch { CallGrouping.Project => "project = 'x' AND ", CallGrouping.Run => "namespace = 'x' AND ", _ => "" };
        using var connection = temporary.Database.Read();
        connection.Query<(int, int, int, string Detail)>($"EXPLAIN QUERY PLAN SELECT SUM(cost_micros) FROM model_calls WHERE {filter}started_at >= 5 AND started_at < 9")
            .ShouldContain(step => step.Detail.Contains(index));
    }

    private static string Dump(SqliteConnection connection, string table) =>
        string.Join('\n', connection.Query($"SELECT * FROM {table}").Select(row => string.Join(',', ((IDictionary<string, object>)row).Values)).Order(StringComparer.Ordinal));

    private static string FromRows(string table) => $"""
        SELECT started_at / 3600000 * 3600000, {(table == "run_hours" ? "COALESCE(run_id, '')," : "")} COALESCE(namespace, ''), COALESCE(project, ''), COALESCE(key_id, ''), COALESCE(arm, ''), COALESCE(change_name, ''),
            sent_model, currency, SUM(first_of_call), SUM(first_of_model), COUNT(*), SUM(input_tokens), SUM(cache_read_tokens), SUM(cache_write_tokens), SUM(cache_write_hour_tokens), SUM(output_tokens),
            SUM(reasoning_tokens), SUM(web_searches), MAX(estimated), SUM(cost_micros), MAX(price_unknown)
        FROM model_calls GROUP BY {(table == "run_hours" ? "run_id," : "")} started_at / 3600000, namespace, project, key_id, arm, change_name, sent_model, currency
        """;

    private static CallTotal Sum(IReadOnlyCollection<UsageEvent> events) => new()
    {
        Calls = events.Select(one => one.OperationId).Distinct().Count(),
        Attempts = events.Count,
        Tokens = new TokenCounts(
            events.Sum(one => one.Tokens.Input), events.Sum(one => one.Tokens.CacheRead), events.Sum(one => one.Tokens.CacheWrite), events.Sum(one => one.Tokens.CacheWriteHour),
            events.Sum(one => one.Tokens.Output), events.Sum(one => one.Tokens.Reasoning), events.Sum(one => one.Tokens.WebSearches)),
        Costs = events.Count == 0 ? [] : [new CallCost("USD", events.Sum(one => one.CostMicros))],
        Estimated = events.Any(one => one.Estimated),
        PriceUnknown = events.Any(one => one.PriceUnknown),
    };

    private static void Same(CallTotal? actual, CallTotal? expected)
    {
        if (expected is null) actual.ShouldBeNull();
        else (actual! with { Key = null, Models = null, NamedAs = null, Costs = expected.Costs }, actual.Costs.SequenceEqual(expected.Costs)).ShouldBe((expected, true));
    }
}
