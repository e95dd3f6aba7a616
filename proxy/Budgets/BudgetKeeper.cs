using System.Text.Json;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Proxy.Hosting;
using Fabrik.Proxy.Spool;

namespace Fabrik.Proxy.Budgets;

/// <summary>Asks the API for leases: every few seconds, each second where there are limits per minute, and at once where a call waits. Calls wait for an answer, never for the network as such.</summary>
internal sealed partial class BudgetKeeper(BudgetBook book, UsageSpool spool, ApiClient api, ProxyMetrics metrics, ProxyOptions options, ILogger<BudgetKeeper> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan QuickInterval = TimeSpan.FromSeconds(1);

    /// <summary>At the end, for giving back what is not used.</summary>
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);

    /// <summary>A call waits no longer for a lease.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Asked again, a lease may still be too small: others had wanted more.</summary>
    private const int Rounds = 6;

    private readonly string replica = ReplicaName.Of(options.SpoolDirectory);
    private readonly SemaphoreSlim wanted = new(0, 1);
    private TaskCompletionSource answered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource began = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool failing;

    /// <summary>Ends once it is known which budgets there are, and what an earlier process spent is booked: only then may the ledger be told.</summary>
    public Task Began => began.Task;

    /// <summary>Whether there is an API to ask, and so budgets at all.</summary>
    public bool IsOn => options.Api is not null;

    /// <returns>What stands in the way; null where it is reserved.</returns>
    public async ValueTask<(Reservation? Reservation, BudgetRefusal? Refusal, bool IsUnknown)> ReserveAsync(BudgetCaller caller, Charge most, CancellationToken ct)
    {
        if (!IsOn) return default;
        for (var round = 0; ; round++)
        {
            var next = Volatile.Read(ref answered).Task;
            if (book.Budgets is { Count: 0 }) return default;
            BudgetRefusal? refusal = null;
            var canAsk = true;
            if (book.Budgets is not null && (refusal = book.Reserve(caller, most, out var reservation, out canAsk)) is null) return (reservation, null, false);
            if (!canAsk || round == Rounds) return (null, refusal, refusal?.Left is null);
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
                book.Take(await AskAsync(book.Ask(replica), stoppingToken));
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
                await wanted.WaitAsync(book.IsQuick ? QuickInterval : Interval, stoppingToken);
            }
            catch (OperationCanceledException)
            {
                break;
            }
        }

        await GiveBackAsync();
    }

    private Task<LeaseAnswer> AskAsync(LeaseRequest request, CancellationToken ct) =>
        api.PostAsync(Names.Paths.Leases, request, GatewayJson.Default.LeaseRequest, GatewayJson.Default.LeaseAnswer, ct);

    /// <summary>No call comes any more. Without this the others would have to wait until what is held here has run out.</summary>
    private async Task GiveBackAsync()
    {
        using var soon = new CancellationTokenSource(Farewell, options.Clock);
        try
        {
            await AskAsync(book.Ask(replica, last: true), soon.Token);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or JsonException or UnauthorizedAccessException or OperationCanceledException)
        {
            Log.Kept(logger, e.Message);
        }
    }

    private void Recover()
    {
        foreach (var row in spool.Left()) book.Recover(BudgetCaller.Of(row), Charge.Of(row));
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

    private void Tell()
    {
        foreach (var (name, part) in book.Parts()) metrics.BudgetUsed(name, part);
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "The API hands out no leases; hard budgets end when those in hand do: {Why}")]
        public static partial void Failing(ILogger logger, string why);

        [LoggerMessage(Level = LogLevel.Information, Message = "The API hands out leases again")]
        public static partial void Again(ILogger logger);

        [LoggerMessage(Level = LogLevel.Information, Message = "What is leased and not used could not be given back; it is free again when it has run out: {Why}")]
        public static partial void Kept(ILogger logger, string why);
    }
}
