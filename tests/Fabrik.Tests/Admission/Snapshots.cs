using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Admission;
using Fabrik.Experiments;

namespace Fabrik.Tests.Admission;

/// <summary>Snapshots from JSON as short as a test can say it: {"policy": spec, "changes": [{name, phase, slot, share, change, target}], "namespaces": {name: labels}, "projects": {namespace: list}, "gateway": address, "gateImage": image, ...}.</summary>
internal static class Snapshots
{
    public static AdmissionSnapshot Of(string json) => Of(JsonNode.Parse(json, documentOptions: new() { CommentHandling = JsonCommentHandling.Skip })!.AsObject());

    public static AdmissionSnapshot Of(JsonObject json)
    {
        var snapshot = AdmissionSnapshot.Create(new AdmissionInputs
        {
            Keys = Reviewed.Keys,
            Gateway = json["gateway"] is { } gateway ? new GatewayAddress(new Uri(gateway.GetValue<string>()), Reviewed.TokenKeys) : null,
            GateImage = json["gateImage"]?.GetValue<string>() ?? Names.Images.Gate,
            Policy = json["policy"] is { } policy ? ObjectJson.Policy(Element(new JsonObject { ["metadata"] = new JsonObject { ["name"] = "default" }, ["spec"] = policy.DeepClone() })) : null,
            Changes = [.. (json["changes"]?.AsArray() ?? []).Select(one => ObjectJson.Change(Element(Change(one!.AsObject()))))],
            Namespaces = [.. (json["namespaces"]?.AsObject() ?? []).Select(one => Element(Namespace(one.Key, one.Value, json["projects"]?[one.Key])))],
            LimitRanges = Objects(json["limitRanges"], limits => new JsonObject { ["limits"] = limits }),
            ResourceQuotas = [.. (json["resourceQuotas"]?.AsArray() ?? []).Select(one => Element(one!))],
            Nodes = [.. (json["nodes"]?.AsArray() ?? []).Select(one => Element(new JsonObject { ["status"] = new JsonObject { ["allocatable"] = one!.DeepClone() } }))],
            KubernetesMinor = json["kubernetesMinor"]?.GetValue<int>() ?? 36,
        });
        if (json["problems"]?.GetValue<int>() is not { } problems) problems = 0;
        snapshot.Problems.Count.ShouldBe(problems, string.Join("; ", snapshot.Problems));
        return snapshot;
    }

    private static JsonObject Namespace(string name, JsonNode? labels, JsonNode? projects)
    {
        var metadata = new JsonObject { ["name"] = name, ["labels"] = labels?.DeepClone() };
        if (projects is not null) metadata["annotations"] = new JsonObject { [Names.Annotations.Projects] = projects.DeepClone() };
        return new JsonObject { ["metadata"] = metadata };
    }

    private static JsonObject Change(JsonObject one)
    {
        var spec = new JsonObject { ["type"] = one["type"]?.DeepClone() ?? "resource", ["change"] = one["change"]!.DeepClone(), ["experiment"] = new JsonObject { ["share"] = 0.1 }, ["goal"] = "win", ["risk"] = "low" };
        if (one["target"] is { } target) spec["target"] = target.DeepClone();
        var status = new JsonObject { ["phase"] = one["phase"]?.DeepClone() ?? "experiment_running" };
        foreach (var field in new[] { "slot", "share", "holdback", "lastAppliedAt" })
            if (one[field] is { } value) status[field] = value.DeepClone();
        return new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = one["name"]!.DeepClone(), ["namespace"] = Names.SystemNamespace, ["generation"] = 2 },
            ["spec"] = spec,
            ["status"] = status,
        };
    }

    private static JsonElement[] Objects(JsonNode? byNamespace, Func<JsonNode?, JsonObject> spec) =>
        [.. (byNamespace?.AsObject() ?? []).Select(one => Element(new JsonObject { ["metadata"] = new JsonObject { ["namespace"] = one.Key }, ["spec"] = spec(one.Value?.DeepClone()) }))];

    private static JsonElement Element(JsonNode node) => JsonSerializer.SerializeToElement(node);
}
