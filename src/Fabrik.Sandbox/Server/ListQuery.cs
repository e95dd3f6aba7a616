using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;
using Fabrik.Sandbox.Validation;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Sandbox.Server;

/// <summary>The query of a list or watch.</summary>
public sealed record ListQuery(
    LabelSelector Labels,
    FieldSelector Fields,
    int Limit,
    string Continue,
    string ResourceVersion,
    string ResourceVersionMatch,
    bool Bookmarks,
    bool SendInitialEvents,
    TimeSpan? Timeout)
{
    public bool Selects(StoredObject stored) => Labels.Matches(stored.Labels) && Fields.Matches(stored);

    public long? Version => ResourceVersion.Length == 0 ? null : long.Parse(ResourceVersion, CultureInfo.InvariantCulture);

    public static ListQuery Parse(IQueryCollection query, ResourceType type)
    {
        LabelSelector labels;
        FieldSelector fields;
        try
        {
            labels = LabelSelector.Parse(query["labelSelector"]);
            fields = FieldSelector.Parse(query["fieldSelector"], type);
        }
        catch (FormatException error)
        {
            throw ApiException.BadRequest(error.Message);
        }

        var version = query["resourceVersion"].ToString();
        if (version.Length > 0 && !(long.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out _)))
        {
            throw ApiException.BadRequest($"invalid resource version: resourceVersion: Invalid value: \"{version}\": strconv.ParseUint: parsing \"{version}\": invalid syntax");
        }

        var match = query["resourceVersionMatch"].ToString();
        var initial = query["sendInitialEvents"].ToString();
        var watch = IsTrue(query["watch"]);
        if (match.Length > 0 && match is not ("Exact" or "NotOlderThan")) throw ApiException.InvalidOptions("ListOptions", FieldError.NotSupported("resourceVersionMatch", match, "Exact", "NotOlderThan", ""));
        if (watch && initial.Length > 0 && match != "NotOlderThan") throw Invalid("resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        if (watch && initial.Length == 0 && match.Length > 0) throw Invalid("resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
        if (!watch && initial.Length > 0) throw Invalid("sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list");
        if (!watch && match.Length > 0 && version.Length == 0) throw Invalid("resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided");
        if (match == "Exact" && version == "0") throw Invalid("resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
        var token = query["continue"].ToString();
        if (token.Length > 0 && match.Length > 0) throw Invalid("resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided");
        _ = int.TryParse(query["limit"], NumberStyles.None, CultureInfo.InvariantCulture, out var limit);
        TimeSpan? timeout = int.TryParse(query["timeoutSeconds"], NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds > 0 ? TimeSpan.FromSeconds(seconds) : null;
        return new(labels, fields, limit, token, version, match, IsTrue(query["allowWatchBookmarks"]), IsTrue(initial), timeout);
    }

    public static bool IsTrue(string? value) => value is "true" or "1" or "True" or "TRUE" or "t" or "T";

    // Such as "field: Forbidden: why".
    private static ApiException Invalid(string message)
    {
        var parts = message.Split(": ", 3);
        return ApiException.InvalidOptions("ListOptions", FieldError.Forbidden(parts[0], parts[2]));
    }
}

/// <summary>Where the next page begins: behind a key, in the state of one version.</summary>
public sealed record ContinueToken(long Version, string Namespace, string Name)
{
    public override string ToString() => System.Buffers.Text.Base64Url.EncodeToString(
        Encoding.UTF8.GetBytes(new JsonObject { ["v"] = "meta.k8s.io/v1", ["rv"] = Version, ["ns"] = Namespace, ["name"] = Name }.ToJsonString()));

    public static ContinueToken Parse(string text)
    {
        try
        {
            var token = JsonNode.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(text));
            return new(token.Number("rv")!.Value, token.Text("ns")!, token.Text("name")!);
        }
        catch (Exception error) when (error is FormatException or System.Text.Json.JsonException or InvalidOperationException or NullReferenceException)
        {
            throw ApiException.BadRequest("invalid continue token: continue key is not valid: " + error.Message);
        }
    }
}
