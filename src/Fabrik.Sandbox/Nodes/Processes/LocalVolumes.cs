using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;

namespace Fabrik.Sandbox.Nodes.Processes;

/// <summary>A storage class whose volumes are directories of the node, where the cluster has no class at all.</summary>
internal sealed class LocalVolumes(KubernetesClient client, ProcessNodeOptions options)
{
    private const string Class = "fabrik-local";

    public async Task RunAsync(CancellationToken ct)
    {
        await foreach (var _ in client.ListAsync(Kinds.StorageClass, null, ct)) return;
        await client.CreateAsync(Kinds.StorageClass, null, new JsonObject
        {
            ["apiVersion"] = "storage.k8s.io/v1",
            ["kind"] = "StorageClass",
            ["metadata"] = new JsonObject { ["name"] = Class, ["annotations"] = new JsonObject { ["storageclass.kubernetes.io/is-default-class"] = "true" } },
            ["provisioner"] = "kubernetes.io/no-provisioner",
        }, ct);
        var queue = new WorkQueue(TimeProvider.System, "claims", (key, stop) => BindAsync(key, stop), options.Log);
        var claims = new Informer(client, Kinds.PersistentVolumeClaim, TimeProvider.System, new InformerOptions { OnEvent = change => queue.Add(change.Object.Key) });
        await Task.WhenAll(claims.RunAsync(ct), queue.RunAsync(1, ct));
    }

    private async Task<TimeSpan?> BindAsync(string key, CancellationToken ct)
    {
        var (ns, name) = (key.Split('/')[0], key.Split('/')[1]);
        KubeObject claim;
        try
        {
            claim = await client.GetAsync(Kinds.PersistentVolumeClaim, ns, name, ct);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            await ForgetAsync(key, ct);
            return null;
        }

        if (claim.Json.Text("status", "phase") == "Bound" || (claim.Json.Text("spec", "storageClassName") ?? Class) != Class) return null;
        var volume = $"fabrik-{claim.Uid}";
        var spec = new JsonObject
        {
            ["capacity"] = new JsonObject { ["storage"] = claim.Json.Text("spec", "resources", "requests", "storage") },
            ["accessModes"] = claim.Json.At("spec", "accessModes").Copy(),
            ["persistentVolumeReclaimPolicy"] = "Retain",
            ["storageClassName"] = Class,
            ["hostPath"] = new JsonObject { ["path"] = Path.Combine(options.Directory, "claims", $"{ns}-{name}") },
            ["claimRef"] = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "PersistentVolumeClaim", ["namespace"] = ns, ["name"] = name, ["uid"] = claim.Uid },
        };
        try
        {
            await client.CreateAsync(Kinds.PersistentVolume, null, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "PersistentVolume", ["metadata"] = new JsonObject { ["name"] = volume }, ["spec"] = spec }, ct);
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            // Made before; its binding is under way.
        }

        if (!options.Schedules) return null;
        await client.PatchAsync(Kinds.PersistentVolumeClaim, ns, name, PatchType.Merge, new JsonObject { ["spec"] = new JsonObject { ["volumeName"] = volume } }, ct);
        await client.PatchAsync(Kinds.PersistentVolumeClaim, ns, name, PatchType.Merge, new JsonObject { ["status"] = new JsonObject { ["phase"] = "Bound" } }, ct, new WriteOptions { Subresource = "status" });
        return null;
    }

    /// <summary>With its claim the volume goes, and what is in it.</summary>
    private async Task ForgetAsync(string key, CancellationToken ct)
    {
        await foreach (var volume in client.ListAsync(Kinds.PersistentVolume, null, ct))
        {
            if (volume.Json.Text("spec", "storageClassName") != Class || $"{volume.Json.Text("spec", "claimRef", "namespace")}/{volume.Json.Text("spec", "claimRef", "name")}" != key) continue;
            if (volume.Json.Text("spec", "hostPath", "path") is { } path && Directory.Exists(path)) Directory.Delete(path, recursive: true);
            await client.DeleteAsync(Kinds.PersistentVolume, null, volume.Name, ct);
        }
    }
}
