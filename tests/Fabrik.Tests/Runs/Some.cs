using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fabrik.Tests.Runs;

/// <summary>Objects of the API server with sane defaults; a test says only what matters to it.</summary>
internal static class Some
{
    public static JsonElement Namespace(string name, bool enabled = true, string? project = null, string? projects = null, bool gateway = false)
    {
        var labels = new JsonObject { [Fabrik.Names.Labels.Enabled] = enabled ? "true" : "false" };
        if (gateway) labels[Fabrik.Names.Labels.Gateway] = "true";
        if (project is not null) labels[Fabrik.Names.Labels.Project] = project;
        var annotations = new JsonObject();
        if (projects is not null) annotations[Fabrik.Names.Annotations.Projects] = projects;
        return Element(new JsonObject { ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = name, ["labels"] = labels, ["annotations"] = annotations } });
    }

    /// <summary>One that succeeded after ten minutes.</summary>
    public static Fabrik.Runs.Run Run(string id = "run-1", string name = "a", double minutes = 10) => new()
    {
        Id = id,
        Namespace = "ci",
        Name = name,
        Arm = Fabrik.Experiments.Arm.None,
        Stratum = "s",
        CreatedAt = Usage.Readings.Start,
        StartedAt = Usage.Readings.Start,
        FinishedAt = Usage.Readings.Start.AddMinutes(minutes),
        Attempts = 1,
        Outcome = Fabrik.Runs.Outcome.Succeeded,
    };

    public static JsonElement Element(JsonNode node) => JsonDocument.Parse(node.ToJsonString()).RootElement;
}
