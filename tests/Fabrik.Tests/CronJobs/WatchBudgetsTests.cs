using System.Text.Json;
using System.Text.Json.Nodes;
using Dapper;
using Fabrik.CronJobs.Budgets;
using Fabrik.CronJobs.Decisions;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Kubernetes;
using Fabrik.Storage;
using Fabrik.Tests.Cli;
using Fabrik.Tests.Gateway;
using Fabrik.Tests.Storage;
using Fabrik.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Tests.CronJobs;

/// <summary>What people see of budgets: Events on the policy, and its status.</summary>
public sealed class WatchBudgetsTests : IAsyncLifetime
{
    private readonly ClusterOfObjects cluster = new();
    private readonly TemporaryDatabase database = new();
    private readonly TestClock clock = new(Attempts.Start);
    private int attempts;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private BudgetStore Store => new(database.Database);

    [Fact]
    public async Task Each_threshold_is_told_once_in_a_period_however_often_and_by_whom_it_is_looked_at()
    {
        await PolicyAsync(new JsonObject { ["name"] = "daily", ["scope"] = "project/shop", ["period"] = "day", ["limit"] = "1.00", ["hard"] = true });
        Spend(490_000);
        await LookAsync();
        (await EventsAsync()).ShouldBeEmpty();

        Spend(20_000);
        await LookAsync();
        await LookAsync(); // another replica, or the same after a restart
        database.Reopen();
        await LookAsync();
        (await EventsAsync()).ShouldBe(["Normal BudgetThreshold Budget daily/shop is used to 50 %: 0.510000 USD of 1.000000 USD; it begins anew at 2026-11-21 00:00 UTC"]);

        Spend(410_000);
        await LookAsync();
        (await EventsAsync()).Count.ShouldBe(2, "80 % was passed on the way to 90 %");
        (await EventsAsync()).ShouldContain("Warning BudgetThreshold Budget daily/shop is used to 90 %: 0.920000 USD of 1.000000 USD; it begins anew at 2026-11-21 00:00 UTC");

        Spend(80_000);
        await LookAsync();
        (await EventsAsync()).ShouldContain("Warning BudgetSpent Budget daily/shop is used to 100 %: 1.000000 USD of 1.000000 USD; it begins anew at 2026-11-21 00:00 UTC. Calls that it is for are refused");

        clock.Jump(TimeSpan.FromDays(1));
        Spend(600_000);
        await LookAsync();
        (await EventsAsync()).Count.ShouldBe(4);
    }

    [Fact]
    public async Task A_kill_after_the_event_was_written_does_not_tell_it_again()
    {
        await PolicyAsync(new JsonObject { ["name"] = "daily", ["period"] = "day", ["limit"] = "1.00" });
        Spend(600_000);
        await LookAsync();
        database.Database.Write((connection, transaction) => connection.Execute("UPDATE budget_thresholds SET told_at = NULL", transaction: transaction)).ShouldBe(1);
        await LookAsync();
        (await EventsAsync()).ShouldHaveSingleItem();
        database.Database.Write((connection, transaction) => connection.ExecuteScalar<int>("SELECT COUNT(*) FROM budget_thresholds WHERE told_at IS NULL", transaction: transaction)).ShouldBe(0);
    }

    [Fact]
    public async Task What_is_spent_stands_in_the_policys_status_until_its_period_ends_or_its_limit_grows()
    {
        JsonObject[] budgets =
        [
            new() { ["name"] = "daily", ["scope"] = "project/shop", ["period"] = "day", ["limit"] = "1.00", ["hard"] = true }, new() { ["name"] = "soft", ["period"] = "month", ["limit"] = "1.00" },
            new() { ["name"] = "each", ["scope"] = "namespace", ["period"] = "month", ["limit"] = "1.00", ["hard"] = true }, new() { ["name"] = "run", ["scope"] = "run", ["period"] = "total", ["limit"] = "1.00", ["hard"] = true },
            new() { ["name"] = "quick", ["unit"] = "requests", ["limit"] = "0", ["hard"] = true }, new() { ["name"] = "read", ["unit"] = "tokens", ["period"] = "week", ["limit"] = "1", ["hard"] = true },
        ];
        await PolicyAsync(budgets);
        await LookAsync();
        (await ExhaustedAsync()).ShouldBeEmpty();
        Spend(1_000_000);
        await LookAsync();
        (await ExhaustedAsync()).ShouldBe(["daily", "each/ci", "read", "soft"]);

        clock.Jump(TimeSpan.FromDays(1));
        await LookAsync();
        (await ExhaustedAsync()).ShouldBe(["each/ci", "read", "soft"]);

        budgets[1]["limit"] = "5.00";
        await PolicyAsync(budgets);
        await LookAsync();
        (await ExhaustedAsync()).ShouldBe(["each/ci", "read"]);

        clock.Jump(TimeSpan.FromDays(30));
        await LookAsync();
        (await ExhaustedAsync()).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(950_000, true)]
    [InlineData(500_000, false)]
    public async Task A_hard_budget_that_refuses_calls_is_spent_once_little_is_left(long spent, bool isSpent)
    {
        await PolicyAsync(new JsonObject { ["name"] = "daily", ["period"] = "day", ["limit"] = "1.00", ["hard"] = true });
        Spend(spent);
        await LookAsync();
        (await ExhaustedAsync()).ShouldBeEmpty();
        Store.Refused("daily", Attempts.Start.AddHours(-12), clock.GetUtcNow());
        await LookAsync();
        (await ExhaustedAsync()).ShouldBe(isSpent ? ["daily"] : []);
    }

    public async ValueTask InitializeAsync() => await cluster.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        await cluster.DisposeAsync();
        database.Dispose();
    }

    private void Spend(long micros) => new ModelCallStore(database.Database).Insert([Attempts.Of(++attempts, at: clock.GetUtcNow()) with { CostMicros = micros }]);

    private async Task LookAsync() => (await new BudgetTurn(cluster.Client, new OptimizerObjects(cluster.Client, NullLogger<OptimizerObjects>.Instance), Store, clock, NullLogger<BudgetTurn>.Instance).TakeAsync(Cancel)).ShouldBeTrue();

    private Task PolicyAsync(params JsonObject[] budgets) => cluster.Client.PatchAsync(
        Kinds.OptimizerPolicy, null, Names.PolicyName, PatchType.Apply,
        new JsonObject
        {
            ["apiVersion"] = Names.ApiVersion,
            ["kind"] = Kinds.OptimizerPolicy.Kind,
            ["metadata"] = new JsonObject { ["name"] = Names.PolicyName },
            ["spec"] = new JsonObject { ["budgets"] = new JsonArray([.. budgets.Select(one => one.DeepClone())]) },
        },
        Cancel, new WriteOptions { FieldManager = "test", Force = true });

    private async Task<IReadOnlyList<string>> ExhaustedAsync() => ObjectJson.Policy((await cluster.Client.GetAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, Cancel)).Json).Status.ExhaustedBudgets;

    private async Task<IReadOnlyList<string>> EventsAsync()
    {
        var policy = await cluster.Client.GetAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, Cancel);
        var events = new List<string>();
        await foreach (var one in cluster.Client.ListAsync(Kinds.Event, null, Cancel, new ListOptions { FieldSelector = $"involvedObject.uid={policy.Uid},involvedObject.name={Names.PolicyName}" }))
            events.Add(string.Join(' ', ((string[])["type", "reason", "message"]).Select(field => one.Json.GetProperty(field).GetString())));
        return events;
    }
}
