using System.Text;

namespace Fabrik.Sandbox.Server;

/// <summary>
/// What the containers of simulated Pods have written. The node appends with
/// <c>POST /sandbox/v1/logs/{namespace}/{pod}?container=NAME</c> (plain text, as administrator; a container is made by its first write,
/// an empty name means the Pod's first container) and ends the streams of followers with <c>POST …?container=NAME&amp;end=true</c>.
/// The logs go with their Pod.
/// </summary>
public sealed class PodLogs
{
    /// <summary>Bytes kept per container, the newest.</summary>
    private const int Limit = 256 * 1024;

    private readonly Lock gate = new();
    private readonly Dictionary<(string Namespace, string Pod, string Container), Log> logs = [];

    public void Append(string ns, string pod, string container, string text, bool end, DateTimeOffset at)
    {
        TaskCompletionSource changed;
        lock (gate)
        {
            if (!logs.TryGetValue((ns, pod, container), out var log)) logs[(ns, pod, container)] = log = new();
            foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                log.Lines.Add((at, line));
                log.Bytes += Encoding.UTF8.GetByteCount(line) + 1;
            }

            while (log.Bytes > Limit && log.Lines.Count > 1)
            {
                log.Bytes -= Encoding.UTF8.GetByteCount(log.Lines[0].Text) + 1;
                log.Lines.RemoveAt(0);
                log.Dropped++;
            }

            log.Ended |= end;
            changed = log.Changed;
            log.Changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        changed.SetResult();
    }

    public void Remove(string ns, string pod)
    {
        List<Log> gone = [];
        lock (gate)
        {
            foreach (var key in logs.Keys.Where(key => key.Namespace == ns && key.Pod == pod).ToList())
            {
                logs.Remove(key, out var log);
                log!.Ended = true;
                gone.Add(log);
            }
        }

        foreach (var log in gone) log.Changed.TrySetResult();
    }

    /// <summary>Lines from a number on, the number after them, and what completes with the next change. The number counts dropped lines too.</summary>
    public (IReadOnlyList<(DateTimeOffset At, string Text)> Lines, long Next, bool Ended, Task Changed) Read(string ns, string pod, string container, long from)
    {
        lock (gate)
        {
            if (!logs.TryGetValue((ns, pod, container), out var log)) logs[(ns, pod, container)] = log = new();
            var skip = (int)Math.Clamp(from - log.Dropped, 0, log.Lines.Count);
            return ([.. log.Lines.Skip(skip)], log.Dropped + log.Lines.Count, log.Ended, log.Changed.Task);
        }
    }

    private sealed class Log
    {
        public List<(DateTimeOffset At, string Text)> Lines { get; } = [];

        public long Dropped { get; set; }

        public long Bytes { get; set; }

        public bool Ended { get; set; }

        public TaskCompletionSource Changed { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
