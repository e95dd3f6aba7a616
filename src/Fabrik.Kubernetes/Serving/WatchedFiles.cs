using Microsoft.Extensions.Logging;

namespace Fabrik.Kubernetes.Serving;

/// <summary>
/// Files that belong together, read again every few seconds and given on when their content changed. Looking at the content instead of
/// at events survives every way in which a mounted Secret is swapped. What cannot be used is refused once, and the old content stays.
/// </summary>
public sealed partial class WatchedFiles : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Waiting = TimeSpan.FromSeconds(1);
    private const int MaximumBytes = 1024 * 1024;
    private readonly string[] paths;
    private readonly Action<byte[][]> apply;
    private readonly ILogger logger;
    private readonly ITimer timer;
    private readonly Lock looking = new();
    private byte[][]? seen;
    private string? refused;

    /// <param name="apply">Throws what is wrong with the content; the first time to the caller.</param>
    /// <param name="waitFor">What to say while a file is missing or empty, which is then waited for: what it is and how it is named. Null: that is an error.</param>
    public WatchedFiles(string[] paths, Action<byte[][]> apply, TimeProvider clock, ILogger logger, string? waitFor = null)
    {
        (this.paths, this.apply, this.logger) = (paths, apply, logger);
        if (waitFor is not null && Missing() is { } missing)
        {
            Log.Waits(logger, missing, waitFor);
        }
        else
        {
            var content = Read();
            apply(content);
            seen = content;
        }

        var interval = seen is null ? Waiting : Interval;
        timer = clock.CreateTimer(_ => Look(), null, interval, interval);
    }

    public void Dispose() => timer.Dispose();

    /// <summary>The first file that is not there or has nothing in it; null when all have.</summary>
    public string? Missing() => Array.Find(paths, MountedFiles.IsMissing);

    private void Look()
    {
        // A slow disk must not queue up looks.
        if (!looking.TryEnter()) return;
        try
        {
            if (seen is null && Missing() is not null) return;
            var now = Read();
            if (seen is { } before && now.Zip(before).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second))) return;
            apply(now);
            if (seen is null) timer.Change(Interval, Interval);
            seen = now;
            refused = null;
            Log.Changed(logger, paths[0]);
        }
        catch (Exception e)
        {
            // Half-written or gone: what is in hand is better than none.
            if (refused == e.Message) return;
            refused = e.Message;
            if (seen is null) Log.Unusable(logger, paths[0], e.Message);
            else Log.Refused(logger, paths[0], e.Message);
        }
        finally
        {
            looking.Exit();
        }
    }

    private byte[][] Read() => [.. paths.Select(path =>
    {
        var file = new FileInfo(path);
        if (file.Exists && file.Length > MaximumBytes) throw new InvalidDataException($"{path} is larger than {MaximumBytes} bytes");
        return File.ReadAllBytes(path);
    })];

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "{Path} changed and is in use")]
        public static partial void Changed(ILogger logger, string path);

        [LoggerMessage(Level = LogLevel.Error, Message = "{Path} changed but cannot be used ({Why}); goes on with the content before")]
        public static partial void Refused(ILogger logger, string path, string why);

        [LoggerMessage(Level = LogLevel.Warning, Message = "Waits for {Path}: it is not there yet, or empty. It holds {What}")]
        public static partial void Waits(ILogger logger, string path, string what);

        [LoggerMessage(Level = LogLevel.Error, Message = "{Path} is there but cannot be used ({Why}); waits for another content")]
        public static partial void Unusable(ILogger logger, string path, string why);
    }
}
