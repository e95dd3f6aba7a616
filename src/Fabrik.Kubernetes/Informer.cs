using Fabrik.Kubernetes.Http;
using Fabrik.Kubernetes.Watching;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Kubernetes;

public sealed record InformerOptions
{
    /// <summary>Null: all namespaces.</summary>
    public string? Namespace { get; init; }
    public string? LabelSelector { get; init; }
    public string? FieldSelector { get; init; }

    /// <summary>Called for each change exactly once, in order, one at a time. What it throws is logged; the informer goes on.</summary>
    public Action<WatchEvent>? OnEvent { get; init; }

    /// <summary>metadata.managedFields is half of many objects; nobody here reads it.</summary>
    public bool KeepManagedFields { get; init; }

    public int PageSize { get; init; } = 500;

    public ILogger Logger { get; init; } = NullLogger.Instance;
}

/// <summary>Keeps a copy of one collection up to date and tells of its changes. Comes back from every failure by itself.</summary>
public sealed partial class Informer
{
    // The server sends a bookmark each minute: two missed ones are a dead connection.
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(130);

    // Initial events come without a pause.
    private static readonly TimeSpan SilenceInSnapshot = TimeSpan.FromSeconds(30);

    // A watch that lived this long was a good one, even if nothing happened.
    private static readonly TimeSpan GoodWatch = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan LongestWatch = TimeSpan.FromMinutes(10);

    private readonly KubernetesClient client;
    private readonly ResourceKind kind;
    private readonly TimeProvider clock;
    private readonly InformerOptions options;
    private readonly ListOptions listOptions;
    private readonly Replica replica;
    private readonly Backoff backoff = new(TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(30));
    private readonly TaskCompletionSource synchronised = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool streamingLists = true;
    private bool live;
    private long lastSign;

    public Informer(KubernetesClient client, ResourceKind kind, TimeProvider clock, InformerOptions? options = null)
    {
        (this.client, this.kind, this.clock) = (client, kind, clock);
        this.options = options ?? new InformerOptions();
        listOptions = new ListOptions { LabelSelector = this.options.LabelSelector, FieldSelector = this.options.FieldSelector, PageSize = this.options.PageSize };
        replica = new Replica(Tell);
    }

    /// <summary>Whether there was a whole snapshot. How old it is says <see cref="Staleness"/>.</summary>
    public bool Synchronised => synchronised.Task.IsCompletedSuccessfully;

    /// <summary>Since the server last sent an event or a bookmark; TimeSpan.MaxValue before the first snapshot.</summary>
    public TimeSpan Staleness => Synchronised ? clock.GetElapsedTime(Interlocked.Read(ref lastSign)) : TimeSpan.MaxValue;

    /// <summary>By <see cref="KubeObject.Key"/>. A snapshot that does not change any more; cheap to take.</summary>
    public IReadOnlyDictionary<string, KubeObject> Items => replica.Items;

    /// <summary>Why the connection is down; null while it is not.</summary>
    public Exception? LastError { get; private set; }

    public Task WaitForSyncAsync(CancellationToken ct) => synchronised.Task.WaitAsync(ct);

    /// <summary>Returns when cancelled, and only then.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            var began = clock.GetTimestamp();
            live = false;
            Exception? broken = null;
            try
            {
                if (replica.ResourceVersion is null && !streamingLists) await ListAsync(ct);
                await WatchAsync(ct);
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                LastError = broken = e;
                Recover(e);
            }

            // A snapshot alone is no success: a server whose watches all fail must not be listed over and over.
            var good = live || clock.GetElapsedTime(began) >= GoodWatch;
            if (good) backoff.Reset();
            if (good && broken is null) continue; // the server ends each watch after a while
            try
            {
                await Task.Delay(broken is KubernetesException { RetryAfter: { } asked } ? asked + backoff.Next() : backoff.Next(), clock, ct);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private void Recover(Exception e)
    {
        var snapshot = replica.ResourceVersion is null;
        if (snapshot && streamingLists && e is KubernetesException { Code: 400 or 405 or 406 or 415 or 422 } or TimeoutException)
        {
            streamingLists = false;
            Log.NoStreamingLists(options.Logger, kind, e.Message);
        }
        else if (e is KubernetesException { IsExpired: true } or KubernetesException { ResourceVersionTooLarge: true } or KubernetesException { Code: 400 or 422 })
        {
            replica.Expire();
            Log.Expired(options.Logger, kind, e.Message);
        }
        else
        {
            Log.Broken(options.Logger, e.Message);
        }
    }

    private async Task ListAsync(CancellationToken ct)
    {
        replica.BeginSnapshot();
        string? next = null;
        ListPage page;
        do
        {
            page = await client.PageAsync(kind, options.Namespace, listOptions, next, !options.KeepManagedFields, ct);
            foreach (var item in page.Items) replica.Add(item);
            next = page.Continue;
        }
        while (next is not null);
        if (page.ResourceVersion is null) throw new KubernetesException($"list {kind}: the list has no resourceVersion to watch from") { Code = 200, Reason = KubernetesException.NotKubernetes };
        replica.EndSnapshot(page.ResourceVersion);
        Sign();
    }

    private async Task WatchAsync(CancellationToken ct)
    {
        var from = replica.ResourceVersion;
        if (from is null) replica.BeginSnapshot();
        using var response = await client.WatchAsync(kind, options.Namespace, listOptions, from, Backoff.Jitter(LongestWatch), ct);
        await using var stream = await response.Content.ReadAsStreamAsync(ct);
        using var lines = new LineReader(stream);
        using var silence = new CancellationTokenSource(Timeout.InfiniteTimeSpan, clock);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, silence.Token);
        try
        {
            while (true)
            {
                var inSnapshot = replica.ResourceVersion is null;
                silence.CancelAfter(inSnapshot ? SilenceInSnapshot : Silence);
                if (await lines.ReadAsync(stop.Token) is not { } line) return;
                replica.Apply(WatchLine.Parse(line, kind, !options.KeepManagedFields));
                if (replica.ResourceVersion is null) continue;
                live |= !inSnapshot;
                Sign();
            }
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            if (replica.ResourceVersion is null) throw new TimeoutException($"watch {kind}: the initial events did not come to an end", e);
            throw new KubernetesException($"watch {kind}: neither an event nor a bookmark for {Silence.TotalSeconds:0} s", e) { Reason = KubernetesException.TimedOut };
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new KubernetesException($"watch {kind}: the connection broke: {e.Message}", e) { Reason = KubernetesException.Unreachable };
        }
    }

    private void Sign()
    {
        Interlocked.Exchange(ref lastSign, clock.GetTimestamp());
        LastError = null;
        synchronised.TrySetResult();
    }

    private void Tell(WatchEvent change)
    {
        try
        {
            options.OnEvent?.Invoke(change);
        }
        catch (Exception e)
        {
            Log.HandlerFailed(options.Logger, change.Type, kind, change.Object.Key, e);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "{Kind}: the server has no streaming lists ({Why}); lists and watches instead")]
        public static partial void NoStreamingLists(ILogger logger, ResourceKind kind, string why);

        [LoggerMessage(Level = LogLevel.Information, Message = "{Kind}: the server no longer has the version watched from ({Why}); takes a new snapshot")]
        public static partial void Expired(ILogger logger, ResourceKind kind, string why);

        [LoggerMessage(Level = LogLevel.Warning, Message = "{Why}; tries again")]
        public static partial void Broken(ILogger logger, string why);

        [LoggerMessage(Level = LogLevel.Error, Message = "The handler of {Type} {Kind} {Key} failed; the change counts as told")]
        public static partial void HandlerFailed(ILogger logger, WatchEventType type, ResourceKind kind, string key, Exception e);
    }
}
