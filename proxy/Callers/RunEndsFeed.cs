using System.Text.Json;
using Fabrik.Gateway;
using Fabrik.Proxy.Hosting;

namespace Fabrik.Proxy.Callers;

/// <summary>
/// Asks the API every few seconds which runs have ended. What was told stays in a file beside the spool, so that a gateway that begins while the API is away
/// refuses what the one before it did; without an answer nothing is forgotten, and whoever is not known to have ended may call.
/// </summary>
internal sealed partial class RunEndsFeed(EndedRuns ended, ApiClient api, ProxyMetrics metrics, ProxyOptions options, ILogger<RunEndsFeed> logger) : BackgroundService
{
    /// <summary>With the observer's own quarter of a second, well below the ten seconds within which a token dies with its run.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan TidyEvery = TimeSpan.FromDays(1);
    private const string FileName = "run-ends.jsonl";
    private string? cursor;
    private bool failing, full;

    /// <summary>When the API answered last.</summary>
    public DateTimeOffset? ToldAt { get; private set; }

    private string Kept => Path.Combine(options.SpoolDirectory, FileName);

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        // Before the first call is taken.
        cursor = options.Api is null ? null : Tidy(ended.Take);
        return base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.Api is null) return;
        var tidied = options.Clock.GetUtcNow();
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                while (await AskAsync(stoppingToken))
                {
                }

                if (failing) Log.Again(logger);
                failing = false;
                ToldAt = options.Clock.GetUtcNow();
                metrics.RunEndsTold(ToldAt.Value);
            }
            catch (Exception e) when (e is HttpRequestException or IOException or JsonException or UnauthorizedAccessException || (e is OperationCanceledException && !stoppingToken.IsCancellationRequested))
            {
                if (!failing) Log.Failing(logger, e.Message);
                failing = true;
            }

            if (options.Clock.GetUtcNow() - tidied >= TidyEvery)
            {
                tidied = options.Clock.GetUtcNow();
                ended.Forget(tidied);
                Tidy((_, _) => 0);
            }

            await Task.Delay(Interval, options.Clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <returns>Whether there is more already.</returns>
    private async Task<bool> AskAsync(CancellationToken ct)
    {
        var told = await api.GetAsync(cursor is null ? Names.Paths.RunEnds : $"{Names.Paths.RunEnds}?after={Uri.EscapeDataString(cursor)}", GatewayJson.Default.RunEnds, ct);
        if (!IsWhole(told)) throw new JsonException("it answers something else than runs that have ended");
        if (told.Ends.Count > 0)
        {
            Keep(told);
            if (ended.Take(told.Ends, options.Clock.GetUtcNow()) is > 0 and var dropped) Log.Dropped(logger, dropped);
        }

        var more = told.More && told.Cursor != cursor;
        cursor = told.Cursor;
        return more;
    }

    /// <summary>A line for each answer. One that a kill or a full disk cut short is asked for again.</summary>
    private void Keep(RunEnds told)
    {
        try
        {
            File.AppendAllText(Kept, JsonSerializer.Serialize(told, GatewayJson.Default.RunEnds) + "\n");
            full = false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (!full) Log.NotKept(logger, Kept, e.Message);
            full = true;
        }
    }

    /// <summary>Reads what is kept, and writes it anew without what has expired and what was cut short.</summary>
    /// <param name="take">Gets each answer in turn.</param>
    /// <returns>The cursor of the last.</returns>
    private string? Tidy(Func<IReadOnlyList<RunEnd>, DateTimeOffset, int> take)
    {
        string? last = null;
        try
        {
            if (!File.Exists(Kept)) return null;
            var (now, fresh) = (options.Clock.GetUtcNow(), Kept + ".new");
            using (var writer = new StreamWriter(fresh))
            {
                foreach (var line in File.ReadLines(Kept))
                {
                    if (Read(line) is not { } told) break; // what comes behind would have a gap before it
                    take(told.Ends, now);
                    last = told.Cursor;
                    RunEnd[] valid = [.. told.Ends.Where(one => one.ExpiresAt > now)];
                    if (valid.Length > 0) writer.WriteLine(JsonSerializer.Serialize(told with { Ends = valid }, GatewayJson.Default.RunEnds));
                }
            }

            File.Move(fresh, Kept, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.NotKept(logger, Kept, e.Message);
        }

        return last;
    }

    private static bool IsWhole(RunEnds told) => told.Ends is { } ends && ends.All(one => one?.RunId is not null);

    private static RunEnds? Read(string line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, GatewayJson.Default.RunEnds) is { } told && IsWhole(told) ? told : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "The API does not tell which runs have ended; tokens of runs that end now stay valid until it does: {Why}")]
        public static partial void Failing(ILogger logger, string why);

        [LoggerMessage(Level = LogLevel.Information, Message = "The API tells which runs have ended again")]
        public static partial void Again(ILogger logger);

        [LoggerMessage(Level = LogLevel.Error, Message = "{Count} runs that have ended are forgotten for want of room; their tokens are valid until they expire")]
        public static partial void Dropped(ILogger logger, int count);

        [LoggerMessage(Level = LogLevel.Warning, Message = "Which runs have ended cannot be kept in {File}; it is asked for anew after a restart: {Why}")]
        public static partial void NotKept(ILogger logger, string file, string why);
    }
}
