using System.Text.Json;
using Fabrik.Decisions;
using Fabrik.Experiments;
using Fabrik.Kubernetes;

namespace Fabrik.CronJobs.Decisions;

/// <summary>The objects that say what should be, as the scheduled tasks read them.</summary>
public sealed partial class OptimizerObjects(KubernetesClient cluster, ILogger<OptimizerObjects> logger)
{
    /// <summary>Changes of the control namespace. One that was edited into nonsense is left out, and told: it must not keep the others from going on.</summary>
    /// <exception cref="KubernetesException">The API server did not tell them.</exception>
    public async Task<(IReadOnlyList<OptimizationChange> Changes, IReadOnlySet<string> Present)> ChangesAsync(CancellationToken ct)
    {
        var (changes, present) = (new List<OptimizationChange>(), new HashSet<string>(StringComparer.Ordinal));
        await foreach (var one in cluster.ListAsync(Kinds.OptimizationChange, Names.SystemNamespace, ct))
        {
            present.Add(one.Uid ?? one.Name);
            try
            {
                changes.Add(ObjectJson.Change(one.Json));
            }
            catch (JsonException e)
            {
                Log.Unreadable(logger, one.Name, e.Message);
            }
        }

        return (changes, present);
    }

    /// <summary>The defaults where there is none.</summary>
    /// <exception cref="KubernetesException">The API server did not tell it.</exception>
    public async Task<PolicySpec> PolicyAsync(CancellationToken ct) => (await FindPolicyAsync(ct))?.Spec ?? new PolicySpec();

    /// <returns>Null where there is none.</returns>
    /// <exception cref="KubernetesException">The API server did not tell it.</exception>
    public async Task<OptimizerPolicy?> FindPolicyAsync(CancellationToken ct)
    {
        try
        {
            return ObjectJson.Policy((await cluster.GetAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, ct)).Json);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    /// <exception cref="KubernetesException">The API server did not tell them.</exception>
    public async Task<IReadOnlyList<NamespaceLabels>> NamespacesAsync(CancellationToken ct)
    {
        var namespaces = new List<NamespaceLabels>();
        await foreach (var one in cluster.ListAsync(Kinds.Namespace, null, ct)) namespaces.Add(new NamespaceLabels(one.Name, one.Label(Names.Labels.Environment)));
        return namespaces;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "Change {Change} cannot be read and is left out: {Why}")]
        public static partial void Unreadable(ILogger logger, string change, string why);
    }
}
