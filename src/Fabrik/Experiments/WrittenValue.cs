using System.Text.Json;

namespace Fabrik.Experiments;

/// <summary>One value that Fabrik wrote into a Job. Undefined stands for absent.</summary>
/// <param name="Path">JSON pointer into the Job.</param>
/// <param name="Container">Name of the container that the path runs through.</param>
/// <param name="Variable">The environment variable, where the path is a container's env.</param>
/// <param name="From">What the Job said.</param>
/// <param name="To">What Fabrik made of it.</param>
public sealed record WrittenValue(string Path, string? Container, string? Variable, JsonElement From, JsonElement To)
{
    internal static WrittenValue Read(JsonElement json) => new(
        json.GetProperty("path").GetString()!,
        json.TryGetProperty("container", out var container) ? container.GetString() : null,
        json.TryGetProperty("variable", out var variable) ? variable.GetString() : null,
        Value(json.GetProperty("from")),
        Value(json.GetProperty("to")));

    private static JsonElement Value(JsonElement json) => json.ValueKind == JsonValueKind.Null ? default : json.Clone();
}
