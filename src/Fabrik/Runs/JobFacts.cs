using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Fabrik.Runs;

/// <summary>What one state of a Job tells. Of two states the one in which it has ended holds, else the newer one; only the verified assignment holds from the first.</summary>
public sealed record JobFacts
{
    public required long Version { get; init; }
    public required string Namespace { get; init; }
    public required string Name { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public string? Owner { get; init; }
    public required string Stratum { get; init; }
    public string? SpecType { get; init; }
    public string? SpecId { get; init; }

    /// <summary>Label fabrik.dev/project; counts only where the namespace allows it.</summary>
    public string? Project { get; init; }

    /// <summary>Annotation fabrik.dev/optimize: true, false, or null where it says nothing.</summary>
    public bool? Optimize { get; init; }

    /// <summary>Annotation fabrik.dev/gateway, likewise.</summary>
    public bool? Gateway { get; init; }
    public RunResources Resources { get; init; } = new();
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>How the Job ended or is about to end: the condition that says so.</summary>
    public JobEnd? End { get; init; }
    public int Succeeded { get; init; }
    public int Failed { get; init; }
    public int Completions { get; init; }
    public int BackoffLimit { get; init; }

    /// <summary>Containers of the Pod template, with the init containers.</summary>
    public int Containers { get; init; }

    /// <summary>Names of the ordinary containers, separated by commas; null in evidence that was stored before they were kept.</summary>
    public string? Ordinary { get; init; }
    public Assigned? Assigned { get; init; }

    /// <param name="verify">Reads and checks the signed annotation of a Job; null where there is none or it is not valid.</param>
    public static JobFacts Read(JsonElement job, Func<JsonElement, Assigned?> verify)
    {
        var metadata = job.Get("metadata");
        var labels = metadata.Get("labels");
        var spec = job.Get("spec");
        var pod = spec.Get("template").Get("spec");
        var status = job.Get("status");
        var version = metadata.Version();
        var controller = metadata.Controller();
        var specType = labels.Text(Names.Labels.SpecType);
        var parallelism = spec.Number("parallelism") ?? 1;
        return new JobFacts
        {
            Version = version,
            Namespace = metadata.Text("namespace") ?? "",
            Name = metadata.Text("name") ?? "",
            CreatedAt = metadata.Time("creationTimestamp") ?? DateTimeOffset.UnixEpoch,
            Owner = controller is null ? null : $"{controller.Text("kind")}/{controller.Text("name")}",
            Stratum = controller.Text("uid") ?? HashOf(pod, specType),
            SpecType = specType,
            SpecId = labels.Text(Names.Labels.SpecId),
            Project = labels.Text(Names.Labels.Project),
            Optimize = Word(metadata.Get("annotations").Text(Names.Annotations.Optimize)),
            Gateway = Word(metadata.Get("annotations").Text(Names.Annotations.Gateway)),
            Resources = RunResources.OfPod(pod),
            StartedAt = status.Time("startTime"),
            End = JobEnd.Read(status),
            Succeeded = status.Number("succeeded") ?? 0,
            Failed = status.Number("failed") ?? 0,
            Completions = spec.Number("completions") ?? parallelism,
            BackoffLimit = spec.Number("backoffLimit") ?? 6,
            Containers = pod.Items("containers").Count() + pod.Items("initContainers").Count(),
            Ordinary = string.Join(',', pod.Items("containers").Select(container => container.Text("name"))),
            Assigned = verify(job) is { } assigned ? assigned with { Version = version } : null,
        };
    }

    /// <summary>A Job that was created, ran and was deleted while nobody watched: its Events are all that is left.</summary>
    internal static JobFacts Unseen(EventFacts events) => new()
    {
        Version = 0,
        Namespace = events.Namespace,
        Name = events.Name,
        CreatedAt = events.FirstAt ?? DateTimeOffset.UnixEpoch,
        Stratum = "unknown",
    };

    internal static JobFacts? Merge(JobFacts? a, JobFacts? b)
    {
        if (a is null || b is null) return a ?? b;

        // A Job that has ended stays ended. Versions alone would not tell: after a restore of the API server's store they count from a lower number again.
        var (endedA, endedB) = (a.End is { Final: true }, b.End is { Final: true });
        var newer = (endedA == endedB ? b.Version > a.Version : endedB) ? b : a;
        return newer with { Assigned = Assigned.Merge(a.Assigned, b.Assigned) };
    }

    private static bool? Word(string? said) => said switch { "true" => true, "false" => false, _ => null };

    private static string HashOf(JsonElement? pod, string? specType)
    {
        var text = new StringBuilder(specType).Append('\n');
        foreach (var container in pod.Items("containers"))
        {
            text.Append(container.Text("image"));
            foreach (var word in container.Items("command").Concat(container.Items("args"))) text.Append('\0').Append(word);
            text.Append('\n');
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())).AsSpan(0, 16));
    }
}

/// <summary>A Job's own verdict.</summary>
/// <param name="Final">False for the conditions that only announce the end (SuccessCriteriaMet, FailureTarget).</param>
public sealed record JobEnd(bool Succeeded, bool Final, string? Reason, DateTimeOffset? At)
{
    internal static JobEnd? Read(JsonElement? status)
    {
        JobEnd? announced = null;
        foreach (JsonElement? condition in status.Items("conditions"))
        {
            if (condition.Text("status") != "True") continue;
            var (reason, at) = (condition.Text("reason"), condition.Time("lastTransitionTime"));
            switch (condition.Text("type"))
            {
                case "Complete": return new JobEnd(true, true, reason, status.Time("completionTime") ?? at);
                case "Failed": return new JobEnd(false, true, reason, at);
                case "SuccessCriteriaMet": announced ??= new JobEnd(true, false, reason, at); break;
                case "FailureTarget": announced ??= new JobEnd(false, false, reason, at); break;
                default: break;
            }
        }

        return announced;
    }
}
