using System.Globalization;
using System.Text.Json;
using Fabrik.Admission;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Webhook.Files;

namespace Fabrik.Webhook.Snapshots;

/// <summary>Watches what a review depends on and keeps one immutable snapshot of it, made anew off the request path whenever something changed.</summary>
internal sealed partial class SnapshotKeeper : BackgroundService
{
    /// <summary>A burst of changes makes one snapshot; a lone change is not held up.</summary>
    private static readonly TimeSpan Coalesce = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(5);

    private readonly Feed[] feeds;
    private readonly Feed[] arms;
    private readonly KubernetesClient client;
    private readonly SigningKeys keys;
    private readonly string gateImage;
    private readonly TimeProvider clock;
    private readonly ILogger logger;
    private readonly SemaphoreSlim dirty = new(1, 1);
    private volatile AdmissionSnapshot? current;
    private string problems = "";
    private int? minor;

    public SnapshotKeeper(KubernetesClient client, SigningKeys keys, WebhookOptions options, ILogger<SnapshotKeeper> logger)
    {
        (this.client, this.keys, gateImage, clock, this.logger) = (client, keys, options.GateImage, options.Clock, logger);
        (ResourceKind, bool)[] kinds =
        [
            (Kinds.OptimizationChange, true), (Kinds.OptimizerPolicy, true), (Kinds.Namespace, false),
            (Kinds.LimitRange, false), (Kinds.ResourceQuota, false), (Kinds.Node, false),
        ];
        feeds = [.. kinds.Select(kind => new Feed(kind.Item1, new Informer(client, kind.Item1, clock, new InformerOptions { OnEvent = _ => MarkDirty(), Logger = logger }), kind.Item2))];
        arms = [.. feeds.Where(feed => feed.DecidesArms)];
        keys.Changed = MarkDirty;
    }

    /// <summary>Null until every collection was read once.</summary>
    public AdmissionSnapshot? Current => current;

    /// <summary>Silence of the collections that decide arms; TimeSpan.MaxValue before they were read.</summary>
    public TimeSpan Staleness
    {
        get
        {
            var worst = TimeSpan.Zero;
            foreach (var feed in arms)
            {
                var silence = feed.Informer.Staleness;
                if (silence > worst) worst = silence;
            }

            return worst;
        }
    }

    public IEnumerable<(string Kind, int Count)> Sizes => feeds.Select(feed => (feed.Kind.Plural, feed.Informer.Items.Count));

    /// <summary>Changes and policies that are left out because they cannot be used.</summary>
    public int Problems { get; private set; }

    /// <summary>What is still missing before the first snapshot; "" when nothing is.</summary>
    public string Why()
    {
        var missing = feeds.Select(feed => feed.Missing).Append(keys.Missing).OfType<string>().ToList();
        if (missing.Count == 0 && current is null) missing.Add("the first snapshot is being made");
        return string.Join("; ", missing);
    }

    public override void Dispose()
    {
        dirty.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var watches = feeds.Select(feed => feed.Informer.RunAsync(stoppingToken)).ToList();
        try
        {
            await Task.WhenAll(feeds.Select(feed => feed.Informer.WaitForSyncAsync(stoppingToken)));
            while (true)
            {
                await dirty.WaitAsync(stoppingToken);
                minor ??= await MinorAsync(stoppingToken);
                Rebuild();
                await Task.Delay(Coalesce, clock, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await Task.WhenAll(watches);
        }
    }

    private void Rebuild()
    {
        if (keys.Missing is not null) return; // it is called again when they come
        var bad = new List<string>();
        try
        {
            var snapshot = AdmissionSnapshot.Create(new AdmissionInputs
            {
                Keys = keys.Current,
                Gateway = keys.Gateway,
                GateImage = gateImage,
                Policy = Items(Kinds.OptimizerPolicy).Where(one => one.Name == Names.PolicyName).Select(one => Read(one, ObjectJson.Policy, bad)).FirstOrDefault(),
                Changes = Items(Kinds.OptimizationChange).Select(one => Read(one, ObjectJson.Change, bad)).OfType<OptimizationChange>(),
                Namespaces = Items(Kinds.Namespace).Select(one => one.Json),
                LimitRanges = Items(Kinds.LimitRange).Select(one => one.Json),
                ResourceQuotas = Items(Kinds.ResourceQuota).Select(one => one.Json),
                Nodes = Items(Kinds.Node).Select(one => one.Json),
                KubernetesMinor = minor ?? 0,
            });
            bad.AddRange(snapshot.Problems);
            var first = current is null;
            current = snapshot;
            if (first) Log.Ready(logger);
        }
        catch (Exception e)
        {
            // The snapshot in hand grows stale, and says so, instead of the process dying with every replica.
            Log.Failed(logger, e);
            bad.Add(e.Message);
        }

        Problems = bad.Count;
        var said = string.Join("; ", bad.Take(10));
        if (said.Length > 0 && said != problems) Log.LeftOut(logger, bad.Count, said);
        problems = said;
    }

    private IEnumerable<KubeObject> Items(ResourceKind kind) => Array.Find(feeds, feed => feed.Kind == kind)!.Informer.Items.Values;

    private static T? Read<T>(KubeObject from, Func<JsonElement, T> read, List<string> bad) where T : class
    {
        try
        {
            return read(from.Json);
        }
        catch (JsonException e)
        {
            bad.Add($"{from.Kind} {from.Key}: {e.Message}");
            return null;
        }
    }

    private async Task<int> MinorAsync(CancellationToken ct)
    {
        while (true)
        {
            try
            {
                var version = await client.GetRawAsync(Names.Paths.Version, ct);
                var digits = (version.GetProperty("minor").GetString() ?? "").TrimEnd('+');
                if (int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var known)) return known;
            }
            catch (Exception e) when (e is KubernetesException or KeyNotFoundException or InvalidOperationException)
            {
                Log.NoVersion(logger, e.Message);
            }

            await Task.Delay(Retry, clock, ct);
        }
    }

    private void MarkDirty()
    {
        try
        {
            if (dirty.CurrentCount == 0) dirty.Release();
        }
        catch (Exception e) when (e is SemaphoreFullException or ObjectDisposedException)
        {
            // Somebody else marked it in the same moment, or the process is going.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "The first snapshot is made; reviews are answered")]
        public static partial void Ready(ILogger logger);

        [LoggerMessage(Level = LogLevel.Error, Message = "No new snapshot could be made; the one before stays")]
        public static partial void Failed(ILogger logger, Exception e);

        [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} objects are left out because they cannot be used: {Which}")]
        public static partial void LeftOut(ILogger logger, int count, string which);

        [LoggerMessage(Level = LogLevel.Warning, Message = "The server's version could not be read ({Why}); tries again")]
        public static partial void NoVersion(ILogger logger, string why);
    }
}
