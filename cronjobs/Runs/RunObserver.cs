using Fabrik.CronJobs.Hosting;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Runs;
using Fabrik.Storage;

namespace Fabrik.CronJobs.Runs;

/// <summary>
/// From the watches of Jobs, Pods, Events and namespaces to the database. Each time it begins it takes up what was stored, lists anew and
/// finds out what happened meanwhile; whatever it did not store before it was stopped it learns again.
/// </summary>
public sealed partial class RunObserver(CronJobsOptions options, KubernetesClient cluster, RunStore store, SchedulerMetrics scheduler, RunMetrics metrics, TimeProvider clock, ILogger<RunObserver> logger)
{
    internal const int BatchSize = 500;
    internal static readonly TimeSpan FlushEvery = TimeSpan.FromMilliseconds(250);

    /// <summary>A Job that the Pods' or Events' watch knows may be this much ahead of the Jobs' watch.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(1);

    /// <summary>A list of Jobs older than this proves nothing. Servers send a bookmark each minute.</summary>
    private static readonly TimeSpan Stale = TimeSpan.FromSeconds(90);

    // Of Events about Pods, those that nothing is learned from are most; they stay on the server.
    private const string PodEvents = "involvedObject.kind=Pod,reason!=Pulling,reason!=Pulled,reason!=Created,reason!=Killing,reason!=Unhealthy";
    private const string JobEvents = "involvedObject.kind=Job";

    private readonly Lock gate = new();
    private Session? session;

    /// <summary>True once everything was listed: what is gone is known to be gone.</summary>
    public bool Synchronised => session is { } running && running.All.All(informer => informer.Synchronised);

    /// <summary>Jobs and namespaces as the watches have them; null before all were listed.</summary>
    public (IReadOnlyCollection<KubeObject> Jobs, IReadOnlyCollection<KubeObject> Namespaces)? Known =>
        session is { } running && Synchronised ? ([.. running.Jobs.Items.Values], [.. running.Namespaces.Items.Values]) : null;

    /// <summary>What the webhook signs with; null where none are given. Read at once, so that a wrong file is found at start.</summary>
    public AssignmentKeys? Keys { get; } = Read(options.AssignmentKeyFile);

    private static AssignmentKeys? Read(string? file)
    {
        if (file is null) return null;
        try
        {
            return AssignmentKeyFile.Parse(File.ReadAllBytes(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            throw new CronJobsException($"{file} cannot be used as the file of assignment keys: {e.Message}. Set {Names.Variables.AssignmentKeyFile} to the file that the webhook signs with", e);
        }
    }

    /// <summary>Observes until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        if (Keys is null) Log.NoKeys(logger);
        var ledger = new RunLedger(job => Keys is null ? null : AssignedReader.Read(job, Keys));
        var known = store.Load();
        foreach (var evidence in known) ledger.Restore(evidence, clock.GetUtcNow());
        Log.Restored(logger, known.Count);

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var running = new Session(
            ledger,
            Watch(Kinds.Namespace, (change, _) =>
            {
                // What a namespace said while it was there still holds for its last Jobs.
                if (change.Type != WatchEventType.Deleted) ledger.Namespace(change.Object.Name, change.Object.Json);
            }),
            Watch(Kinds.Job, (change, now) => ledger.Job(change.Object.Json, change.Type == WatchEventType.Deleted, now)),
            Watch(Kinds.Pod, (change, now) => ledger.Pod(change.Object.Json, now), labels: Names.Labels.JobName),
            Watch(Kinds.Event, (change, now) => TakeEvent(ledger, change, now), fields: JobEvents),
            Watch(Kinds.Event, (change, now) => TakeEvent(ledger, change, now), fields: PodEvents));
        session = running;
        metrics.Staleness = () => running.Staleness;
        try
        {
            List<Task> tasks = [running.Namespaces.RunAsync(stop.Token), FlushLoopAsync(ledger, stop.Token)];

            // Scope first: a Job must not be taken for one of a namespace that never opted in.
            await running.Namespaces.WaitForSyncAsync(ct);
            tasks.AddRange(running.All.Skip(1).Select(informer => informer.RunAsync(stop.Token)));
            await Task.WhenAll(running.All.Select(informer => informer.WaitForSyncAsync(ct)));
            Reconcile();
            Log.Synchronised(logger, ledger.Count);
            await Task.WhenAll(tasks);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // As asked.
        }
        finally
        {
            await stop.CancelAsync();
            session = null;
            metrics.Staleness = () => [];
            Flush(ledger);
        }
    }

    /// <summary>Marks Jobs that are gone, and forgets those that are settled.</summary>
    /// <returns>False where nothing can be said now: not observing, or the lists are not complete or too old.</returns>
    public bool Reconcile()
    {
        if (session is not { } running || !Synchronised || running.Jobs.Staleness > Stale) return false;
        var now = clock.GetUtcNow();
        IReadOnlyList<string> settled;
        lock (gate)
        {
            var exist = running.Jobs.Items.Values.Select(job => job.Uid).ToHashSet(StringComparer.Ordinal);
            running.Ledger.Missing(exist.Contains, now, Grace);
            settled = running.Ledger.Forget(now);
        }

        store.Forget(settled);
        metrics.Reconciled(running.Ledger.Count);
        return true;
    }

    /// <summary>Pods that run now and belong to runs that are observed.</summary>
    public IReadOnlyList<RunningPod> Running()
    {
        if (session is not { } running) return [];
        var pods = running.Pods.Items.Values.Select(RunningPod.Of).OfType<RunningPod>().ToList();
        lock (gate) return pods.FindAll(pod => running.Ledger.OfPod(pod.Namespace, pod.Name) is not null);
    }

    /// <summary>What is known of the runs of these Pods; those of others are left out.</summary>
    public IReadOnlyDictionary<(string Namespace, string Name), Evidence> OfPods(IEnumerable<(string Namespace, string Name)> pods)
    {
        if (session is not { } running) return new Dictionary<(string, string), Evidence>();
        lock (gate) return pods.Distinct().Select(pod => (pod, Evidence: running.Ledger.OfPod(pod.Namespace, pod.Name))).Where(one => one.Evidence is not null).ToDictionary(one => one.pod, one => one.Evidence!);
    }

    /// <summary>What is known of these runs; those that are settled long since are left out.</summary>
    public IReadOnlyDictionary<string, Evidence> Of(IEnumerable<string> runs)
    {
        if (session is not { } running) return new Dictionary<string, Evidence>(StringComparer.Ordinal);
        lock (gate) return runs.Select(running.Ledger.Of).OfType<Evidence>().ToDictionary(evidence => evidence.Id, StringComparer.Ordinal);
    }

    private Informer Watch(ResourceKind kind, Action<WatchEvent, DateTimeOffset> take, string? labels = null, string? fields = null) =>
        new(cluster, kind, clock, new InformerOptions
        {
            LabelSelector = labels,
            FieldSelector = fields,
            Logger = logger,
            OnEvent = change =>
            {
                lock (gate) take(change, clock.GetUtcNow());
                metrics.Received(kind.Kind);
            },
        });

    private static void TakeEvent(RunLedger ledger, WatchEvent change, DateTimeOffset now)
    {
        if (change.Type != WatchEventType.Deleted) ledger.Event(change.Object.Json, now);
    }

    private async Task FlushLoopAsync(RunLedger ledger, CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(FlushEvery, clock, ct);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            // What is new meanwhile stays in memory, and on the server.
            if (scheduler.Paused is null) Flush(ledger);
        }
    }

    private void Flush(RunLedger ledger)
    {
        IReadOnlyList<RunChange> batch = [];
        try
        {
            while (true)
            {
                lock (gate) batch = ledger.Take(BatchSize);
                if (batch.Count == 0) break;
                if (Doubled(ledger, batch)) continue;
                store.Write(batch);
                metrics.Stored(batch);
                batch = [];
            }

            metrics.Flushed();
        }
        catch (Exception e)
        {
            // Nothing of the batch is stored; it stays in memory and is tried again with the next flush.
            lock (gate) ledger.Return(batch);
            metrics.Failed();
            Log.NotStored(logger, batch.Count, e);
        }
    }

    /// <summary>Whether a run id of the batch was in use before; then the batch went back, to be made anew with that knowledge.</summary>
    private bool Doubled(RunLedger ledger, IReadOnlyList<RunChange> batch)
    {
        var runIds = batch.Where(change => change.Before is null).Select(change => change.Run.RunId).OfType<string>().ToArray();
        if (runIds.Length == 0) return false;
        var claims = store.Claims(runIds);
        lock (gate)
        {
            var news = false;
            foreach (var (runId, createdAt, id) in claims) news |= ledger.Claimed(runId, createdAt, id);
            if (news) ledger.Return(batch);
            return news;
        }
    }

    private sealed record Session(RunLedger Ledger, Informer Namespaces, Informer Jobs, Informer Pods, Informer JobEvents, Informer PodEvents)
    {
        public IReadOnlyList<Informer> All { get; } = [Namespaces, Jobs, Pods, JobEvents, PodEvents];

        public IEnumerable<(string Kind, TimeSpan Silence)> Staleness =>
            new[] { (Kinds.Namespace, Namespaces), (Kinds.Job, Jobs), (Kinds.Pod, Pods), (Kinds.Event, JobEvents) }
                .Where(watch => watch.Item2.Synchronised).Select(watch => (watch.Item1.Kind, watch.Item2.Staleness));
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "No assignment keys are given: every Job counts as unassigned. Set " + Names.Variables.AssignmentKeyFile)]
        public static partial void NoKeys(ILogger logger);

        [LoggerMessage(Level = LogLevel.Information, Message = "Takes up {Count} Jobs that were not settled")]
        public static partial void Restored(ILogger logger, int count);

        [LoggerMessage(Level = LogLevel.Information, Message = "Everything is listed; follows {Count} Jobs")]
        public static partial void Synchronised(ILogger logger, int count);

        [LoggerMessage(Level = LogLevel.Error, Message = "{Count} changed runs could not be stored; tries again")]
        public static partial void NotStored(ILogger logger, int count, Exception e);
    }
}
