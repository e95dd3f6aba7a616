using Fabrik.Experiments;
using Fabrik.Gateway.Budgets;

namespace Fabrik.Tests.Gateway;

public sealed class BudgetTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 26, 12, 0, 0, TimeSpan.Zero);
    private static readonly ModelBudget Daily = new("daily", new BudgetScope(BudgetSubject.Project, "search"), BudgetPeriod.Day, 1_000_000, "USD", Hard: true);
    private static readonly ModelBudget Requests = new("calls", new BudgetScope(BudgetSubject.Project, "search"), BudgetPeriod.Minute, 100, "USD", Hard: true, BudgetUnit.Requests);
    private static readonly ModelBudget Tokens = Requests with { Name = "tokens", Limit = 100_000, Unit = BudgetUnit.Tokens };
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
    public void What_is_counted_says_how_a_limit_is_read()
    {
        ModelBudget.Of(new Budget { Name = "a", Limit = "600", Unit = BudgetUnit.Requests, Hard = true }, "USD").ShouldBe(new ModelBudget("a", new BudgetScope(BudgetSubject.Cluster, null), BudgetPeriod.Minute, 600, "USD", true, BudgetUnit.Requests));
        ModelBudget.Of(new Budget { Name = "a", Limit = "600", Unit = BudgetUnit.Tokens, Period = "day" }, "USD")!.Period.ShouldBe(BudgetPeriod.Day);
        ModelBudget.Of(new Budget { Name = "a", Limit = "600", Unit = BudgetUnit.Requests, Period = "day" }, "USD").ShouldBeNull();
        ModelBudget.Of(new Budget { Name = "a", Limit = "0.5", Unit = BudgetUnit.Tokens }, "USD").ShouldBeNull();
    }

    [Fact]
    public void A_call_that_may_cost_more_than_is_left_is_refused_with_the_budgets_name_and_what_is_left()
    {
        var gateway = new Gateway(Daily, ledger: 900_000);
        gateway.Renew();
        gateway.Book.Reserve(Caller, Micros(50_000), out _, out var canAsk)!.Left.ShouldBeNull();
        canAsk.ShouldBeTrue();
        gateway.Renew();
        gateway.Book.Reserve(Caller, Micros(50_000), out var held, out _).ShouldBeNull();
        var refusal = gateway.Book.Reserve(Caller, Micros(60_000), out _, out canAsk).ShouldNotBeNull();
        canAsk.ShouldBeFalse("50,000 are left, whatever the API says");
        (refusal.Budget.Name, refusal.Left, refusal.ResetsAt, refusal.RetryAfter, refusal.IsNever).ShouldBe(("daily", 50_000, new DateTimeOffset(2026, 11, 27, 0, 0, 0, TimeSpan.Zero), null, false));
        gateway.Book.Spend(held!, Micros(10_000));
        gateway.Book.Release(held!);
        gateway.Renew();
        gateway.Book.Reserve(Caller, Micros(60_000), out _, out _).ShouldBeNull();
    }

    [Fact]
    public void A_desk_that_has_just_begun_gives_nothing_before_what_it_may_have_given_has_run_out()
    {
        foreach (var (budget, seconds) in ((ModelBudget, int)[])[(Daily, 60), (Tokens, 120)])
        {
            var gateway = new Gateway(budget) { Desk = new LeaseDesk(Start) };
            gateway.Renew();
            Refused(0).ShouldBeTrue();
            Refused(seconds - 1).ShouldBeTrue();
            Refused(seconds).ShouldBeFalse();

            bool Refused(int second)
            {
                gateway.Clock.Jump(Start.AddSeconds(second) - gateway.Clock.GetUtcNow());
                gateway.Book.Reserve(Caller, new Charge(10, 10), out _, out _);
                gateway.Renew();
                if (gateway.Book.Reserve(Caller, new Charge(10, 10), out _, out _) is not { } refusal) return false;
                (refusal.IsAtOthers, refusal.RetryAfter).ShouldBe((true, TimeSpan.FromSeconds(1)));
                return true;
            }
        }
    }

    [Fact]
    public void A_desk_that_has_just_begun_leaves_a_gateway_what_it_had()
    {
        var gateway = new Gateway(Requests);
        gateway.Renew();
        gateway.Book.Reserve(Caller, default, out _, out _);
        gateway.Renew(); // a quarter of the limit
        gateway.Desk = new LeaseDesk(gateway.Clock.GetUtcNow());
        var served = 0;
        for (var call = 0; call < 40; call++)
        {
            gateway.Renew();
            if (gateway.Book.Reserve(Caller, default, out _, out _) is null) served++;
        }

        served.ShouldBe(25);
    }

    [Fact]
    public void A_soft_budget_refuses_nobody()
    {
        var gateway = new Gateway(Daily with { Hard = false }, ledger: 2_000_000);
        gateway.Renew();
        gateway.Book.Reserve(Caller, Micros(10_000_000), out var reservation, out _).ShouldBeNull();
        gateway.Book.Spend(reservation!, Micros(10_000_000));
        gateway.Book.Uses().ShouldHaveSingleItem().Used.ShouldBe(10_000_000);
    }

    [Fact]
    public void A_limit_of_requests_lets_through_so_many_in_any_minute_and_says_when_there_is_room_again()
    {
        var gateway = new Gateway(Requests);
        gateway.Renew();
        gateway.Take(60, new Charge(0, 0)).ShouldBe(60);
        gateway.Clock.Jump(TimeSpan.FromSeconds(30));
        gateway.Take(60, new Charge(0, 0)).ShouldBe(40);
        gateway.Clock.Jump(TimeSpan.FromSeconds(10.5));
        gateway.Renew();
        var refusal = gateway.Book.Reserve(Caller, default, out _, out var canAsk).ShouldNotBeNull();
        canAsk.ShouldBeFalse();
        (refusal.Left, refusal.ResetsAt, refusal.RetryAfter).ShouldBe((0, null, TimeSpan.FromSeconds(19.6)));
        gateway.Clock.Jump(TimeSpan.FromSeconds(19.5));
        gateway.Take(1, default).ShouldBe(0);
        gateway.Clock.Jump(TimeSpan.FromSeconds(0.1));
        gateway.Take(100, default).ShouldBe(60);
    }

    [Fact]
    public void Tokens_count_as_what_they_may_be_until_they_are_known_and_then_for_a_minute()
    {
        var gateway = new Gateway(Tokens);
        gateway.Renew();
        gateway.Hold(new Charge(0, 90_000)).ShouldNotBeNull();
        var held = gateway.Held!;
        gateway.Clock.Jump(TimeSpan.FromMinutes(5));
        gateway.Renew();
        gateway.Take(1, new Charge(0, 20_000)).ShouldBe(0, "the stream is still open, however long");
        gateway.Book.Spend(held, new Charge(0, 30_000));
        gateway.Book.Release(held);
        gateway.Take(1, new Charge(0, 80_000)).ShouldBe(0);
        gateway.Take(1, new Charge(0, 60_000)).ShouldBe(1);
        gateway.Book.Reserve(Caller, new Charge(0, 200_000), out _, out _)!.IsNever.ShouldBeTrue();
        gateway.Clock.Jump(TimeSpan.FromSeconds(61));
        gateway.Take(1, new Charge(0, 40_000)).ShouldBe(1, "60,000 are held, 30,000 have left");
    }

    [Fact]
    public void What_a_killed_gateway_used_within_the_minute_counts_for_the_one_after_it()
    {
        var first = new Gateway(Requests);
        first.Renew();
        first.Take(80, default).ShouldBe(80);
        var second = new Gateway(Requests) { Desk = first.Desk, Clock = first.Clock, Book = new BudgetBook(first.Clock) };
        second.Renew();
        second.Take(100, default).ShouldBeLessThanOrEqualTo(20);
        first.Clock.Jump(TimeSpan.FromSeconds(62));
        second.Take(100, default).ShouldBe(100, "it cannot have used anything since");
    }

    [Fact]
    public void A_gateway_that_ends_gives_back_what_it_does_not_use()
    {
        var first = new Gateway(Requests);
        first.Renew();
        first.Take(3, default).ShouldBe(3);
        first.Desk.Answer(first.Book.Ask("a", last: true), [Requests], (_, _, _) => 0, first.Clock.GetUtcNow());
        var other = new Gateway(Requests, replica: "b") { Desk = first.Desk, Clock = first.Clock, Book = new BudgetBook(first.Clock) };
        other.Renew();
        other.Take(100, default).ShouldBe(97);
    }

    [Fact]
    public void What_a_call_wants_while_an_answer_is_under_way_is_asked_for_next_and_what_it_gets_is_not_given_back_first()
    {
        var gateway = new Gateway(Requests with { Limit = 3 });
        gateway.Renew();
        gateway.Book.Reserve(Caller, default, out _, out _);
        gateway.Renew();
        gateway.Book.Reserve(Caller, default, out _, out _).ShouldBeNull(); // one of three; nothing more in advance
        var under = gateway.Book.Ask("a");
        gateway.Book.Reserve(Caller, default, out _, out var canAsk).ShouldNotBeNull();
        canAsk.ShouldBeTrue();
        gateway.Book.Take(gateway.Desk.Answer(under, [Requests with { Limit = 3 }], (_, _, _) => 0, gateway.Clock.GetUtcNow()));
        gateway.Renew();
        gateway.Renew(); // once more before the call has gone on
        gateway.Book.Reserve(Caller, default, out _, out _).ShouldBeNull();
    }

    [Fact]
    public void A_request_that_comes_late_does_not_make_the_desk_forget_what_it_gave()
    {
        var gateway = new Gateway(Requests);
        gateway.Renew();
        gateway.Book.Reserve(Caller, default, out _, out _);
        var late = gateway.Book.Ask("a");
        gateway.Take(50, default).ShouldBe(50);
        gateway.Desk.Answer(late, [Requests], (_, _, _) => 0, gateway.Clock.GetUtcNow()).Leases.ShouldBeEmpty();
        gateway.Desk.Holdings(Requests, gateway.Clock.GetUtcNow())["calls/search"].Leased.ShouldBeGreaterThanOrEqualTo(50);
    }

    [Fact]
    public void A_gateway_that_came_first_comes_down_to_its_share_while_others_lack()
    {
        var first = new Gateway(Requests);
        var second = new Gateway(Requests, replica: "b") { Desk = first.Desk, Clock = first.Clock, Book = new BudgetBook(first.Clock) };
        first.Renew();
        second.Renew();
        var served = new int[2];
        for (var passed = 0; passed < 300; passed++)
        {
            served[0] += first.Take(5, default);
            if (passed > 90) served[1] += second.Take(5, default);
            if (passed == 180) (served[0], served[1]) = (0, 0);
            first.Clock.Jump(TimeSpan.FromSeconds(1));
            first.Renew();
            second.Renew();
        }

        served[1].ShouldBeGreaterThan(served[0] * 7 / 10, $"{served[0]} and {served[1]}");
        (served[0] + served[1]).ShouldBeGreaterThan(150, "two minutes of a hundred each");
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
        var clock = new TestClock(Start);
        var desk = new LeaseDesk(Start.AddHours(-1));
        var books = new[] { new BudgetBook(clock), new BudgetBook(clock) };
        foreach (var book in books) book.Take(desk.Answer(book.Ask("any"), [Daily], (_, _, _) => 0, Start)); // no call is made before it is known which budgets there are
        var asked = new LeaseAnswer?[2];
        var open = new List<(int Book, Reservation Held, long Cost)>();
        var unheard = new List<(int Book, long Cost)>();
        var (ledger, spent, refused) = (0L, 0L, 0);
        for (var step = 0; step < 20_000; step++)
        {
            clock.Jump(TimeSpan.FromMilliseconds(random.Next(50)));
            var which = random.Next(2);
            var book = books[which];
            switch (random.Next(6))
            {
                case 0 or 1:
                    var most = random.Next(1, 5_000);
                    if (book.Reserve(Caller, Micros(most), out var held, out _) is null) open.Add((which, held!, random.Next(most + 1)));
                    else refused++;
                    break;
                case 2 when open.Count > 0:
                    var ended = open[random.Next(open.Count)];
                    open.Remove(ended);
                    books[ended.Book].Spend(ended.Held, Micros(ended.Cost));
                    books[ended.Book].Release(ended.Held);
                    unheard.Add((ended.Book, ended.Cost));
                    spent += ended.Cost;
                    break;
                case 3 when unheard.Count > 0:
                    var heard = unheard[0];
                    unheard.RemoveAt(0);
                    ledger += heard.Cost; // the ledger knows before the gateway knows that it does
                    books[heard.Book].Acknowledge(Caller, Micros(heard.Cost));
                    break;
                case 4 when asked[which] is null && !(which == 1 && step is > 8_000 and < 12_000):
                    asked[which] = desk.Answer(book.Ask($"gateway-{which}"), [Daily], (_, _, _) => ledger, clock.GetUtcNow());
                    break;
                case 5 when asked[which] is { } answer:
                    book.Take(answer);
                    asked[which] = null;
                    break;
            }

            spent.ShouldBeLessThanOrEqualTo(Daily.Limit);
        }

        refused.ShouldBeGreaterThan(0);
        spent.ShouldBeGreaterThan(Daily.Limit * 9 / 10);
    }

    /// <summary>As before, in any sixty seconds: gateways that are killed and start again, answers that are lost, a desk that begins anew.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void However_gateways_and_desk_fall_and_rise_no_minute_has_more_than_its_limits(int seed)
    {
        var random = new Random(seed);
        var clock = new TestClock(Start);
        var desk = new LeaseDesk(Start.AddHours(-1));
        ModelBudget[] budgets = [Requests, Tokens];
        var books = Enumerable.Range(0, 3).Select(_ => new BudgetBook(clock)).ToArray();
        foreach (var book in books) book.Take(desk.Answer(book.Ask("any"), budgets, (_, _, _) => 0, Start));
        var asked = new LeaseRequest?[3];
        var open = new List<(BudgetBook Book, Reservation Held, long Tokens)>();
        var (made, used) = (new Queue<(DateTimeOffset At, long)>(), new Queue<(DateTimeOffset At, long Tokens)>());
        var (refused, served, most) = (0, 0, 0L);
        for (var step = 0; step < 30_000; step++)
        {
            clock.Jump(TimeSpan.FromMilliseconds(random.Next(60)));
            var now = clock.GetUtcNow();
            var which = random.Next(3);
            switch (random.Next(100))
            {
                case < 30:
                    var tokens = random.Next(1, 4_000);
                    if (books[which].Reserve(Caller, new Charge(0, tokens), out var held, out _) is null)
                    {
                        open.Add((books[which], held!, random.Next(tokens + 1)));
                        made.Enqueue((now, 1));
                        served++;
                    }
                    else refused++;
                    break;
                case < 55 when open.Count > 0:
                    var ended = open[random.Next(open.Count)];
                    open.Remove(ended);
                    ended.Book.Spend(ended.Held, new Charge(0, ended.Tokens));
                    ended.Book.Release(ended.Held);
                    used.Enqueue((now, ended.Tokens));
                    break;
                case < 75:
                    asked[which] = books[which].Ask($"gateway-{which}");
                    break;
                case < 97 when asked[which] is { } request:
                    var answer = desk.Answer(request, budgets, (_, _, _) => 0, now);
                    if (random.Next(20) > 0) books[which].Take(answer); // else it is lost, or comes too late
                    asked[which] = null;
                    break;
                case 98 when random.Next(60) == 0:
                    foreach (var (_, _, lost) in open.Where(one => one.Book == books[which])) used.Enqueue((now, lost)); // what the provider did all the same
                    open.RemoveAll(one => one.Book == books[which]);
                    books[which] = new BudgetBook(clock);
                    books[which].Take(new LeaseAnswer(budgets, []));
                    asked[which] = null;
                    break;
                case 99 when random.Next(200) == 0:
                    desk = new LeaseDesk(now);
                    break;
            }

            while (made.Count > 0 && now - made.Peek().At >= TimeSpan.FromMinutes(1)) made.Dequeue();
            while (used.Count > 0 && now - used.Peek().At >= TimeSpan.FromMinutes(1)) used.Dequeue();
            made.Count.ShouldBeLessThanOrEqualTo((int)Requests.Limit);
            most = Math.Max(most, used.Sum(one => one.Tokens));
            most.ShouldBeLessThanOrEqualTo(Tokens.Limit);
        }

        refused.ShouldBeGreaterThan(100);
        served.ShouldBeGreaterThan(400, "15 minutes of a hundred, less what is not known after restarts");
    }

    private static Charge Micros(long micros) => new(micros, 0);

    /// <summary>A book and the desk that it asks, as its keeper does.</summary>
    private sealed class Gateway(ModelBudget budget, long ledger = 0, string replica = "a")
    {
        public TestClock Clock { get; init; } = new(Start);
        public LeaseDesk Desk { get; set; } = new(Start.AddHours(-1));
        public BudgetBook Book { get => field ??= new BudgetBook(Clock); init; }
        public Reservation? Held { get; private set; }

        public void Renew() => Book.Take(Desk.Answer(Book.Ask(replica), [budget], (_, _, _) => ledger, Clock.GetUtcNow()));

        public Reservation? Hold(Charge most) => Held = Take(most);

        /// <returns>How many of so many calls were let through.</returns>
        public int Take(int calls, Charge most) => Enumerable.Range(0, calls).Count(_ => Take(most) is not null);

        private Reservation? Take(Charge most)
        {
            for (var round = 0; round < 6; round++)
            {
                if (Book.Reserve(Caller, most, out var held, out var canAsk) is null) return held;
                if (!canAsk) return null;
                Renew();
            }

            return null;
        }
    }
}
