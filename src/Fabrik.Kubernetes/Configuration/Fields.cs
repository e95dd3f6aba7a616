using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fabrik.Kubernetes.Configuration;

/// <summary>Reads fields of a kubeconfig; "" is the same as absent.</summary>
internal static class Fields
{
    public static string? Text(JsonObject of, string name) => Scalar(of[name]) is { Length: > 0 } text ? text : null;

    public static string? Scalar(JsonNode? node) => node?.GetValueKind() switch
    {
        JsonValueKind.String => node.GetValue<string>(),
        JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => node.ToJsonString(),
        _ => null,
    };

    public static IReadOnlyList<string> Strings(JsonObject of, string name) => [.. (of[name] as JsonArray ?? []).Select(Scalar).OfType<string>()];

    public static bool Flag(JsonObject of, string name, string file) => Text(of, name) switch
    {
        null or "false" => false,
        "true" => true,
        var other => throw new KubeconfigException($"{file}: {name} is \"{other}\"; write true or false."),
    };

    /// <summary>Base64 of PEM.</summary>
    public static string? Pem(JsonObject of, string name, string file)
    {
        if (Text(of, name) is not { } text) return null;
        try
        {
            return Encoding.UTF8.GetString(Convert.FromBase64String(text));
        }
        catch (FormatException e)
        {
            throw new KubeconfigException($"{file}: {name} is not base64. It holds the file itself, encoded: base64 -w0 FILE.", e);
        }
    }

    /// <summary>Paths are relative to the file they stand in.</summary>
    public static string? FileOf(JsonObject of, string name, string file) =>
        Text(of, name) is { } path ? Path.GetFullPath(path, Path.GetDirectoryName(file)!) : null;
}
