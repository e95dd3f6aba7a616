using Microsoft.Extensions.Logging;

namespace Fabrik.Kubernetes.Serving;

/// <summary>
/// Files that belong together, read again every few seconds and given on when their content changed. Looking at the content instead of
/// at events survives every way in which a mounted Secret is swapped. What cannot be used is refused once, and the old content stays.
/// </summary>
public sealed partial class WatchedFiles : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private const int MaximumBytes = 1024 * 1024;
    private readonly string[] paths;
    private readonly Action<byte[][]> apply;
    private readonly ILogger logger;
    private readonly ITimer timer;
    private readonly Lock looking = new();
    private byte[][] seen;
    private string? refused;

    /// <param name="apply">Throws what is wrong with the content; the first time to the caller.</param>
    public WatchedFiles(string[] paths, Action<byte[][]> apply, TimeProvider clock, ILogger logger)
    {
        (this.paths, this.apply, this.logger) = (paths, apply, logger);
        seen = Read();
        apply(seen);
        timer = clock.CreateTimer(_ => Look(), null, Interval, Interval);
    }

    public void Dispose() => timer.Dispose();

    private void Look()
    {
        // A slow disk must not queue up looks.
        if (!looking.TryEnter()) return;
        try
        {
            var now = Read();
            if (now.Zip(seen).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second))) return;
            apply(now);
            seen = now;
            refused = null;
            Log.Changed(logger, paths[0]);
        }
        catch (Exception e)
        {
            // Half-written or gone: what is in hand is better than none.
            if (refused == e.Message) return;
            refused = e.Message;
            Log.Refused(logger, paths[0], e.Message);
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
    }
}
