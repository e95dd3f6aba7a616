using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.Controllers;

/// <summary>What controllers read and write besides <see cref="Fields"/>.</summary>
internal static class JsonReading
{
    /// <summary>A copy that may be changed; null where there is nothing.</summary>
    public static JsonNode? Copy(this JsonElement of) => of.ValueKind switch
    {
        JsonValueKind.Object => JsonObject.Create(of.Clone()),
        JsonValueKind.Array => JsonArray.Create(of.Clone()),
        JsonValueKind.Undefined or JsonValueKind.Null => null,
        _ => JsonValue.Create(of.Clone()),
    };

    /// <summary>The controlling owner of this kind.</summary>
    public static (string Name, string Uid)? Controller(this JsonElement of, string kind)
    {
        foreach (var owner in of.List("metadata", "ownerReferences"))
            if (owner.Says("controller") && owner.Text("kind") == kind && owner.Text("name") is { } name && owner.Text("uid") is { } uid)
                return (name, uid);
        return null;
    }

    /// <summary>As Kubernetes writes times: whole seconds in UTC.</summary>
    public static string Stamp(this DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public static string MicroStamp(this DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
}
