using Fabrik.Experiments;
using Fabrik.Gateway.Budgets;

namespace Fabrik.Tests.Gateway;

public sealed class BudgetTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 26, 12, 0, 0, TimeSpan.Zero);
    private static readonly ModelBudget Daily = new("daily", new BudgetScope(BudgetSubject.Project, "search"), BudgetPeriod.Day, 1_000_000, "USD", Hard: true);
    private static readonly BudgetCaller Caller = new("agents", "search", null, "memory-4gi", "treatment", "run-1");

    [Theory]
    [InlineData("cluster", "")]
    [InlineData(null, "")]
    [InlineData("project/search", "search")]
    [InlineData("project/other", null)]
    [InlineData("project", "search")]
    [InlineData("namespace/agents", "agents")]
    [InlineData("run", "run-1")]
    [InlineData("key", null)]
    [InlineData("change/memory-4gi", "memory-4gi")]
    [InlineData("change/memory-4gi/treatment", "memory-4gi/treatment")]
    [InlineData("change/memory-4gi/control", null)]
    public void A_budget_is_for_those_its_scope_names(string? scope, string? subject) => BudgetScope.Parse(scope)!.Of(Caller).ShouldBe(subject);

    [Theory]
    [InlineData("everything")]
    [InlineData("cluster/a")]
    [InlineData("project/")]
    [InlineData("0")]
    public void A_scope_that_nobody_knows_is_none(string scope) => BudgetScope.Parse(scope).ShouldBeNull();

    [Theory]
    [InlineData(BudgetPeriod.Day, "2026-11-26", "2026-11-27")]
    [InlineData(BudgetPeriod.Week, "2026-11-23", "2026-11-30")]
    [InlineData(BudgetPeriod.Month, "2026-11-01", "2026-12-01")]
    public void A_period_begins_and_ends_in_utc(BudgetPeriod period, string from, string until)
    {
        var (start, end) = BudgetPeriods.Now(period, Start);
        (start.ToString("yyyy-MM-dd", null), end.ToString("yyyy-MM-dd", null)).ShouldBe((from, until));
    }

    [Fact]
    public void A_policys_entry_that_cannot_be_used_is_none()
    {
        ModelBudget.Of(new Budget { Name = "a", Limit = "12.50", Hard = true }, "USD").ShouldBe(new ModelBudget("a", new BudgetScope(BudgetSubject.Cluster, null), BudgetPeriod.Month, 12_500_000, "USD", true));
        ModelBudget.Of(new Budget { Name = "a", Limit = "12.50", Currency = "EUR" }, "USD").ShouldBeNull();
        ModelBudget.Of(new Budget { Name = "a", Limit = "1", Period = "year" }, "USD").ShouldBeNull();
        ModelBudget.Of(new Budget { Name = "a" }, "USD").ShouldBeNull();
    }

    [Fact]
    public void A_call_that_may_cost_more_than_is_left_is_refused_with_the_budgets_name_and_what_is_left()
    {
        var (book, desk) = (new BudgetBook(), new LeaseDesk(Start.AddHours(-1)));
        Renew(book, desk, "a", 900_000);
        book.Reserve(Caller, 50_000, Start, out _, out var canAsk)!.LeftMicros.ShouldBeNull();
        canAsk.ShouldBeTrue();
        Renew(book, desk, "a", 900_000);
        book.Reserve(Caller, 50_000, Start, out var held, out _).ShouldBeNull();
        Renew(book, desk, "a", 900_000);
        book.Reserve(Caller, 60_000, Start, out _, out canAsk);
        Renew(book, desk, "a", 900_000);
        var refusal = book.Reserve(Caller, 60_000, Start, out _, out canAsk).ShouldNotBeNull();
        (refusal.Budget.Name, refusal.LeftMicros, refusal.ResetsAt).ShouldBe(("daily", 50_000, new DateTimeOffset(2026, 11, 27, 0, 0, 0, TimeSpan.Zero)));
        book.Spend(held!, 10_000);
        book.Release(held!);
        Renew(book, desk, "a", 900_000);
        book.Reserve(Caller, 60_000, Start, out _, out _).ShouldBeNull();
    }

    [Fact]
    public void A_desk_that_has_just_begun_gives_nothing_before_what_it_may_have_given_has_run_out()
    {
        var (book, desk) = (new BudgetBook(), new LeaseDesk(Start));
        Renew(book, desk, "a", 0);
        book.Reserve(Caller, 10, Start, out _, out _).ShouldNotBeNull();
        Renew(book, desk, "a", 0, Start.AddSeconds(59));
        book.Reserve(Caller, 10, Start.AddSeconds(59), out _, out _).ShouldNotBeNull();
        Renew(book, desk, "a", 0, Start.AddSeconds(60));
        book.Reserve(Caller, 10, Start.AddSeconds(60), out _, out _).ShouldBeNull();
    }

    [Fact]
    public void A_soft_budget_refuses_nobody()
    {
        var (book, desk) = (new BudgetBook(), new LeaseDesk(Start.AddHours(-1)));
        book.Take(desk.Answer(book.Ask("a", Start), [Daily with { Hard = false }], (_, _, _) => 2_000_000, Start));
        book.Reserve(Caller, 10_000_000, Start, out var reservation, out _).ShouldBeNull();
        book.Spend(reservation!, 10_000_000);
        book.Uses().ShouldHaveSingleItem().Used.ShouldBe(10_000_000);
    }

    /// <summary>Two gateways, calls that end late, a ledger that hears late, leases that are asked for at any time, and one gateway that is gone for a while.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void However_calls_settlements_and_leases_fall_together_no_more_is_spent_than_the_limit(int seed)
    {
        var random = new Random(seed);
        var desk = new LeaseDesk(Start.AddHours(-1));
        var books = new[] { new BudgetBook(), new BudgetBook() };
        foreach (var book in books) Renew(book, desk, "any", 0); // no call is made before it is known which budgets there are
        var asked = new (LeaseRequest Request, LeaseAnswer Answer)?[2];
        var open = new List<(int Book, Reservation Held, long Cost)>();
        var unheard = new List<(int Book, long Cost)>();
        var (ledger, spent, now, refused) = (0L, 0L, Start, 0);
        for (var step = 0; step < 20_000; step++)
        {
            now += TimeSpan.FromMilliseconds(random.Next(50));
            var which = random.Next(2);
            var book = books[which];
            switch (random.Next(6))
            {
                case 0 or 1:
                    var most = random.Next(1, 5_000);
                    if (book.Reserve(Caller, most, now, out var held, out _) is null) open.Add((which, held!, random.Next(most + 1)));
                    else refused++;
                    break;
                case 2 when open.Count > 0:
                    var ended = open[random.Next(open.Count)];
                    open.Remove(ended);
                    books[ended.Book].Spend(ended.Held, ended.Cost);
                    books[ended.Book].Release(ended.Held);
                    unheard.Add((ended.Book, ended.Cost));
                    spent += ended.Cost;
                    break;
                case 3 when unheard.Count > 0:
                    var heard = unheard[0];
                    unheard.RemoveAt(0);
                    ledger += heard.Cost; // the ledger knows before the gateway knows that it does
                    books[heard.Book].Acknowledge(Caller, heard.Cost);
                    break;
                case 4 when asked[which] is null && !(which == 1 && step is > 8_000 and < 12_000):
                    var request = book.Ask($"gateway-{which}", now);
                    asked[which] = (request, desk.Answer(request, [Daily], (_, _, _) => ledger, now));
                    break;
                case 5 when asked[which] is { } answer:
                    book.Take(answer.Answer);
                    asked[which] = null;
                    break;
            }

            spent.ShouldBeLessThanOrEqualTo(Daily.LimitMicros);
        }

        refused.ShouldBeGreaterThan(0);
        spent.ShouldBeGreaterThan(Daily.LimitMicros * 9 / 10);
    }

    private static void Renew(BudgetBook book, LeaseDesk desk, string replica, long ledger, DateTimeOffset? now = null) => book.Take(desk.Answer(book.Ask(replica, now ?? Start), [Daily], (_, _, _) => ledger, now ?? Start));
}
