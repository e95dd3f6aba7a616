using System.Text.Json;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Proxy.Spool;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Tests.Proxy;

public sealed class SpoolTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("fabrik-spool-").FullName;
    private readonly TestClock clock = new(new DateTimeOffset(2026, 11, 26, 12, 0, 0, TimeSpan.Zero));

    [Fact]
    public void What_is_settled_is_given_out_once_and_again_by_the_next_process_unless_it_was_sent()
    {
        using (var spool = Open())
        {
            foreach (var number in Enumerable.Range(1, 5)) spool.Settle(spool.Intend(Event(number))!, Settled(number));
            Ids(Next(spool, 3, out var first)).ShouldBe(["1", "2", "3"]);
            spool.Sent(first);
            Ids(Next(spool, 10, out var rest)).ShouldBe(["4", "5"]);
            spool.Sent(rest);
            Next(spool, 10, out _).ShouldBeEmpty();
        }

        using var next = Open();
        next.Recovered.ShouldBe(0);
        Ids(Next(next, 10, out _)).ShouldBe(["1", "2", "3", "4", "5"]);
    }

    [Fact]
    public void What_a_killed_process_left_open_is_settled_as_its_intent_says()
    {
        var killed = Open();
        killed.Settle(killed.Intend(Event(1))!, Settled(1));
        killed.Intend(Event(2)).ShouldNotBeNull();
        Copy(directory, directory + "-after");

        using var next = new UsageSpool(directory + "-after", clock, NullLogger<UsageSpool>.Instance, 1 << 16);
        next.Recovered.ShouldBe(1);
        var rows = Next(next, 10, out _);
        rows.Select(row => (row.Id, row.Outcome, row.Estimated)).ShouldBe([("1", AttemptOutcome.Completed, false), ("2", AttemptOutcome.Lost, true)]);
        killed.Dispose();
        Directory.Delete(directory + "-after", recursive: true);
    }

    [Fact]
    public void A_record_that_was_cut_off_is_not_read_and_what_came_before_is()
    {
        using (var spool = Open())
        {
            spool.Settle(spool.Intend(Event(1))!, Settled(1));
            spool.Settle(spool.Intend(Event(2))!, Settled(2));
        }

        var path = Directory.GetFiles(directory, "*.spool").Single();
        var bytes = File.ReadAllBytes(path);
        var last = bytes.AsSpan().LastIndexOfAnyExcept((byte)0);
        bytes[last] ^= 1;
        File.WriteAllBytes(path, bytes);
        using var next = Open();
        next.Recovered.ShouldBe(1);
        Ids(Next(next, 10, out _)).ShouldBe(["1", "2"]);
    }

    [Fact]
    public void A_full_spool_takes_no_intent_but_every_settlement_and_goes_on_once_it_is_sent()
    {
        using var spool = Open(mostBytes: 2 << 16);
        var open = new List<(SpoolTicket Ticket, int Number)>();
        for (var number = 1; spool.Intend(Event(number)) is { } ticket; number++) open.Add((ticket, number));
        open.Count.ShouldBeGreaterThan(50);
        foreach (var (ticket, number) in open) spool.Settle(ticket, Settled(number));
        var ids = new HashSet<string>();
        Wait(() =>
        {
            clock.Advance(UsageSpool.FlushEvery);
            var some = Next(spool, 10, out var end);
            ids.UnionWith(Ids(some));
            spool.Sent(end);
            return ids.Count == open.Count;
        });
        spool.Intend(Event(9999)).ShouldNotBeNull();
    }

    [Fact]
    public void Segments_go_once_all_in_them_is_settled_and_sent()
    {
        using var spool = Open();
        var open = spool.Intend(Event(1))!;
        for (var number = 2; spool.Segments < 5; number++) spool.Settle(spool.Intend(Event(number))!, Settled(number));
        while (Next(spool, 1000, out var end).Count > 0) spool.Sent(end);
        spool.Segments.ShouldBe(5);
        spool.Settle(open, Settled(1));
        Ids(Next(spool, 10, out var last)).ShouldBe(["1"]);
        spool.Sent(last);
        spool.Segments.ShouldBe(1);
    }

    [Fact]
    public void Any_part_of_a_batch_is_an_array_of_its_own()
    {
        using var spool = Open();
        foreach (var number in Enumerable.Range(1, 300)) spool.Settle(spool.Intend(Event(number))!, Settled(number));
        var batch = new SpoolBatch();
        spool.Next(batch, 1000, int.MaxValue);
        batch.Count.ShouldBe(300);
        Ids(JsonSerializer.Deserialize(batch.Part(100, 2).Span, GatewayJson.Default.ListUsageEvent)!).ShouldBe(["101", "102"]);
        Ids(JsonSerializer.Deserialize(batch.Part(299, 1).Span, GatewayJson.Default.ListUsageEvent)!).ShouldBe(["300"]);
        JsonSerializer.Deserialize(batch[41].Span, GatewayJson.Default.UsageEvent)!.Id.ShouldBe("42");
        Ids(JsonSerializer.Deserialize(batch.Whole().Span, GatewayJson.Default.ListUsageEvent)!).Count().ShouldBe(300);
    }

    [Fact]
    public void Whom_an_event_is_charged_to_is_read_from_its_beginning()
    {
        var row = Settled(1) with { RunId = "r", Namespace = "n", Project = "p", Arm = "treatment", Change = "c", CostMicros = 42, Tokens = new TokenCounts(1, 2, 3, 4, 5, 6, 7), Error = "x" };
        BudgetCaller.Read(JsonSerializer.SerializeToUtf8Bytes(row, GatewayJson.Default.UsageEvent), out var charge).ShouldBe(BudgetCaller.Of(row));
        charge.ShouldBe(new Charge(42, 15));
        var key = Settled(1) with { KeyId = "k" };
        BudgetCaller.Read(JsonSerializer.SerializeToUtf8Bytes(key, GatewayJson.Default.UsageEvent), out charge).ShouldBe(BudgetCaller.Of(key));
        charge.ShouldBe(Charge.Of(key));
    }

    [Fact]
    public void Two_processes_never_share_a_spool()
    {
        using var spool = Open();
        Should.Throw<IOException>(() => Open());
    }

    public void Dispose() => Directory.Delete(directory, recursive: true);

    private UsageSpool Open(long mostBytes = 1 << 30) => new(directory, clock, NullLogger<UsageSpool>.Instance, 1 << 16, mostBytes);

    private static void Wait(Func<bool> done)
    {
        for (var turn = 0; !done(); turn++) turn.ShouldBeLessThan(10_000);
    }

    private static List<UsageEvent> Next(UsageSpool spool, int most, out SpoolPlace end)
    {
        var batch = new SpoolBatch();
        end = spool.Next(batch, most, int.MaxValue);
        return batch.Count == 0 ? [] : JsonSerializer.Deserialize(batch.Whole().Span, GatewayJson.Default.ListUsageEvent)!;
    }

    private static IEnumerable<string> Ids(IEnumerable<UsageEvent> events) => events.Select(one => one.Id);

    private static UsageEvent Event(int number) => new()
    {
        Id = number.ToString(System.Globalization.CultureInfo.InvariantCulture),
        OperationId = "o",
        StartedAt = DateTimeOffset.UnixEpoch,
        Operation = Operation.Chat,
        Provider = "first",
        RequestedModel = "m",
        SentModel = "m",
        Currency = "USD",
        PriceVersion = "1",
        Outcome = AttemptOutcome.Lost,
        Estimated = true,
    };

    private static UsageEvent Settled(int number) => Event(number) with { Outcome = AttemptOutcome.Completed, Estimated = false };

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var path in Directory.GetFiles(from, "*.spool"))
        {
            using var source = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var target = File.Create(Path.Combine(to, Path.GetFileName(path)));
            source.CopyTo(target);
        }
    }
}
