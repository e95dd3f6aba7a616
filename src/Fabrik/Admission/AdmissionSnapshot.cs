using System.Collections.Frozen;
using System.Text;
using System.Text.Json;
using Fabrik.Experiments;

namespace Fabrik.Admission;

/// <summary>Everything a review needs besides the request, immutable and made ready off the request path.</summary>
public sealed class AdmissionSnapshot
{
    /// <summary>Silence of the watches after which no arm is drawn: a rolled-back arm must not live on.</summary>
    public static readonly TimeSpan ArmsFreshFor = TimeSpan.FromSeconds(90);

    /// <summary>Silence after which applied changes are no longer put on either.</summary>
    public static readonly TimeSpan AppliedFreshFor = ArmsFreshFor + TimeSpan.FromMinutes(10);

    private readonly FrozenDictionary<string, NamespaceFacts> namespaces;

    private AdmissionSnapshot(AdmissionInputs inputs, FrozenDictionary<string, NamespaceFacts> namespaces)
    {
        var policy = inputs.Policy?.Spec ?? new PolicySpec();
        this.namespaces = namespaces;
        Keys = inputs.Keys;
        Gateway = inputs.Gateway;
        Salt = Encoding.UTF8.GetBytes(policy.Salt);
        IsPaused = policy.Paused;
        Runs = new RunSafety(policy.Runs, inputs.GateImage);
        RuntimeClasses = [.. policy.RuntimeClasses.Select(Json.String)];
        Nodes = new NodeCapacity(inputs.Nodes);
        KubernetesMinor = inputs.KubernetesMinor;
        var changes = inputs.Changes
            .Where(change => change.Metadata.Namespace is null or Names.SystemNamespace)
            .Where(change => change.Spec.Type != ChangeType.Spec)
            .ToLookup(change => change.Phase);
        (Applied, Experiments, Problems) = Compile([.. changes[Phase.ExperimentRunning], .. changes[Phase.Applied]], policy);
        RolledBack = [.. changes[Phase.RolledBack].Select(change => CompiledChange.Of(change, policy, out _)).OfType<CompiledChange>()];
    }

    /// <summary>Changes that cannot be put on as they stand, and why: worth a log line when the snapshot is made.</summary>
    public IReadOnlyList<string> Problems { get; }

    internal AssignmentKeys Keys { get; }
    internal GatewayAddress? Gateway { get; }
    internal byte[] Salt { get; }
    internal bool IsPaused { get; }
    internal RunSafety Runs { get; }
    internal byte[][] RuntimeClasses { get; }
    internal NodeCapacity Nodes { get; }
    internal int KubernetesMinor { get; }

    /// <summary>In the order in which they go on.</summary>
    internal CompiledChange[] Applied { get; }

    /// <summary>By slot.</summary>
    internal CompiledChange[] Experiments { get; }

    /// <summary>Jobs that these are for say so in a label.</summary>
    internal CompiledChange[] RolledBack { get; }

    public static AdmissionSnapshot Create(AdmissionInputs inputs)
    {
        var found = new Dictionary<string, NamespaceFacts>(StringComparer.Ordinal);
        foreach (var one in inputs.Namespaces)
            if (one.Member("metadata"u8).Member("name"u8).Text() is { } name) found[name] = new NamespaceFacts(name, one.Member("metadata"u8));
        foreach (var one in inputs.LimitRanges) Of(one)?.AddLimitRange(one);
        foreach (var one in inputs.ResourceQuotas) Of(one)?.AddQuota(one);
        return new AdmissionSnapshot(inputs, found.ToFrozenDictionary(StringComparer.Ordinal));

        NamespaceFacts? Of(JsonElement one) => one.Member("metadata"u8).Member("namespace"u8).Text() is { } name ? found.GetValueOrDefault(name) : null;
    }

    internal NamespaceFacts? Namespace(ReadOnlySpan<byte> name)
    {
        Span<char> characters = stackalloc char[64];
        return name.Length < characters.Length && Encoding.UTF8.TryGetChars(name, characters, out var length)
            && namespaces.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(characters[..length], out var facts) ? facts : null;
    }

    /// <summary>The experiment that treats a bucket, whichever Jobs it is for.</summary>
    internal CompiledChange? Treating(int bucket)
    {
        foreach (var change in Experiments)
            if (AssignmentBuckets.IsTreated(bucket, change.Slot, change.Share)) return change;
        return null;
    }

    /// <summary>The applied change that a bucket goes on without, whichever Jobs it is for.</summary>
    internal CompiledChange? HeldBack(int bucket)
    {
        foreach (var change in Applied)
            if (change.Holdback >= 0 && AssignmentBuckets.IsHeldBack(bucket, change.Holdback)) return change;
        return null;
    }

    private static (CompiledChange[] Applied, CompiledChange[] Experiments, string[] Problems) Compile(IReadOnlyList<OptimizationChange> changes, PolicySpec policy)
    {
        var (applied, experiments, problems) = (new List<CompiledChange>(), new CompiledChange?[AssignmentBuckets.Slots], new List<string>());
        var live = changes
            .OrderBy(change => change.Phase == Phase.Applied ? change.Status.LastAppliedAt : change.Status.StartedAt)
            .ThenBy(change => change.Name, StringComparer.Ordinal);
        var homeless = new List<CompiledChange>();
        foreach (var change in live)
        {
            var compiled = CompiledChange.Of(change, policy, out var problem);
            if (compiled is null) problems.Add($"change {change.Name} is left out: {problem}");
            else if (change.Phase == Phase.Applied) applied.Add(compiled);
            else if (change.Status.Slot is null) homeless.Add(compiled);
            else if (compiled.Slot is < 0 or >= AssignmentBuckets.Slots) problems.Add($"experiment {change.Name} is left out: status.slot must be 0, 1 or 2");
            else if (experiments[compiled.Slot] is { } other) problems.Add($"experiment {change.Name} is left out: {other.Name} has slot {compiled.Slot}");
            else experiments[compiled.Slot] = compiled;
        }

        // Started by hand, without the scheduler's slot: the free ones in the same order every time.
        foreach (var change in homeless)
        {
            var free = Array.IndexOf(experiments, null);
            if (free < 0) problems.Add($"experiment {change.Name} is left out: all {AssignmentBuckets.Slots} slots are taken");
            else experiments[free] = change with { Slot = free };
        }

        return ([.. applied], [.. experiments.OfType<CompiledChange>()], [.. problems]);
    }
}
