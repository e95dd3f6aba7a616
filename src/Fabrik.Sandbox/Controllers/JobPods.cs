using Fabrik.Kubernetes;

namespace Fabrik.Sandbox.Controllers;

/// <summary>
/// The Pods of every Job as the watch tells them, ahead of it by what this controller itself created and deleted,
/// and behind it by Pods that are gone and not yet counted.
/// </summary>
internal sealed class JobPods
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Dictionary<string, Entry>> byJob = [];

    /// <summary>Key of the Job to look at, where the Pod belongs to one.</summary>
    public string? Saw(WatchEvent change)
    {
        var pod = change.Object;
        if (pod.Uid is not { } uid || pod.Json.Controller("Job") is not var (name, owner)) return null;
        lock (gate)
        {
            var pods = Of(owner);
            var known = pods.GetValueOrDefault(uid);
            if (change.Type != WatchEventType.Deleted) pods[uid] = new Entry(pod, false, known?.Deleted ?? false);
            else if (known is not null) pods[uid] = known with { Pod = pod, Gone = true };
        }

        return $"{pod.Namespace}/{name}";
    }

    public void Created(string job, KubeObject pod)
    {
        lock (gate) Of(job).TryAdd(pod.Uid ?? "", new Entry(pod, false, false));
    }

    public void Deleted(string job, string uid)
    {
        lock (gate)
            if (Of(job).TryGetValue(uid, out var entry)) byJob[job][uid] = entry with { Deleted = true };
    }

    public List<PodView> Views(string job)
    {
        lock (gate) return byJob.TryGetValue(job, out var pods) ? pods.Values.Select(entry => PodView.From(entry.Pod, entry.Gone, entry.Deleted)).ToList() : [];
    }

    public void Forget(string job, IReadOnlyCollection<string> counted)
    {
        lock (gate)
        {
            if (!byJob.TryGetValue(job, out var pods)) return;
            foreach (var uid in counted)
                if (pods.TryGetValue(uid, out var entry) && entry.Gone) pods.Remove(uid);
        }
    }

    public void Forget(string job)
    {
        lock (gate) byJob.Remove(job);
    }

    private Dictionary<string, Entry> Of(string job)
    {
        if (!byJob.TryGetValue(job, out var pods)) byJob[job] = pods = [];
        return pods;
    }

    private sealed record Entry(KubeObject Pod, bool Gone, bool Deleted);
}
