using System.Text.Json;

namespace Fabrik.Runs;

/// <summary>
/// The Jobs that are being observed, in memory: takes in what the watches tell, in any order and any number of times, and says which runs
/// changed. Not safe for several threads at once. Facts of every Job are kept, so that a namespace may opt in later; only runs in scope are given out.
/// </summary>
public sealed class RunLedger(Func<JsonElement, Assigned?> verify)
{
    /// <summary>How long a Job that is gone is still listened for: watches are independent, and Events live an hour.</summary>
    public static readonly TimeSpan Retention = TimeSpan.FromHours(1);

    /// <summary>Events about Pods and Jobs that nobody knows yet: enough for a restart, bounded against a flood.</summary>
    internal const int MaximumStrangers = 20_000;

    private readonly Dictionary<string, Entry> entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> podOwners = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PodFacts> strangers = new(StringComparer.Ordinal);
    private readonly Queue<string> strangerOrder = new();
    private readonly Queue<string> unseenOrder = new();
    private readonly Dictionary<string, Scope> scopes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Claim> claims = new(StringComparer.Ordinal);
    private readonly Queue<Entry> dirty = new();

    public int Count => entries.Count;

    public int Pending => dirty.Count;

    public void Namespace(string name, JsonElement @namespace)
    {
        var scope = Scope.Read(@namespace);
        if (scopes.TryGetValue(name, out var known) && known == scope) return;
        scopes[name] = scope;
        foreach (var entry in entries.Values)
        {
            if (entry.Namespace == name) Touch(entry);
        }
    }

    public void Job(JsonElement job, bool deleted, DateTimeOffset now)
    {
        var metadata = job.Get("metadata");
        if (metadata.Text("uid") is not { } id) return;
        var entry = EntryOf(id, now);
        var facts = JobFacts.Read(job, verify);
        var before = entry.Evidence;
        entry.Evidence = Evidence.Merge(before, new Evidence { Id = id, Job = facts, DeletedAt = deleted ? metadata.Time("deletionTimestamp") ?? now : null })
            with
        { MissingAt = deleted ? before.MissingAt : null };
        if (entry.Evidence.Job != before.Job || entry.Evidence.DeletedAt != before.DeletedAt || entry.Evidence.MissingAt != before.MissingAt) Touch(entry, Subject.Job);
        if (entry.Evidence.Job!.Assigned is { } assigned) AddClaim(assigned.RunId, entry.Evidence.Job.CreatedAt, id);
    }

    public void Pod(JsonElement pod, DateTimeOffset now)
    {
        var metadata = pod.Get("metadata");
        var owner = metadata.Controller();
        if (owner.Text("kind") != "Job" || owner.Text("uid") is not { } id || metadata.Text("name") is not { } name) return;
        Learn(id, $"{metadata.Text("namespace")}/{name}", name, PodFacts.Read(pod), now);
    }

    public void Event(JsonElement @event, DateTimeOffset now)
    {
        var about = @event.Get("involvedObject");
        if (about.Text("name") is not { } name) return;
        switch (about.Text("kind"))
        {
            case "Job" when about.Text("uid") is { } id && EventFacts.Read(@event) is { } facts:
                var entry = EntryOf(id, now);
                var merged = EventFacts.Merge(entry.Evidence.Events, facts);
                if (merged != entry.Evidence.Events)
                {
                    entry.Evidence = entry.Evidence with { Events = merged };
                    Touch(entry, Subject.Job);
                }

                if (EventFacts.CreatedPod(@event) is { } created) Learn(id, $"{facts.Namespace}/{created}", created, new PodFacts(), now);
                break;
            case "Pod" when PodFacts.ReadEvent(@event) is { } facts:
                var key = $"{about.Text("namespace")}/{name}";
                if (podOwners.TryGetValue(key, out var owner)) Learn(owner, key, name, facts, now);
                else Remember(key, facts);
                break;
            default: break;
        }
    }

    /// <summary>Marks Jobs that no longer exist. Only to be called with a list of Jobs that is complete.</summary>
    /// <param name="grace">Jobs known for less than this are spared: the list may be older than the word of them.</param>
    public void Missing(Func<string, bool> exists, DateTimeOffset now, TimeSpan grace)
    {
        foreach (var entry in entries.Values)
        {
            if (entry.Evidence.GoneAt is not null || now - entry.SeenAt < grace || exists(entry.Evidence.Id)) continue;
            entry.Evidence = entry.Evidence with { MissingAt = now };
            Touch(entry, Subject.Job);
        }
    }

    /// <summary>Takes in what was stored before a restart.</summary>
    public void Restore(Evidence evidence, DateTimeOffset now)
    {
        var entry = EntryOf(evidence.Id, now);
        entry.Evidence = Evidence.Merge(evidence, entry.Evidence);
        entry.SeenAt = DateTimeOffset.MinValue;
        entry.Written = true;
        foreach (var pod in evidence.Pods.Keys) podOwners[$"{entry.Namespace}/{pod}"] = evidence.Id;
        if (entry.Evidence.Job?.Assigned is { } assigned) AddClaim(assigned.RunId, entry.Evidence.Job.CreatedAt, evidence.Id);
        entry.Run = RunOf(entry);
    }

    /// <summary>Takes in that a stored run carries this run id, which may make a younger Job a copy.</summary>
    /// <returns>True where that was news.</returns>
    public bool Claimed(string runId, DateTimeOffset createdAt, string id) => AddClaim(runId, createdAt, id);

    /// <summary>What is known of the run that this Pod belongs to; null where none that was given out has such a Pod.</summary>
    public Evidence? OfPod(string @namespace, string pod) =>
        podOwners.TryGetValue($"{@namespace}/{pod}", out var id) && entries.TryGetValue(id, out var entry) && entry.Written ? entry.Evidence : null;

    /// <summary>What is known of a run, until its Job has been gone for the retention time.</summary>
    public Evidence? Of(string id) => entries.TryGetValue(id, out var entry) ? entry.Evidence : null;

    /// <summary>At most so many changed runs. The caller stores them, or gives them back.</summary>
    public IReadOnlyList<RunChange> Take(int maximum)
    {
        var changes = new List<RunChange>();
        while (changes.Count < maximum && dirty.TryDequeue(out var entry))
        {
            entry.Dirty = false;
            if (RunOf(entry) is not { } run) continue;
            var evidence = entry.Evidence;
            var subjects = entry.Written ? entry.Subjects.ToArray() : [Subject.Job, .. evidence.Pods.Keys];
            var known = entry.Run;
            if (subjects.Length == 0 && run == known) continue;
            entry.Subjects.Clear();
            entry.Written = true;
            entry.Run = run;
            changes.Add(new RunChange(run, evidence, subjects, known?.Outcome));
        }

        return changes;
    }

    /// <summary>Changes that could not be stored will be taken again.</summary>
    public void Return(IEnumerable<RunChange> changes)
    {
        foreach (var change in changes)
        {
            if (!entries.TryGetValue(change.Run.Id, out var entry)) continue;
            foreach (var subject in change.Subjects) entry.Subjects.Add(subject);
            entry.Run = null;
            Touch(entry);
        }
    }

    /// <summary>Drops Jobs that have been gone for the retention time, and returns their ids.</summary>
    public IReadOnlyList<string> Forget(DateTimeOffset now)
    {
        var old = entries.Values.Where(entry => !entry.Dirty && entry.Evidence.GoneAt is { } gone && now - gone >= Retention).ToArray();
        foreach (var entry in old)
        {
            entries.Remove(entry.Evidence.Id);
            foreach (var pod in entry.Evidence.Pods.Keys) podOwners.Remove($"{entry.Namespace}/{pod}");
            if (entry.Evidence.Job?.Assigned is { } assigned && claims.TryGetValue(assigned.RunId, out var claim) && claim.Id == entry.Evidence.Id) claims.Remove(assigned.RunId);
        }

        return [.. old.Select(entry => entry.Evidence.Id)];
    }

    private Run? RunOf(Entry entry)
    {
        var evidence = entry.Evidence;
        var scope = scopes.GetValueOrDefault(entry.Namespace) ?? evidence.Scope ?? Scope.Unknown;
        var own = evidence.Job?.Assigned is not { } assigned || claims[assigned.RunId].Id == evidence.Id;
        if (RunRules.ToRun(evidence, scope, own) is not { } run) return null;

        // Once observed, a run is followed to its end, whatever becomes of its namespace's labels.
        if (!entry.Written && !(evidence.Job is { } job ? scope.Covers(job) : scope.CoversSilent)) return null;
        if (evidence.Scope != scope)
        {
            entry.Evidence = evidence with { Scope = scope };
            entry.Subjects.Add(Subject.Job);
        }

        return run;
    }

    private void Learn(string id, string key, string name, PodFacts facts, DateTimeOffset now)
    {
        var entry = EntryOf(id, now);
        podOwners[key] = id;
        if (strangers.Remove(key, out var earlier)) facts = PodFacts.Merge(earlier, facts);
        var known = entry.Evidence.Pods.GetValueOrDefault(name);
        var merged = known is null ? facts : PodFacts.Merge(known, facts);
        if (merged == known) return;
        entry.Evidence = entry.Evidence with { Pods = entry.Evidence.Pods.SetItem(name, merged) };
        Touch(entry, name);
    }

    private void Remember(string key, PodFacts facts)
    {
        if (strangers.TryGetValue(key, out var known)) facts = PodFacts.Merge(known, facts);
        else strangerOrder.Enqueue(key);
        strangers[key] = facts;
        while (strangerOrder.Count > MaximumStrangers) strangers.Remove(strangerOrder.Dequeue());
    }

    private Entry EntryOf(string id, DateTimeOffset now)
    {
        if (entries.TryGetValue(id, out var entry)) return entry;
        entries[id] = entry = new Entry { Evidence = new Evidence { Id = id }, SeenAt = now };
        unseenOrder.Enqueue(id);
        while (unseenOrder.Count > MaximumStrangers)
        {
            var oldest = unseenOrder.Dequeue();
            if (entries.TryGetValue(oldest, out var unseen) && unseen.Evidence.Job is null && !unseen.Written) entries.Remove(oldest);
        }

        return entry;
    }

    private bool AddClaim(string runId, DateTimeOffset createdAt, string id)
    {
        if (claims.TryGetValue(runId, out var holder))
        {
            if (holder.Id == id || holder.CreatedAt < createdAt || (holder.CreatedAt == createdAt && string.CompareOrdinal(holder.Id, id) < 0)) return false;
            if (entries.TryGetValue(holder.Id, out var loser)) Touch(loser);
        }

        claims[runId] = new Claim(createdAt, id);
        if (entries.TryGetValue(id, out var winner)) Touch(winner);
        return true;
    }

    private void Touch(Entry entry, string? subject = null)
    {
        if (subject is not null) entry.Subjects.Add(subject);
        if (entry.Dirty) return;
        entry.Dirty = true;
        dirty.Enqueue(entry);
    }

    private readonly record struct Claim(DateTimeOffset CreatedAt, string Id);

    private sealed class Entry
    {
        public required Evidence Evidence { get; set; }
        public DateTimeOffset SeenAt { get; set; }
        public bool Dirty { get; set; }
        public bool Written { get; set; }
        public Run? Run { get; set; }
        public HashSet<string> Subjects { get; } = new(StringComparer.Ordinal);
        public string Namespace => Evidence.Job?.Namespace ?? Evidence.Events?.Namespace ?? "";
    }
}

/// <summary>One run to store.</summary>
/// <param name="Subjects">Parts of the evidence that changed: names of Pods, and <see cref="Subject.Job"/>.</param>
/// <param name="Before">Outcome as last given out; null for the first time.</param>
public sealed record RunChange(Run Run, Evidence Evidence, IReadOnlyList<string> Subjects, Outcome? Before)
{
    /// <summary>Known from Events alone: never to be written over what a watch saw.</summary>
    public bool Hearsay => Evidence.Job is null;
}

/// <summary>Names of the parts of an <see cref="Evidence"/>.</summary>
public static class Subject
{
    public const string Job = "";
}
