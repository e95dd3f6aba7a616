using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Installation;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Installing;

/// <summary>Server-side apply of manifests: what is there already becomes as they say, and what others own stays theirs.</summary>
internal sealed class Applier(KubernetesClient cluster, bool dryRun)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private readonly Dictionary<(string ApiVersion, string Kind), ResourceKind> kinds = [];
    private readonly Dictionary<string, bool> namespaces = new(StringComparer.Ordinal);

    /// <summary>What could not be applied as it is, in words.</summary>
    public List<string> Notes { get; } = [];

    public async Task<KubeObject> ApplyAsync(JsonObject item, CancellationToken ct)
    {
        var kind = await KindAsync(item, ct);
        var ns = item.Namespace();
        var sent = (JsonObject)item.DeepClone();
        if (kind == Kinds.StatefulSet) await KeepClaimsAsync(sent, ct);
        if (dryRun && ns is not null && !await ExistsAsync(ns, ct))
        {
            // Nothing can be tried in a namespace that is not there yet.
            ns = "default";
            sent["metadata"]!["namespace"] = ns;
        }

        return await cluster.PatchAsync(kind, ns, item.Name(), PatchType.Apply, sent, ct, new WriteOptions { Force = true, DryRun = dryRun, FieldValidation = "Strict" });
    }

    /// <summary>Until a definition's kind is served.</summary>
    public async Task EstablishedAsync(string definition, TimeProvider clock, CancellationToken ct)
    {
        while (true)
        {
            var found = await cluster.GetAsync(Kinds.CustomResourceDefinition, null, definition, ct);
            if (found.Json.Holds("Established")) return;
            await Task.Delay(Pause, clock, ct);
        }
    }

    /// <summary>The claims of a StatefulSet that exists cannot be changed; it goes on with those it has.</summary>
    private async Task KeepClaimsAsync(JsonObject item, CancellationToken ct)
    {
        if (await cluster.FindAsync(Kinds.StatefulSet, item.Namespace(), item.Name(), ct) is not { } present || item["spec"]?["volumeClaimTemplates"] is not JsonArray wanted) return;
        foreach (var claim in wanted.OfType<JsonObject>())
        {
            var old = present.Json.List("spec", "volumeClaimTemplates").FirstOrDefault(one => one.Text("metadata", "name") == claim.Name());
            if (old.ValueKind == System.Text.Json.JsonValueKind.Undefined) continue;
            var (have, ask) = (old.Text("spec", "resources", "requests", "storage"), claim["spec"]?["resources"]?["requests"]?["storage"]?.ToString());
            if (have != ask) Notes.Add($"volume {claim.Name()} of {item.Name()} keeps its size of {have}; {ask} would be new: enlarge the claim itself, where its storage class allows that");
            if (old.Text("spec", "storageClassName") is { } storageClass && claim["spec"]?["storageClassName"]?.ToString() is { } other && other != storageClass) Notes.Add($"volume {claim.Name()} of {item.Name()} keeps its storage class {storageClass}");
            var spec = JsonObject.Create(old.At("spec").Clone())!;
            foreach (var filled in (string[])["volumeMode"]) spec.Remove(filled);
            if (claim["spec"]?["storageClassName"] is null) spec.Remove("storageClassName");
            claim["spec"] = spec;
        }
    }

    private async Task<bool> ExistsAsync(string ns, CancellationToken ct)
    {
        if (namespaces.TryGetValue(ns, out var known)) return known;
        return namespaces[ns] = await cluster.FindAsync(Kinds.Namespace, null, ns, ct) is not null;
    }

    private async Task<ResourceKind> KindAsync(JsonObject item, CancellationToken ct)
    {
        var key = (item["apiVersion"]?.ToString() ?? "", item.Kind());
        if (kinds.TryGetValue(key, out var known)) return known;
        return kinds[key] = await Discovery.FindAsync(cluster, key.Item1, key.Item2, ct)
            ?? throw new CommandException(ExitCode.Error, "FAB-1102", $"the cluster does not serve {key.Item2} ({key.Item1})", $"{item.Name()} is one", "fabrik install --dry-run shows what else is missing; a newer Kubernetes, or what brings this kind, is needed");
    }
}
