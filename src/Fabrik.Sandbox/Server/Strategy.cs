using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Server;

/// <summary>What single kinds do to their objects on the way into the store, beyond defaults.</summary>
public static class Strategy
{
    public static void PrepareForCreate(ResourceType type, JsonObject content, RequestContext context)
    {
        if (type.HasStatus && type != BuiltInTypes.Node)
        {
            content.Remove("status");
            if (type.Custom is null) content["status"] = new JsonObject();
        }

        switch (type.Storage)
        {
            case "namespaces":
                content.Child("spec")["finalizers"] = new JsonArray("kubernetes");
                content["status"] = new JsonObject { ["phase"] = "Active" };
                break;
            case "pods":
                content["status"] = new JsonObject { ["phase"] = "Pending", ["qosClass"] = QualityOfService(content) };
                break;
            case "secrets":
                MergeStringData(content);
                break;
        }
    }

    /// <summary>What needs the final name: with generateName it is known late.</summary>
    public static void AfterNaming(ResourceType type, JsonObject content)
    {
        if (type == BuiltInTypes.Namespace)
        {
            content.Metadata().Child("labels")[Names.Labels.NamespaceName] = content.Metadata().Text("name");
        }

        if (type == BuiltInTypes.Job) SelectOwnPods(content);
    }

    public static void PrepareForUpdate(ResourceType type, JsonObject content, JsonObject old, string subresource)
    {
        if (type.Storage == "secrets") MergeStringData(content);
        if (type.Storage == "pods" && subresource == "status" && content["status"] is JsonObject status && status["qosClass"] is null && old.Text("status", "qosClass") is { } quality)
        {
            status["qosClass"] = quality;
        }
    }

    /// <summary>Unless the Job brings its own selector, it selects by its uid: labels on the Job and its template, and the selector.</summary>
    private static void SelectOwnPods(JsonObject job)
    {
        var spec = job.Child("spec");
        if (spec.Flag("manualSelector") == true) return;
        var uid = job.Metadata().Text("uid")!;
        var name = job.Metadata().Text("name")!;
        foreach (var labels in (ReadOnlySpan<JsonObject>)[job.Metadata().Child("labels"), spec.Child("template").Metadata().Child("labels")])
        {
            labels["controller-uid"] = uid;
            labels["job-name"] = name;
            labels["batch.kubernetes.io/controller-uid"] = uid;
            labels["batch.kubernetes.io/job-name"] = name;
        }

        spec.Child("selector").Child("matchLabels")["batch.kubernetes.io/controller-uid"] = uid;
    }

    private static void MergeStringData(JsonObject secret)
    {
        if (secret["stringData"] is not JsonObject plain) return;
        foreach (var (name, value) in plain) secret.Child("data")[name] = Convert.ToBase64String(Encoding.UTF8.GetBytes(value.Text() ?? ""));
        secret.Remove("stringData");
    }

    private static string QualityOfService(JsonObject pod)
    {
        var any = false;
        var guaranteed = true;
        foreach (var container in pod.Items("spec", "containers").Concat(pod.Items("spec", "initContainers")))
        {
            foreach (var resource in (ReadOnlySpan<string>)["cpu", "memory"])
            {
                var request = container.Text("resources", "requests", resource);
                var limit = container.Text("resources", "limits", resource);
                any |= request is not null || limit is not null;
                guaranteed &= limit is not null && (request is null || request == limit);
            }
        }

        return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
    }
}
