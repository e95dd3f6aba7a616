using System.Net;
using System.Text.Json;
using Fabrik.Gateway.Budgets;
using Fabrik.Proxy.Budgets;
using Fabrik.Proxy.Hosting;

namespace Fabrik.Proxy.Spool;

/// <summary>Sends what is settled to the API until it has it. What the API refuses for good is set aside in a file, so that the rest goes on.</summary>
internal sealed partial class UsageSender(UsageSpool spool, ApiClient api, BudgetBook budgets, BudgetKeeper keeper, ProxyMetrics metrics, ProxyOptions options, ILogger<UsageSender> logger) : BackgroundService
{
    /// <summary>What the API takes at once.</summary>
    private const int MostEvents = 500;
    private const int MostBytes = 512 << 10;
    private const string SetAside = "refused.jsonl";

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);
    private readonly SpoolBatch batch = new();

    /// <summary>Why the API does not take usage in now; null where it does.</summary>
    public string? Failing { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.Api is null) return;
        await keeper.Began.WaitAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var pause = Pause;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var sent = await SendAsync(stoppingToken);
                pause = Pause;
                if (Failing is not null) Log.Again(logger);
                Failing = null;
                if (sent > 0) continue;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or UnauthorizedAccessException or JsonException || (e is OperationCanceledException && !stoppingToken.IsCancellationRequested))
            {
                if (Failing is null) Log.Waiting(logger, options.Api, e.Message);
                Failing = e.Message;
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            }

            await Task.Delay(pause, options.Clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>What the last calls left is sent before the process ends: nobody may start another on this spool for long.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (options.Api is null || !keeper.Began.IsCompletedSuccessfully) return;
        try
        {
            while (await SendAsync(cancellationToken) > 0)
            {
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UnauthorizedAccessException or JsonException or OperationCanceledException)
        {
            Log.Waiting(logger, options.Api, e.Message);
        }
    }

    private async Task<int> SendAsync(CancellationToken ct)
    {
        var end = spool.Next(batch, MostEvents, MostBytes);
        if (batch.Count > 0) await SendAsync(batch.Whole(), 0, batch.Count, ct);
        spool.Sent(end);
        return batch.Count;
    }

    /// <summary>A batch that is refused is sent again in halves, so that what cannot be taken in is found.</summary>
    private async Task SendAsync(ReadOnlyMemory<byte> body, int from, int count, CancellationToken ct)
    {
        using var answer = await api.PostAsync(Names.Paths.Usage, body, ct);
        if (answer.IsSuccessStatusCode)
        {
            metrics.Sent(count);
            Acknowledge(from, count);
            return;
        }

        if (answer.StatusCode is not (HttpStatusCode.BadRequest or HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.UnprocessableEntity))
            throw await ApiClient.RefusalAsync(answer, ct);
        if (count > 1)
        {
            var half = count / 2;
            await SendAsync(batch.Part(from, half), from, half, ct);
            await SendAsync(batch.Part(from + half, count - half), from + half, count - half, ct);
            return;
        }

        await File.AppendAllTextAsync(Path.Combine(options.SpoolDirectory, SetAside), System.Text.Encoding.UTF8.GetString(batch[from].Span) + "\n", ct);
        metrics.RefusedUsage(1);
        Log.Refused(logger, await answer.Content.ReadAsStringAsync(ct), SetAside);
    }

    /// <summary>Budgets need not count it any more: the ledger does.</summary>
    private void Acknowledge(int from, int count)
    {
        if (budgets.Budgets is not { Count: > 0 }) return;
        for (var i = from; i < from + count; i++) budgets.Acknowledge(BudgetCaller.Read(batch[i].Span, out var charge), charge);
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "The API at {Api} does not take usage in; it waits in the spool: {Why}")]
        public static partial void Waiting(ILogger logger, Uri api, string why);

        [LoggerMessage(Level = LogLevel.Information, Message = "The API takes usage in again")]
        public static partial void Again(ILogger logger);

        [LoggerMessage(Level = LogLevel.Error, Message = "The API refuses an attempt for good, and it is set aside in {File}: {Why}")]
        public static partial void Refused(ILogger logger, string why, string file);
    }
}
