using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Admission;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;
using Fabrik.Sandbox.Validation;

namespace Fabrik.Sandbox.Server;

/// <summary>Deletion: at once, or begun (deletionTimestamp) where a grace period, a finalizer or a namespace's content stands in the way.</summary>
public sealed class ObjectDeleter(Cluster cluster)
{
    public const string ForegroundFinalizer = "foregroundDeletion";
    public const string OrphanFinalizer = "orphan";

    private const string JobsOrphanWarning =
        "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning";

    /// <summary>The object as it is after the call and whether it is gone.</summary>
    public async Task<(StoredObject Object, bool Gone)> DeleteAsync(
        ResourceType type, string? ns, string name, JsonObject options, RequestContext context, CancellationToken ct)
    {
        var policy = Policy(type, options, context);
        while (true)
        {
            var current = cluster.Store.Get(type, ns, name) ?? throw ApiException.NotFound(type, name);
            Check(current, options);
            var request = new AdmissionRequest("DELETE", type, "", type.Namespaced ? ns : null, name, null, current, context) { DeleteOptions = options };
            await cluster.Admission.MutateAsync(request, ct);
            await cluster.Admission.ValidateAsync(request, ct);

            var content = current.Read();
            var metadata = content.Metadata();
            var grace = GracePeriod(type, content, options);
            var finalizers = Finalizers(metadata, policy);
            var waits = finalizers.Count > 0 || grace > 0 || type == BuiltInTypes.Namespace;
            if (!waits)
            {
                if (type == BuiltInTypes.Pod) Begin(metadata, 0);
                if (context.DryRun) return (current, true);
                if (cluster.Store.Remove(current, content) is { } last) return (last, true);
                continue;
            }

            var changed = SetFinalizers(metadata, finalizers);
            if (!current.IsDeleting)
            {
                Begin(metadata, grace, type == BuiltInTypes.Namespace);
                changed = true;
            }
            else if (grace < (metadata.Number("deletionGracePeriodSeconds") ?? 0))
            {
                metadata["deletionTimestamp"] = ObjectJson.Time((metadata.Time("deletionTimestamp") ?? cluster.Clock.GetUtcNow())
                    + TimeSpan.FromSeconds(grace - (metadata.Number("deletionGracePeriodSeconds") ?? 0)));
                metadata["deletionGracePeriodSeconds"] = grace;
                changed = true;
            }

            if (type == BuiltInTypes.Namespace) content.Child("status")["phase"] = "Terminating";
            if (!changed) return (current, false);
            if (context.DryRun) return (new StoredObject(type, content, current.ResourceVersion), false);
            if (cluster.Store.Put(type, content, current) is { } stored) return (stored, false);
        }
    }

    private void Begin(JsonObject metadata, long grace, bool isNamespace = false)
    {
        metadata["deletionTimestamp"] = ObjectJson.Time(cluster.Clock.GetUtcNow() + TimeSpan.FromSeconds(grace));
        if (!isNamespace) metadata["deletionGracePeriodSeconds"] = grace;
        if (metadata.Number("generation") is { } generation) metadata["generation"] = generation + 1;
    }

    private static void Check(StoredObject current, JsonObject options)
    {
        if (options.Text("preconditions", "uid") is { } uid && uid != current.Uid)
        {
            // By its kind, not by the resource: so words the real server just this refusal.
            var details = ApiException.Details(current.Type, current.Name);
            details["kind"] = current.Type.Kind;
            throw new ApiException(
                409,
                "Conflict",
                $"Operation cannot be fulfilled on {current.Type.GroupKind} \"{current.Name}\": the UID in the precondition ({uid}) does not match the UID in record ({current.Uid}). The object might have been deleted and then recreated",
                details);
        }

        var version = current.ResourceVersion.ToString(CultureInfo.InvariantCulture);
        if (options.Text("preconditions", "resourceVersion") is { } wanted && wanted != version)
        {
            throw ApiException.Conflict(
                current.Type, current.Name, $"Precondition failed: ResourceVersion in precondition: {wanted}, ResourceVersion in object meta: {version}");
        }
    }

    // Jobs keep their Pods unless the caller says otherwise: an old promise of batch/v1, with its warning.
    private static string Policy(ResourceType type, JsonObject options, RequestContext context)
    {
        if (options.Text("propagationPolicy") is { } policy)
        {
            return policy is "Background" or "Foreground" or "Orphan"
                ? policy
                : throw ApiException.InvalidOptions("DeleteOptions", FieldError.NotSupported("propagationPolicy", policy, "Foreground", "Background", "Orphan", "nil"));
        }

        if (options.Flag("orphanDependents") is { } orphan) return orphan ? "Orphan" : "Background";
        if (type != BuiltInTypes.Job) return "Background";
        context.Warn(JobsOrphanWarning);
        return "Orphan";
    }

    private static List<string> Finalizers(JsonObject metadata, string policy)
    {
        List<string> finalizers = [.. metadata.Texts("finalizers")];
        if (policy == "Background" && metadata["deletionTimestamp"] is null) finalizers.RemoveAll(each => each is ForegroundFinalizer or OrphanFinalizer);
        if (policy == "Foreground" && !finalizers.Contains(ForegroundFinalizer)) finalizers.Add(ForegroundFinalizer);
        if (policy == "Orphan" && !finalizers.Contains(OrphanFinalizer)) finalizers.Add(OrphanFinalizer);
        return finalizers;
    }

    private static bool SetFinalizers(JsonObject metadata, List<string> finalizers)
    {
        if (metadata.Texts("finalizers").SequenceEqual(finalizers)) return false;
        metadata["finalizers"] = new JsonArray([.. finalizers.Select(each => (JsonNode)each)]);
        return true;
    }

    // Only Pods on a node wait for their containers; a namespace waits for its content.
    private static long GracePeriod(ResourceType type, JsonObject content, JsonObject options)
    {
        if (type != BuiltInTypes.Pod) return 0;
        if (string.IsNullOrEmpty(content.Text("spec", "nodeName")) || content.Text("status", "phase") is "Succeeded" or "Failed") return 0;
        return Math.Max(0, options.Number("gracePeriodSeconds") ?? content.Number("spec", "terminationGracePeriodSeconds") ?? 30);
    }
}
