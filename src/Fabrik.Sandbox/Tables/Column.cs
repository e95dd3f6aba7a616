using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.Tables;

/// <summary>One column and how its cell is made. Priority 1 is shown by -o wide alone.</summary>
internal sealed record Column(string Name, string Type, string Description, Func<JsonObject, DateTimeOffset, JsonNode?> Cell)
{
    public string Format { get; init; } = "";

    public int Priority { get; init; }

    public JsonObject Definition => new()
    {
        ["name"] = Name,
        ["type"] = Type,
        ["format"] = Format,
        ["description"] = Description,
        ["priority"] = Priority,
    };
}
