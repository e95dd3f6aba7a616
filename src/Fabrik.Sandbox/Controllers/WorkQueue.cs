using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Fabrik.Sandbox.Controllers;

/// <summary>
/// Keys waiting to be worked on: each at most once, never two workers on one key, again after a failure with growing delay.
/// The work says what is wanted from what stands, so a key that is worked on once too often costs time and nothing else.
/// </summary>
internal sealed partial class WorkQueue(TimeProvider clock, string name, Func<string, CancellationToken, Task<TimeSpan?>> work, ILogger log)
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1), LongestRetry = TimeSpan.FromMinutes(2);
    private readonly Lock gate = new();
    private readonly Channel<string> ready = Channel.CreateUnbounded<string>();
    private readonly HashSet<string> waiting = [], working = [], again = [];
    private readonly Dictionary<string, (DateTimeOffset Due, ITimer Timer)> later = [];
    private readonly Dictionary<string, int> failures = [];

    public void Add(string key)
    {
        lock (gate)
        {
            if (later.Remove(key, out var planned)) planned.Timer.Dispose();
            if (working.Contains(key)) again.Add(key);
            else if (waiting.Add(key)) ready.Writer.TryWrite(key);
        }
    }

    /// <summary>The earliest of several delays for one key counts.</summary>
    public void Add(string key, TimeSpan after)
    {
        if (after <= TimeSpan.Zero)
        {
            Add(key);
            return;
        }

        lock (gate)
        {
            if (waiting.Contains(key)) return;
            var due = clock.GetUtcNow() + after;
            if (later.TryGetValue(key, out var planned))
            {
                if (planned.Due <= due) return;
                planned.Timer.Dispose();
            }

            // Timers cannot wait longer than some 49 days; waking too early is harmless.
            var delay = after < TimeSpan.FromDays(40) ? after : TimeSpan.FromDays(40);
            later[key] = (due, clock.CreateTimer(_ => Add(key), null, delay, Timeout.InfiniteTimeSpan));
        }
    }

    public Task RunAsync(int workers, CancellationToken ct) => Task.WhenAll(Enumerable.Range(0, workers).Select(_ => WorkAsync(ct)));

    private async Task WorkAsync(CancellationToken ct)
    {
        await foreach (var key in ready.Reader.ReadAllAsync(ct))
        {
            lock (gate)
            {
                waiting.Remove(key);
                working.Add(key);
            }

            TimeSpan? next;
            try
            {
                next = await work(key, ct);
                lock (gate) failures.Remove(key);
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                int count;
                lock (gate) count = failures[key] = failures.GetValueOrDefault(key) + 1;
                next = count > 8 ? LongestRetry : FirstRetry * (1 << (count - 1));
                if (next > LongestRetry) next = LongestRetry;
                Log.Failed(log, name, key, count, error.Message, error is Kubernetes.KubernetesException ? null : error);
            }

            bool repeat;
            lock (gate)
            {
                working.Remove(key);
                repeat = again.Remove(key);
            }

            if (repeat) Add(key);
            else if (next is { } delay) Add(key, delay);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Debug, Message = "{Queue} {Key} failed {Count} times and is tried again: {Message}")]
        public static partial void Failed(ILogger log, string queue, string key, int count, string message, Exception? error);
    }
}
