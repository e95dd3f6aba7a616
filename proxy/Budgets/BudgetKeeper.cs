using System.Text.Json;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Proxy.Hosting;
using Fabrik.Proxy.Spool;

namespace Fabrik.Proxy.Budgets;

/// <summary>Asks the API for leases: every few seconds, and at once where a call waits for one. Calls wait for an answer, never for the network as such.</summary>
internal sealed partial class BudgetKeeper(BudgetBook book, UsageSpool spool, ApiClient api, ProxyMetrics metrics, ProxyOptions options, ILogger<BudgetKeeper> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <summary>A call waits no longer for a lease.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Asked again, a lease may still be too small: others had wanted more.</summary>
    private const int Rounds = 3;

    private static readonly int[] Thresholds = [50, 80, 90, 100];
    private readonly string replica = ReplicaName.Of(options.SpoolDirectory);
    private readonly SemaphoreSlim wanted = new(0, 1);
    private readonly Dictionary<string, int> told = new(StringComparer.Ordinal);
    private TaskCompletionSource answered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource began = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool failing;

    /// <summary>Ends once it is known which budgets there are, and what an earlier process spent is booked: only then may the ledger be told.</summary>
    public Task Began => began.Task;

    /// <summary>Whether there is an API to ask, and so budgets at all.</summary>
    public bool IsOn => options.Api is not null;

    /// <returns>What stands in the way; null where it is reserved.</returns>
    public async ValueTask<(Reservation? Reservation, BudgetRefusal? Refusal, bool IsUnknown)> ReserveAsync(BudgetCaller caller, long micros, CancellationToken ct)
    {
        if (!IsOn) return default;
        for (var round = 0; ; round++)
        {
            var next = Volatile.Read(ref answered).Task;
            if (book.Budgets is { Count: 0 }) return default;
            BudgetRefusal? refusal = null;
            var canAsk = true;
            if (book.Budgets is not null && (refusal = book.Reserve(caller, micros, options.Clock.GetUtcNow(), out var reservation, out canAsk)) is null) return (reservation, null, false);
            if (!canAsk || round == Rounds) return (null, refusal, refusal?.LeftMicros is null);
            Wake();
            try
            {
                await next.WaitAsync(Patience, options.Clock, ct);
            }
            catch (TimeoutException)
            {
                return (null, refusal, true);
            }
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!IsOn) return;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var request = book.Ask(replica, options.Clock.GetUtcNow());
                book.Take(await api.PostAsync(Names.Paths.Leases, request, GatewayJson.Default.LeaseRequest, GatewayJson.Default.LeaseAnswer, stoppingToken));
                if (!began.Task.IsCompleted) Recover();
                if (failing) Log.Again(logger);
                failing = false;
                Tell();
                Interlocked.Exchange(ref answered, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
            }
            catch (Exception e) when (e is HttpRequestException or IOException or JsonException or UnauthorizedAccessException || (e is OperationCanceledException && !stoppingToken.IsCancellationRequested))
            {
                if (!failing) Log.Failing(logger, e.Message);
                failing = true;
                await Task.Delay(TimeSpan.FromSeconds(1), options.Clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            try
            {
                await wanted.WaitAsync(Interval, stoppingToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private void Recover()
    {
        foreach (var row in spool.Left()) book.Recover(BudgetCaller.Of(row), row.CostMicros, options.Clock.GetUtcNow());
        began.SetResult();
    }

    private void Wake()
    {
        try
        {
            if (wanted.CurrentCount == 0) wanted.Release();
        }
        catch (SemaphoreFullException)
        {
            // Another call has woken it.
        }
    }

    /// <summary>Each threshold once, until the budget begins anew.</summary>
    private void Tell()
    {
        foreach (var (budget, account, used) in book.Uses())
        {
            var percent = budget.LimitMicros == 0 ? 100 : (int)Math.Min(100, used * 100 / budget.LimitMicros);
            metrics.BudgetUsed(budget.Name, percent / 100.0);
            var reached = Thresholds.LastOrDefault(one => percent >= one);
            var before = told.GetValueOrDefault(account);
            if (reached > before) Log.Reached(logger, account, reached, budget.Hard && reached == 100 ? "calls that it is for are refused" : "calls go on");
            told[account] = reached;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "Budget {Account} is used to {Percent} %: {What}")]
        public static partial void Reached(ILogger logger, string account, int percent, string what);

        [LoggerMessage(Level = LogLevel.Warning, Message = "The API hands out no leases; hard budgets end when those in hand do: {Why}")]
        public static partial void Failing(ILogger logger, string why);

        [LoggerMessage(Level = LogLevel.Information, Message = "The API hands out leases again")]
        public static partial void Again(ILogger logger);
    }
}
