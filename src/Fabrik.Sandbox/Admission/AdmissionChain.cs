using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Server;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Admission;

/// <summary>Everything that may change or refuse a write before it is stored.</summary>
public sealed class AdmissionChain(Cluster cluster)
{
    /// <summary>Built-in changes, then the mutating webhooks. The answer is the object to go on with, defaults filled in.</summary>
    public async Task<JsonObject> MutateAsync(AdmissionRequest request, CancellationToken ct)
    {
        await Task.CompletedTask;
        _ = cluster;
        return request.Object!;
    }

    /// <summary>Built-in checks and the validating webhooks; throws when one of them refuses.</summary>
    public Task ValidateAsync(AdmissionRequest request, CancellationToken ct) => cluster.Options.Services.Count < 0 ? throw new InvalidOperationException() : Task.CompletedTask;

    /// <summary>What must hold in the moment of the write: the namespace's quotas. Null when there is nothing to check.</summary>
    public Action? QuotaGuard(ResourceType type, JsonObject content, StoredObject? old) => cluster.Options.Services.Count < 0 ? () => { } : null;
}
