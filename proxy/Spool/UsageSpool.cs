using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Fabrik.Gateway;

namespace Fabrik.Proxy.Spool;

/// <summary>Where an attempt's intent stands, until the attempt is settled.</summary>
public sealed class SpoolTicket
{
    internal SpoolTicket(Segment segment) => Segment = segment;

    internal Segment Segment { get; }
}

/// <summary>
/// The gateway's memory of what it has to account for, on its own disk. An intent is written before a provider is asked, and its settlement
/// before the client has seen the end; whatever kills the process in between, the next one settles what is open as an estimate. A segment
/// goes once all in it is settled and the API has taken it in.
/// </summary>
public sealed partial class UsageSpool : IDisposable
{
    public const int DefaultSegmentBytes = 16 << 20;

    /// <summary>Power loss may cost what is younger.</summary>
    public static readonly TimeSpan FlushEvery = TimeSpan.FromMilliseconds(100);

    private const string Pattern = "*.spool";
    private readonly string directory;
    private readonly int segmentBytes;
    private readonly int mostSegments;
    private readonly ILogger<UsageSpool> logger;
    private readonly Lock writing = new();
    private readonly List<Segment> segments = [];
    private readonly Queue<(SpoolTicket Of, byte[] Record)> unwritten = new();
    private readonly FileStream alone;
    private readonly ITimer flushing;
    private Segment? spare;
    private long number;
    private Segment? sentIn;
    private int sentAt;
    private int lent;
    private bool dirty, full, disposed;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? buffer;

    [ThreadStatic]
    private static Utf8JsonWriter? json;

    /// <param name="directory">Of this process alone.</param>
    /// <param name="segmentBytes">Of one file.</param>
    /// <param name="mostBytes">Of all; when they are full, no further call is taken.</param>
    /// <exception cref="IOException">The directory cannot be used.</exception>
    public UsageSpool(string directory, TimeProvider clock, ILogger<UsageSpool> logger, int segmentBytes = DefaultSegmentBytes, long mostBytes = 1L << 30)
    {
        (this.directory, this.segmentBytes, this.logger) = (directory, segmentBytes, logger);
        mostSegments = (int)Math.Max(2, mostBytes / segmentBytes);
        Directory.CreateDirectory(directory);
        alone = new FileStream(Path.Combine(directory, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        Recover();
        if (segments.Count == 0) segments.Add(Create());
        flushing = clock.CreateTimer(_ => Tend(), null, FlushEvery, FlushEvery);
    }

    /// <summary>Attempts that an earlier process had begun and not settled.</summary>
    public int Recovered { get; private set; }

    /// <summary>Files that hold what is not sent yet.</summary>
    public int Segments
    {
        get
        {
            lock (writing) return segments.Count;
        }
    }

    /// <summary>All that is settled and may not be with the API: what an earlier process left.</summary>
    public IReadOnlyList<UsageEvent> Left()
    {
        var left = new List<UsageEvent>();
        lock (writing)
        {
            foreach (var segment in segments)
            {
                var at = 0;
                while (segment.Record(ref at, segment.Written, out var kind, out var payload))
                    if (kind == RecordKind.Settlement) left.Add(JsonSerializer.Deserialize(payload, GatewayJson.Default.UsageEvent)!);
            }
        }

        return left;
    }

    /// <returns>Null where there is no room: then no provider may be asked.</returns>
    public SpoolTicket? Intend(UsageEvent attempt)
    {
        var record = Serialize(attempt);
        var checksum = Segment.Checksum(RecordKind.Intent, record);
        lock (writing)
        {
            if (disposed || !Write(RecordKind.Intent, record, checksum)) return null;
            segments[^1].Open++;
            return new SpoolTicket(segments[^1]);
        }
    }

    /// <summary>Never refused: without room on the disk it is kept in memory, and after a kill the intent stands for it.</summary>
    public void Settle(SpoolTicket ticket, UsageEvent attempt)
    {
        var record = Serialize(attempt);
        var checksum = Segment.Checksum(RecordKind.Settlement, record);
        lock (writing)
        {
            if (disposed) return; // a call that was cut off at the very end: the intent stands
            if (unwritten.Count > 0 || !Write(RecordKind.Settlement, record, checksum)) unwritten.Enqueue((ticket, record.ToArray()));
            else ticket.Segment.Open--;
        }
    }

    /// <summary>The next settlements to be sent, each once while this process lives.</summary>
    /// <param name="batch">Is cleared first; empty afterwards where all is sent.</param>
    /// <param name="most">Events.</param>
    /// <param name="mostBytes">Of all together.</param>
    public SpoolPlace Next(SpoolBatch batch, int most, int mostBytes)
    {
        batch.Clear();
        (Segment Segment, int Written)[] all;
        int index, at;
        lock (writing)
        {
            all = [.. segments.Select(segment => (segment, segment.Written))];
            (index, at) = (sentIn is null ? 0 : segments.IndexOf(sentIn), sentAt);
        }

        // Outside the lock: what is written does not change, and files go by Sent alone.
        for (; index < all.Length; (index, at) = (index + 1, 0))
        {
            while (HasRoom() && all[index].Segment.Record(ref at, all[index].Written, out var kind, out var payload))
                if (kind == RecordKind.Settlement) batch.Add(payload);

            if (!HasRoom() || index == all.Length - 1) break;
        }

        lock (writing)
        {
            // What has no room on the disk goes straight from memory.
            lent = 0;
            foreach (var (_, record) in unwritten)
            {
                if (!HasRoom()) break;
                batch.Add(record);
                lent++;
            }

            return new SpoolPlace(all[Math.Min(index, all.Length - 1)].Segment, at, lent);
        }

        bool HasRoom() => batch.Count < most && batch.Bytes < mostBytes;
    }

    /// <summary>What is not sent, for people: files, bytes in them, and when the oldest settled attempt began.</summary>
    public (int Files, long Bytes, DateTimeOffset? Oldest) Waiting()
    {
        lock (writing)
        {
            var (index, at, bytes) = (sentIn is null ? 0 : segments.IndexOf(sentIn), sentAt, 0L);
            byte[]? oldest = null;
            for (; index < segments.Count; (index, at) = (index + 1, 0))
            {
                bytes += segments[index].Written - at;
                while (oldest is null && segments[index].Record(ref at, segments[index].Written, out var kind, out var payload))
                    if (kind == RecordKind.Settlement) oldest = payload.ToArray();
            }

            if (oldest is null && unwritten.TryPeek(out var late)) oldest = late.Record;
            return (segments.Count, bytes, oldest is null ? null : JsonSerializer.Deserialize(oldest, GatewayJson.Default.UsageEvent)!.StartedAt);
        }
    }

    /// <summary>All before the place that <see cref="Next"/> gave last is with the API.</summary>
    public void Sent(SpoolPlace place)
    {
        lock (writing)
        {
            (sentIn, sentAt) = (place.Segment, place.At);
            for (var left = place.Unwritten; left > 0; left--) unwritten.Dequeue().Of.Segment.Open--;
            lent = 0;
            // From the front only, so that an intent never outlives its settlement.
            while (segments[0] != sentIn && segments[0].Open == 0) Remove();
        }
    }

    public void Dispose()
    {
        flushing?.Dispose();
        lock (writing)
        {
            if (disposed) return;
            disposed = true;
            foreach (var segment in segments)
            {
                segment.Flush();
                segment.Dispose();
            }

            if (spare is not null)
            {
                spare.Dispose();
                File.Delete(spare.Path);
            }
        }

        alone.Dispose();
    }

    private void Recover()
    {
        var open = new Dictionary<string, UsageEvent>(StringComparer.Ordinal);
        foreach (var path in Directory.GetFiles(directory, Pattern).Order(StringComparer.Ordinal))
        {
            if (!long.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.None, CultureInfo.InvariantCulture, out var found)) continue;
            number = Math.Max(number, found);
            var segment = Segment.Recover(path);
            if (segment.Written == 0)
            {
                segment.Dispose();
                File.Delete(path);
                continue;
            }

            segments.Add(segment);
            var at = 0;
            while (segment.Record(ref at, segment.Written, out var kind, out var payload))
            {
                var attempt = JsonSerializer.Deserialize(payload, GatewayJson.Default.UsageEvent)!;
                if (kind == RecordKind.Intent) open[attempt.Id] = attempt;
                else open.Remove(attempt.Id);
            }
        }

        Recovered = open.Count;
        foreach (var attempt in open.Values)
        {
            if (!Write(RecordKind.Settlement, Serialize(attempt))) throw new IOException($"There is no room in {directory} to account for {open.Count} calls that an earlier process left open. Free space on its volume.");
        }

        if (open.Count > 0) Log.Recovered(logger, open.Count);
    }

    private bool Write(RecordKind kind, ReadOnlySpan<byte> record) => Write(kind, record, Segment.Checksum(kind, record));

    private bool Write(RecordKind kind, ReadOnlySpan<byte> record, uint checksum)
    {
        if (segments.Count > 0 && segments[^1].TryWrite(kind, record, checksum)) return dirty = true;
        if (record.Length > segmentBytes / 2) return false;
        if (kind == RecordKind.Intent && segments.Count >= mostSegments) return Full($"{segments.Count} files of {segmentBytes >> 20} MiB wait for the API");
        try
        {
            segments.Add(spare ?? Create());
            spare = null;
            full = false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Full(e.Message);
        }

        return dirty = segments[^1].TryWrite(kind, record, checksum);
    }

    private bool Full(string why)
    {
        if (!full) Log.Full(logger, directory, why);
        full = true;
        return false;
    }

    /// <summary>Next to the calls: what is written goes to the disk, the next file is made before it is needed, and what had no room is written.</summary>
    private void Tend()
    {
        Segment? last;
        bool makes;
        lock (writing)
        {
            if (disposed) return;
            while (lent == 0 && unwritten.TryPeek(out var late) && Write(RecordKind.Settlement, late.Record)) unwritten.Dequeue().Of.Segment.Open--;
            last = dirty ? segments[^1] : null;
            dirty = false;
            makes = spare is null && segments[^1].Room < segmentBytes / 2 && segments.Count < mostSegments;
        }

        try
        {
            last?.Flush();
            if (!makes) return;
            var made = Create();
            lock (writing)
            {
                if (!disposed) spare = made;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // Said when a call needs the room.
        }
    }

    private Segment Create() => Segment.Create(Path.Combine(directory, $"{Interlocked.Increment(ref number):D12}.spool"), segmentBytes);

    private void Remove()
    {
        var sent = segments[0];
        segments.RemoveAt(0);
        sent.Dispose();
        File.Delete(sent.Path);
    }

    private static ReadOnlySpan<byte> Serialize(UsageEvent attempt)
    {
        buffer ??= new ArrayBufferWriter<byte>(2048);
        buffer.ResetWrittenCount();
        json ??= new Utf8JsonWriter(buffer);
        json.Reset(buffer);
        JsonSerializer.Serialize(json, attempt, GatewayJson.Default.UsageEvent);
        json.Flush();
        return buffer.WrittenSpan;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} attempts that an earlier process had begun are settled as estimates")]
        public static partial void Recovered(ILogger logger, int count);

        [LoggerMessage(Level = LogLevel.Error, Message = "The spool in {Directory} is full ({Why}): no further call is taken until the API takes in what waits")]
        public static partial void Full(ILogger logger, string directory, string why);
    }
}

/// <summary>How far the spool is sent.</summary>
public sealed class SpoolPlace
{
    internal SpoolPlace(Segment segment, int at, int unwritten) => (Segment, At, Unwritten) = (segment, at, unwritten);

    internal Segment Segment { get; }
    internal int At { get; }

    /// <summary>How many of those that have no room on the disk.</summary>
    internal int Unwritten { get; }
}
