using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fabrik.Tests.Runs;

/// <summary>Objects of the API server with sane defaults; a test says only what matters to it.</summary>
internal static class Some
{
    public static JsonElement Namespace(string name, bool enabled = true, string? project = null, string? projects = null)
    {
        var labels = new JsonObject { [Fabrik.Names.Labels.Enabled] = enabled ? "true" : "false" };
        if (project is not null) labels[Fabrik.Names.Labels.Project] = project;
        var annotations = new JsonObject();
        if (projects is not null) annotations[Fabrik.Names.Annotations.Projects] = projects;
        return Element(new JsonObject { ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = name, ["labels"] = labels, ["annotations"] = annotations } });
    }

    public static JsonElement Element(JsonNode node) => JsonDocument.Parse(node.ToJsonString()).RootElement;
}
