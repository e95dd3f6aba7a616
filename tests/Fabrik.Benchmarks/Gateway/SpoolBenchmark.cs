using Fabrik.Gateway;
using Fabrik.Proxy.Spool;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Benchmarks.Gateway;

/// <summary>The gateway's spool under 20,000 attempts a second, each an intent and a settlement, while all of them are read and let go as the sender does: how long a call waits for it.</summary>
internal static class SpoolBenchmark
{
    private const int Rate = 20_000;
    private const int Seconds = 10;

    public static Task<int> RunAsync(string[] args)
    {
        var home = Directory.CreateTempSubdirectory("fabrik-spool-bench-").FullName;
        try
        {
            using var spool = new UsageSpool(home, TimeProvider.System, NullLogger<UsageSpool>.Instance);
            var waits = new List<double>(Rate * Seconds);
            var (batch, sent) = (new SpoolBatch(), 0);
            Paced(spool, 2, null);
            var took = Paced(spool, Seconds, waits);
            for (var end = spool.Next(batch, 500, 512 << 10); batch.Count > 0; end = spool.Next(batch, 500, 512 << 10))
            {
                sent += batch.Count;
                spool.Sent(end);
            }

            waits.Sort();
            Console.WriteLine($"{waits.Count / took:0} attempts a second for {took:0.0} s, {sent} read again");
            Console.WriteLine($"intent and settlement, us: median {At(0.5):0.0}, 99 of 100 {At(0.99):0.0}, 999 of 1,000 {At(0.999):0.0}, longest {waits[^1]:0}");
            return Task.FromResult(0);

            double At(double part) => waits[(int)(waits.Count * part)];
        }
        finally
        {
            Directory.Delete(home, recursive: true);
        }
    }

    /// <returns>Seconds that it took.</returns>
    private static double Paced(UsageSpool spool, int seconds, List<double>? waits)
    {
        var began = TimeProvider.System.GetTimestamp();
        for (var number = 0; number < Rate * seconds; number++)
        {
            while (TimeProvider.System.GetElapsedTime(began).TotalSeconds < number / (double)Rate) Thread.SpinWait(20);
            var row = Row(number);
            var begin = TimeProvider.System.GetTimestamp();
            var ticket = spool.Intend(row) ?? throw new InvalidOperationException("the spool is full");
            row.Outcome = AttemptOutcome.Completed;
            spool.Settle(ticket, row);
            waits?.Add(TimeProvider.System.GetElapsedTime(begin).TotalMicroseconds);
        }

        return TimeProvider.System.GetElapsedTime(began).TotalSeconds;
    }

    private static UsageEvent Row(int number) => new()
    {
        Id = $"019ac2c0-0000-7000-8000-{number:D12}",
        OperationId = $"019ac2c0-0000-7000-9000-{number:D12}",
        StartedAt = DateTimeOffset.UnixEpoch,
        RunId = "benchmarkrunidbenchmarkrun",
        Namespace = "agents",
        Project = "search",
        Operation = Operation.Chat,
        Provider = "openai",
        ProviderKey = "bench",
        RequestedModel = "gpt-4o-mini",
        SentModel = "gpt-4o-mini",
        Tokens = new TokenCounts(25, 0, 0, 0, 64, 0, 0),
        Currency = "USD",
        PriceVersion = "2026-11-20",
        Outcome = AttemptOutcome.Lost,
    };
}
