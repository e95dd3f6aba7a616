using Dapper;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Storage;

namespace Fabrik.Benchmarks.Gateway;

/// <summary>
/// A month of a million attempts at models: what taking them in costs, what an answer about leases costs, and totals of the month; each beside the
/// same read from the attempts themselves.
/// </summary>
internal static class BudgetBenchmark
{
    private const int Attempts = 1_000_000;
    private const int Batch = 500;
    private const int Days = 30;

    /// <summary>Of a run; each belongs to one of so many projects.</summary>
    private const int CallsOfRun = 20;
    private const int Projects = 40;
    private const int Models = 5;
    private const double MostMilliseconds = 20;
    private static readonly DateTimeOffset Start = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);

    public static Task<int> RunAsync(string[] args)
    {
        var directory = Directory.CreateTempSubdirectory("fabrik-budgets-");
        try
        {
            return Task.FromResult(Measure(directory.FullName, TimeProvider.System));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static int Measure(string directory, TimeProvider clock)
    {
        using var database = Database.Open(directory, clock);
        var (calls, store) = (new ModelCallStore(database), new BudgetStore(database));
        var began = clock.GetTimestamp();
        foreach (var batch in Enumerable.Range(0, Attempts).Chunk(Batch)) calls.Insert([.. batch.Select(Attempt)]);
        var took = clock.GetElapsedTime(began);
        Console.WriteLine($"{Attempts:N0} attempts taken in, in batches of {Batch} that each wait for the disk: {took.TotalSeconds:0.0} s, {Attempts / took.TotalSeconds:N0} a second, {new FileInfo(database.Path).Length / 1e6:0} MB");

        ModelBudget[] budgets = [Budget("all", "cluster"), Budget("each", "project"), Budget("ns", "namespace/agents"), Budget("any-run", "run") with { Period = BudgetPeriod.Total }];
        var request = new LeaseRequest("gateway", "1", 1, [.. Wishes()]);
        var now = Start.AddDays(Days).AddMinutes(-1);
        var (desk, asked) = (new LeaseDesk(DateTimeOffset.MinValue), 0L);
        var after = Times(clock, 50, () => desk.Answer(request with { Number = ++asked }, budgets, store.Spent, now));
        var before = Times(clock, 3, () => desk.Answer(request with { Number = ++asked }, budgets, (budget, subject, since) => Scan(database, budget, subject, since), now));
        Console.WriteLine($"answer about {request.Wishes.Count} leases: {after:0.0} ms at the median (target: at most {MostMilliseconds:0} ms); from the attempts {before:N0} ms");

        var query = new CallQuery { Since = Start.AddMinutes(7), Until = now, By = CallGrouping.Project };
        Console.WriteLine($"totals of the month by project: {Times(clock, 20, () => calls.Totals(query)):0.0} ms, by run {Times(clock, 5, () => calls.Totals(query with { By = CallGrouping.Run })):0.0} ms; from the attempts by project {Times(clock, 3, () => ScanTotals(database, query)):N0} ms");
        Console.WriteLine($"how 4 budgets stand: {Times(clock, 20, () => store.States(budgets, 0.5, 1000, now)):0.0} ms");
        return after <= MostMilliseconds ? 0 : 1;
    }

    /// <summary>Of the month of all, ten projects, one namespace, and a hundred runs.</summary>
    private static IEnumerable<LeaseWish> Wishes()
    {
        string[] accounts = ["all", "ns/agents", .. Enumerable.Range(0, 10).Select(number => $"each/p{number}"), .. Enumerable.Range(0, 100).Select(number => $"any-run/{Run((Attempts / CallsOfRun) - 1 - number)}")];
        return accounts.Select(account => new LeaseWish(account, 1000, 500, 0, 100, false));
    }

    private static ModelBudget Budget(string name, string scope) => new(name, BudgetScope.Parse(scope)!, BudgetPeriod.Month, 1L << 50, "USD", true);

    private static UsageEvent Attempt(int number) => new()
    {
        Id = Id(1, number),
        OperationId = Id(2, number),
        StartedAt = Start.AddMilliseconds((double)number / Attempts * TimeSpan.FromDays(Days).TotalMilliseconds),
        RunId = Run(number / CallsOfRun),
        Namespace = "agents",
        Project = $"p{number / CallsOfRun % Projects}",
        Operation = Operation.Chat,
        Provider = "openai",
        ProviderKey = "first",
        RequestedModel = "fast",
        SentModel = $"model-{number % Models}",
        ServedModel = $"model-{number % Models}-2026-03-01",
        Tokens = new TokenCounts(900, 400, 0, 0, 200, 50, 0),
        CostMicros = 1500,
        Currency = "USD",
        PriceVersion = "2026-11",
        LatencyMs = 812.5,
        FirstByteMs = 200,
        Outcome = AttemptOutcome.Completed,
        Status = 200,
    };

    private static string Run(int number) => $"run-{number:D8}";

    /// <summary>In the order of time, as the gateway makes them.</summary>
    private static string Id(int kind, int number) => $"0193{kind:x4}-{number >> 16:x4}-7000-8000-{number:x12}";

    private static double Times(TimeProvider clock, int count, Func<object> work)
    {
        work();
        var times = Enumerable.Range(0, count).Select(_ =>
        {
            var began = clock.GetTimestamp();
            work();
            return clock.GetElapsedTime(began).TotalMilliseconds;
        }).Order().ToArray();
        return times[count / 2];
    }

    private static long Scan(Database database, ModelBudget budget, string subject, DateTimeOffset since)
    {
        var of = budget.Scope.Subject switch { BudgetSubject.Cluster => "", BudgetSubject.Namespace => "AND namespace = @subject", BudgetSubject.Project => "AND project = @subject", _ => "AND run_id = @subject" };
        using var connection = database.Read();
        return connection.ExecuteScalar<long>($"SELECT COALESCE(SUM(cost_micros), 0) FROM model_calls WHERE started_at >= @since AND currency = @currency {of}", new { since = since.ToUnixTimeMilliseconds(), currency = budget.Currency, subject });
    }

    private static object ScanTotals(Database database, CallQuery query)
    {
        using var connection = database.Read();
        return connection.Query(
            "SELECT project, COUNT(DISTINCT operation_id), COUNT(*), SUM(input_tokens), SUM(output_tokens), SUM(cost_micros) FROM model_calls WHERE started_at >= @since AND started_at < @until GROUP BY project",
            new { since = query.Since!.Value.ToUnixTimeMilliseconds(), until = query.Until!.Value.ToUnixTimeMilliseconds() }).AsList();
    }
}
