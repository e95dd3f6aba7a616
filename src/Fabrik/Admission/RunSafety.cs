using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Experiments;

namespace Fabrik.Admission;

/// <summary>
/// The policy's defaults of runs, ready for the request path. They fill in what a Job leaves unset and change nothing that it says: what is not allowed
/// is refused by Kubernetes, with a reason. They are the same in every arm, and stand on the Job before a change is put on it.
/// </summary>
internal sealed class RunSafety
{
    public static readonly byte[] TmpName = Encoding.ASCII.GetBytes(Names.Objects.TmpVolume);
    public static readonly byte[] GateName = Encoding.ASCII.GetBytes(Names.Objects.GateContainer);

    private static readonly byte[] True = "true"u8.ToArray();
    private static readonly byte[] False = "false"u8.ToArray();
    private static readonly byte[] Seccomp = """{"type":"RuntimeDefault"}"""u8.ToArray();
    private static readonly byte[] DropAll = """{"drop":["ALL"]}"""u8.ToArray();
    private static readonly byte[] Tmp = Encoding.ASCII.GetBytes($$$"""{"name":"{{{Names.Objects.TmpVolume}}}","emptyDir":{}}""");
    private static readonly byte[] TmpMount = Encoding.ASCII.GetBytes($$"""{"name":"{{Names.Objects.TmpVolume}}","mountPath":"/tmp"}""");

    private readonly byte[] user;
    private readonly byte[] group;
    private readonly bool isReadOnly;
    private readonly byte[] deadline;
    private readonly byte[] ttl;
    private readonly byte[]? runtimeClass;
    private readonly (byte[] Key, byte[] Value)[] nodeSelector;
    private readonly JsonElement[] tolerations;
    private readonly bool isGated;
    private readonly byte[] gate;

    /// <param name="gateImage">For what the policy does not say.</param>
    public RunSafety(RunDefaults defaults, string gateImage)
    {
        user = Json.Number(defaults.RunAsUser);
        group = Json.Number(defaults.RunAsGroup);
        isReadOnly = defaults.ReadOnlyRootFilesystem;
        deadline = Json.Number(defaults.ActiveDeadlineSeconds);
        ttl = Json.Number(defaults.TtlSecondsAfterFinished);
        runtimeClass = defaults.RuntimeClassName is { } name ? Json.String(name) : null;
        nodeSelector = [.. (defaults.NodeSelector ?? new Dictionary<string, string>()).OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => (Encoding.UTF8.GetBytes(pair.Key), Json.String(pair.Value)))];
        tolerations = [.. (defaults.Tolerations ?? []).Where(one => one.ValueKind == JsonValueKind.Object)];
        isGated = defaults.Gate;
        gate = GateContainer(defaults.GateImage ?? gateImage);
    }

    /// <summary>The group of a run, as JSON.</summary>
    public byte[] Group => group;

    /// <summary>Whether anything of this is for the Job.</summary>
    public static bool IsWanted(JobDraft job, NamespaceFacts facts) => facts.IsUntrusted || IsGateAsked(job);

    /// <summary>All but <see cref="PutTtl"/>.</summary>
    public void Put(JobDraft job, NamespaceFacts facts)
    {
        if ((facts.IsUntrusted && isGated) || IsGateAsked(job)) Fill(job, job.Gate, gate);
        if (!facts.IsUntrusted || job.Safety is not { IsSound: true } safety) return;
        Fill(job, safety.Deadline, deadline);
        Fill(job, safety.ServiceAccountToken, False);
        Fill(job, safety.NonRoot, True);
        Fill(job, safety.User, user);
        Fill(job, safety.Group, group);
        Fill(job, safety.VolumeGroup, group);
        Fill(job, safety.Seccomp, Seccomp);
        if (runtimeClass is not null) Fill(job, job.RuntimeClass, runtimeClass);
        Pool(job);
        var needsTmp = false;
        foreach (var container in job.Containers)
        {
            // Nothing is taken from a container that is to be privileged: it would not be a valid one.
            if (!container.IsPrivileged) Fill(job, container.NoEscalation, False);
            if (container.WithoutCapabilities(DropAll) is { } dropped) job.Set(container.Capabilities, dropped);
            if (!isReadOnly) continue;
            Fill(job, container.ReadOnlyRoot, True);
            if (!container.ReadOnlyRoot.Current.Span.SequenceEqual(True) || container.Mounts("/tmp"u8)) continue;
            Fill(job, container.Mount, TmpMount);
            needsTmp = true;
        }

        if (needsTmp) Fill(job, safety.Volume, Tmp);
    }

    /// <summary>After every change: a change of it is for Jobs that have none.</summary>
    public void PutTtl(JobDraft job, NamespaceFacts facts)
    {
        if (facts.IsUntrusted) Fill(job, job.Ttl, ttl);
    }

    /// <summary>Whole or not at all: the tolerations let Pods onto the nodes that the selector names.</summary>
    private void Pool(JobDraft job)
    {
        if (job.HasNodeSelector() || job.Pod.Member("nodeName"u8).ValueKind != JsonValueKind.Undefined || job.Pod.Member("affinity"u8).Member("nodeAffinity"u8).ValueKind != JsonValueKind.Undefined) return;
        foreach (var (key, value) in nodeSelector) Fill(job, job.NodeSelectorFor(key), value);
        if (tolerations.Length > 0 && TolerationList.Merge(job.Tolerations.Current, tolerations) is { } merged) job.Set(job.Tolerations, merged);
    }

    private static void Fill(JobDraft job, JobValue value, byte[] with)
    {
        if (value.Current.Length == 0) job.Set(value, with);
    }

    private static bool IsGateAsked(JobDraft job) => job.AnnotationsElement.Member(Utf8Names.Gate).Is("true"u8);

    /// <summary>With every default of Kubernetes and in its order, so that it comes back as it was written.</summary>
    private static byte[] GateContainer(string image)
    {
        return Json.Utf8(new JsonObject
        {
            ["name"] = Names.Objects.GateContainer,
            ["image"] = image,
            ["resources"] = new JsonObject { ["limits"] = new JsonObject { ["cpu"] = "500m", ["memory"] = "128Mi" }, ["requests"] = new JsonObject { ["cpu"] = "50m", ["memory"] = "64Mi" } },
            ["terminationMessagePath"] = "/dev/termination-log",
            ["terminationMessagePolicy"] = "FallbackToLogsOnError",
            ["imagePullPolicy"] = "IfNotPresent",
            ["securityContext"] = new JsonObject
            {
                ["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") },
                ["runAsUser"] = 65532,
                ["runAsGroup"] = 65532,
                ["runAsNonRoot"] = true,
                ["readOnlyRootFilesystem"] = true,
                ["allowPrivilegeEscalation"] = false,
                ["seccompProfile"] = new JsonObject { ["type"] = "RuntimeDefault" },
            },
        });
    }
}
