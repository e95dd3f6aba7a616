using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Validation;

/// <summary>What the server itself writes into an object on its way to the store.</summary>
public static class Lifecycle
{
    /// <summary>
    /// Before an object is stored for the first time: no status from the caller, generation 1, a Job's selector and labels,
    /// a Secret's stringData, a namespace's finalizer. metadata.name and metadata.uid must be set. Changes the object in place.
    /// </summary>
    public static void PrepareCreate(JsonObject obj)
    {
        var group = Defaults.Group(obj);
        var meta = obj.Child("metadata");
        switch (group, obj["kind"].String())
        {
            case ("batch", "Job"):
                obj["status"] = new JsonObject();
                SelectPods(obj.Child("spec"), meta["name"].String() ?? "", meta["uid"].String() ?? "");
                Defaults.Apply(obj);
                break;
            case ("batch", "CronJob"):
                obj["status"] = new JsonObject();
                break;
            case ("", "Pod"):
                obj["status"] = new JsonObject { ["phase"] = "Pending", ["qosClass"] = QualityOfService.Of(obj.Child("spec")) };
                break;
            case ("", "Namespace"):
                obj["status"] = new JsonObject { ["phase"] = "Active" };
                if (obj.Child("spec")["finalizers"] is not JsonArray finalizers || finalizers.Count == 0) obj.Child("spec")["finalizers"] = new JsonArray("kubernetes");
                break;
            case ("", "Secret"): WriteSecret(obj); break;
            case ("", "ResourceQuota") or ("policy", "PodDisruptionBudget") or ("apps", "Deployment" or "StatefulSet" or "DaemonSet" or "ReplicaSet"):
                obj["status"] = new JsonObject();
                break;
            case ("", "PersistentVolumeClaim"): obj["status"] = new JsonObject { ["phase"] = "Pending" }; break;
            case ("apiextensions.k8s.io", "CustomResourceDefinition"):
                obj["status"] = new JsonObject { ["conditions"] = null, ["acceptedNames"] = new JsonObject { ["plural"] = "", ["kind"] = "" }, ["storedVersions"] = StoredVersions(obj) };
                break;
            default: break;
        }

        if (HasGeneration(group, obj["kind"].String())) meta["generation"] = 1;
    }

    /// <summary>
    /// Before an object replaces another: the status stays unless the write is to it, and then everything else does; the generation rises
    /// with every other change. Changes the object in place.
    /// </summary>
    /// <param name="subresource">Null, or status.</param>
    public static void PrepareUpdate(JsonObject obj, JsonObject old, string? subresource = null)
    {
        var group = Defaults.Group(obj);
        var kind = obj["kind"].String();
        if (subresource == "status")
        {
            foreach (var name in obj.Select(entry => entry.Key).Where(name => name is not ("apiVersion" or "kind" or "metadata" or "status")).ToArray()) obj.Remove(name);
            foreach (var (name, value) in old)
            {
                if (name is not ("apiVersion" or "kind" or "metadata" or "status")) obj[name] = value?.DeepClone();
            }
        }
        else if (old["status"] is { } status && kind is not ("Event" or "Lease"))
        {
            obj["status"] = status.DeepClone();
        }

        if (group.Length == 0 && kind == "Secret") WriteSecret(obj);
        if (!HasGeneration(group, kind)) return;
        var generation = old.At("metadata", "generation").Long() ?? 0;
        obj.Child("metadata")["generation"] = generation + (SameDesire(obj, old) ? 0 : 1);
    }

    /// <summary>Whether two states of an object differ in nothing but metadata and status.</summary>
    public static bool SameDesire(JsonObject one, JsonObject other) =>
        one.Select(entry => entry.Key).Union(other.Select(entry => entry.Key), StringComparer.Ordinal)
            .Where(name => name is not ("apiVersion" or "kind" or "metadata" or "status"))
            .All(name => JsonNode.DeepEquals(one[name], other[name]));

    private static bool HasGeneration(string group, string? kind) => (group, kind) switch
    {
        ("batch" or "apps" or "apiextensions.k8s.io" or "admissionregistration.k8s.io" or "policy" or "networking.k8s.io" or "scheduling.k8s.io", _) => true,
        ("", "Pod" or "ReplicationController") => true,
        _ => group.Length > 0 && ApiTypes.Kind(group, "v1", kind ?? "") is null,
    };

    private static void SelectPods(JsonObject spec, string name, string uid)
    {
        if (spec["manualSelector"].Bool() == true) return;
        var labels = spec.Child("template").Child("metadata").Child("labels");
        labels[Names.Labels.ControllerUid] = uid;
        labels[Names.Labels.JobName] = name;
        labels[Names.Labels.OldControllerUid] = uid;
        labels[Names.Labels.OldJobName] = name;
        spec.Child("selector").Child("matchLabels")[Names.Labels.ControllerUid] = uid;
    }

    private static void WriteSecret(JsonObject secret)
    {
        if (secret["stringData"] is not JsonObject plain) return;
        var data = secret.Child("data");
        foreach (var (name, value) in plain) data[name] = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(value.String() ?? ""));
        secret.Remove("stringData");
    }

    private static JsonArray StoredVersions(JsonObject definition) =>
        [.. definition.At("spec", "versions").Objects().Where(version => version["storage"].Bool() == true).Select(version => version["name"]?.DeepClone())];
}
