using System.Text.Json.Nodes;
using System.Threading.Channels;
using Fabrik.Sandbox.Access;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;
using Microsoft.Extensions.Logging;

namespace Fabrik.Sandbox.Server;

/// <summary>
/// What must follow from a change without anybody asking: dependents of a deleted owner go or are set free, deleted namespaces are emptied,
/// new ones filled, and the logs of a Pod go with it. It works from a queue of the store's changes and never inside a write.
/// </summary>
public sealed partial class GarbageCollector
{
    private readonly Cluster cluster;
    private readonly ILogger logger;
    private readonly Channel<StoreEvent> changes = Channel.CreateUnbounded<StoreEvent>(new() { SingleReader = true });
    private readonly HashSet<string> terminating = new(StringComparer.Ordinal);

    public GarbageCollector(Cluster cluster, ILogger logger)
    {
        this.cluster = cluster;
        this.logger = logger;
        cluster.Store.OnChange = change =>
        {
            // At once: whoever has created a definition may use it in the next request.
            if (change.Object.Type == BuiltInTypes.CustomResourceDefinition) Serve(change);
            changes.Writer.TryWrite(change);
        };
    }

    public async Task RunAsync(CancellationToken ct)
    {
        try
        {
            await foreach (var change in changes.Reader.ReadAllAsync(ct))
            {
                try
                {
                    await FollowAsync(change, ct);
                }
                catch (ApiException)
                {
                    // A webhook or a foreign write stood in the way: the object's next change brings it back here.
                }
                catch (Exception error) when (error is not OperationCanceledException)
                {
                    // One object must not end the collection of all others.
                    Log.FollowFailed(logger, change.Object.Type.GroupResource, change.Object.Key, error);
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private void Serve(StoreEvent change) =>
        cluster.Catalog.SetCustom(change.Object.Name, change.Type == StoreEventType.Deleted ? [] : CustomType.Of(change.Object.Read()));

    private async Task FollowAsync(StoreEvent change, CancellationToken ct)
    {
        var now = change.Object;
        if (now.Namespace.Length > 0) CountQuotas(now);
        if (change.Type == StoreEventType.Deleted)
        {
            if (now.Type == BuiltInTypes.CustomResourceDefinition) DropObjects(now);
            if (now.Type == BuiltInTypes.Pod) cluster.Logs.Remove(now.Namespace, now.Name);
            foreach (var dependent in cluster.Store.DependentsOf(now.Uid)) await ReleaseAsync(dependent, ct);
            foreach (var owner in now.Owners) await FinishForegroundAsync(owner.Uid, ct);
            if (terminating.Contains(now.Namespace)) FinishNamespace(now.Namespace);
            return;
        }

        if (now.Type == BuiltInTypes.Namespace)
        {
            if (now.IsDeleting)
            {
                terminating.Add(now.Name);
                await EmptyNamespaceAsync(now.Name, ct);
            }
            else if (change.Type == StoreEventType.Added) Bootstrap.FillNamespace(cluster, now.Name);
        }

        if (now.IsDeleting) await FollowDeletionAsync(now, ct);
        else if (change.Type == StoreEventType.Added && now.Owners.Length > 0) await ReleaseAsync(now, ct);
    }

    private void DropObjects(StoredObject definition)
    {
        foreach (var type in CustomType.Of(definition.Read()).Take(1))
        {
            foreach (var stored in cluster.Store.Log(type).Now().From(null)) cluster.Store.Remove(stored);
        }
    }

    private void CountQuotas(StoredObject changed)
    {
        if (changed.Type == BuiltInTypes.Event) return;
        foreach (var stored in cluster.Store.Log(BuiltInTypes.ResourceQuota).Now().From(changed.Namespace))
        {
            if (stored.IsDeleting) continue;
            Rewrite(stored, quota => quota["status"] = cluster.Admission.Quotas.Status(quota));
        }
    }

    // A dependent whose owners are all gone is deleted; while one of them lives, only the dead ones are struck out.
    private async Task ReleaseAsync(StoredObject dependent, CancellationToken ct)
    {
        if (dependent.Owners.All(owner => cluster.Store.ByUid(owner.Uid) is not null)) return;
        if (dependent.Owners.All(owner => cluster.Store.ByUid(owner.Uid) is null))
        {
            if (!dependent.IsDeleting) await DeleteAsync(dependent, "Background", Identity.GarbageCollector, ct);
            return;
        }

        Rewrite(dependent, content => RemoveOwners(content, uid => cluster.Store.ByUid(uid) is null));
    }

    private async Task FollowDeletionAsync(StoredObject owner, CancellationToken ct)
    {
        var finalizers = owner.Read().Texts("metadata", "finalizers").ToArray();
        if (finalizers.Contains(ObjectDeleter.OrphanFinalizer))
        {
            foreach (var dependent in cluster.Store.DependentsOf(owner.Uid)) Rewrite(dependent, content => RemoveOwners(content, uid => uid == owner.Uid));
            RemoveFinalizer(owner, ObjectDeleter.OrphanFinalizer);
        }
        else if (finalizers.Contains(ObjectDeleter.ForegroundFinalizer))
        {
            foreach (var dependent in cluster.Store.DependentsOf(owner.Uid).Where(dependent => !dependent.IsDeleting))
            {
                await DeleteAsync(dependent, "Foreground", Identity.GarbageCollector, ct);
            }

            await FinishForegroundAsync(owner.Uid, ct);
        }
    }

    private Task FinishForegroundAsync(string uid, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        if (cluster.Store.ByUid(uid) is { IsDeleting: true } owner
            && !cluster.Store.DependentsOf(uid).Any(dependent => dependent.Owners.Any(each => each.Uid == uid && each.BlocksOwnerDeletion)))
        {
            RemoveFinalizer(owner, ObjectDeleter.ForegroundFinalizer);
        }

        return Task.CompletedTask;
    }

    private async Task EmptyNamespaceAsync(string ns, CancellationToken ct)
    {
        foreach (var stored in Contents(ns).Where(stored => !stored.IsDeleting)) await DeleteAsync(stored, "Background", Identity.NamespaceController, ct);
        FinishNamespace(ns);
    }

    // With the last object of its own the namespace goes too; each of their deletions asks again.
    private void FinishNamespace(string ns)
    {
        if (Contents(ns).Any() || cluster.Store.Get(BuiltInTypes.Namespace, null, ns) is not { IsDeleting: true } home) return;
        if (home.Read().Texts("metadata", "finalizers").Any()) return;
        if (cluster.Store.Remove(home) is not null) terminating.Remove(ns);
    }

    private IEnumerable<StoredObject> Contents(string ns) => cluster.Catalog.All
        .Where(type => type is { Namespaced: true, IsVirtual: false })
        .DistinctBy(type => type.Storage)
        .SelectMany(type => cluster.Store.Log(type).Now().From(ns));

    private async Task DeleteAsync(StoredObject stored, string policy, Identity caller, CancellationToken ct)
    {
        try
        {
            var options = new JsonObject { ["propagationPolicy"] = policy, ["preconditions"] = new JsonObject { ["uid"] = stored.Uid } };
            await cluster.Deletions.DeleteAsync(stored.Type, stored.Namespace, stored.Name, options, new RequestContext(caller), ct);
        }
        catch (ApiException error) when (error.Code is 404 or 409)
        {
            // Gone or replaced by another object of the same name: either way not ours any more.
        }
    }

    private void RemoveFinalizer(StoredObject stored, string finalizer) => Rewrite(stored, content =>
    {
        var left = content.Texts("metadata", "finalizers").Where(each => each != finalizer).ToArray();
        if (left.Length == 0) content.Metadata().Remove("finalizers");
        else content.Metadata()["finalizers"] = new JsonArray([.. left.Select(each => (JsonNode)each)]);
    });

    private static void RemoveOwners(JsonObject content, Func<string, bool> gone)
    {
        JsonNode[] left = [.. content.Items("metadata", "ownerReferences").Where(owner => !gone(owner.Text("uid") ?? "")).Select(owner => owner!.DeepClone())];
        if (left.Length == 0) content.Metadata().Remove("ownerReferences");
        else content.Metadata()["ownerReferences"] = new JsonArray(left);
    }

    private void Rewrite(StoredObject stored, Action<JsonObject> change)
    {
        while (cluster.Store.ByUid(stored.Uid) is { } current)
        {
            var content = current.Read();
            change(content);
            var gone = current.IsDeleting && !content.Texts("metadata", "finalizers").Any()
                && (content.Number("metadata", "deletionGracePeriodSeconds") ?? 0) == 0 && current.Type != BuiltInTypes.Namespace;
            if (JsonNode.DeepEquals(content, current.Read()) && !gone) return;
            if ((gone ? cluster.Store.Remove(current, content) : cluster.Store.Put(current.Type, content, current)) is not null) return;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Error, Message = "What follows from a change of {Resource} {Key} could not be done; its next change tries again")]
        public static partial void FollowFailed(ILogger logger, string resource, string key, Exception error);
    }
}
