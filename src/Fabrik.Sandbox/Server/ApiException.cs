using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Validation;

namespace Fabrik.Sandbox.Server;

/// <summary>A request that ends in a Status of failure, in Kubernetes' wording.</summary>
public sealed class ApiException(int code, string reason, string message, JsonObject? details = null) : Exception(message)
{
    public int Code => code;

    public JsonObject ToStatus()
    {
        var status = new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Failure",
            ["message"] = Message,
        };
        if (reason.Length > 0) status["reason"] = reason;
        if (details is not null) status["details"] = details.DeepClone();
        status["code"] = code;
        return status;
    }

    public static ApiException BadRequest(string message) => new(400, "BadRequest", message);

    public static ApiException Unauthorized() => new(401, "Unauthorized", "Unauthorized");

    public static ApiException NotFound(ResourceType type, string name) =>
        new(404, "NotFound", $"{type.GroupResource} \"{name}\" not found", Details(type, name));

    public static ApiException PathNotFound() => new(404, "NotFound", "the server could not find the requested resource", []);

    public static ApiException AlreadyExists(ResourceType type, string name) =>
        new(409, "AlreadyExists", $"{type.GroupResource} \"{name}\" already exists", Details(type, name));

    public static ApiException Conflict(ResourceType type, string name, string? why = null) => new(
        409,
        "Conflict",
        $"Operation cannot be fulfilled on {type.GroupResource} \"{name}\": "
            + (why ?? "the object has been modified; please apply your changes to the latest version and try again"),
        Details(type, name));

    public static ApiException Forbidden(ResourceType type, string name, string why) =>
        new(403, "Forbidden", $"{type.GroupResource} \"{name}\" is forbidden: {why}", Details(type, name));

    public static ApiException Forbidden(string message, JsonObject? details) => new(403, "Forbidden", message, details ?? []);

    /// <summary>422 for a query or body of options, such as CreateOptions.</summary>
    public static ApiException InvalidOptions(string kind, FieldError error) => new(
        422,
        "Invalid",
        $"{kind}.meta.k8s.io \"\" is invalid: {error.Field}: {error.Message}",
        new()
        {
            ["group"] = "meta.k8s.io",
            ["kind"] = kind,
            ["causes"] = new JsonArray(new JsonObject { ["reason"] = error.Reason, ["message"] = error.Message, ["field"] = error.Field }),
        });

    public static ApiException MethodNotAllowed() =>
        new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", []);

    public static ApiException NotAcceptable() => new(
        406,
        "NotAcceptable",
        "406: Not Acceptable\n\nAvailable representations: application/json, application/json;as=Table;v=v1;g=meta.k8s.io, "
            + "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
        []);

    public static ApiException UnsupportedMediaType(params string[] accepted) => new(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: " + string.Join(", ", accepted));

    public static ApiException TooLarge(int limit) =>
        new(413, "RequestEntityTooLarge", $"Request entity too large: limit is {limit}");

    public static ApiException Expired(string message) => new(410, "Expired", message);

    public static ApiException TooOld(long version, long oldest) => Expired($"too old resource version: {version} ({oldest})");

    public static ApiException TooNew(long version, long current) => new(
        504,
        "Timeout",
        $"Timeout: Too large resource version: {version}, current: {current}",
        new() { ["causes"] = new JsonArray(new JsonObject { ["reason"] = "ResourceVersionTooLarge", ["message"] = "Too large resource version" }), ["retryAfterSeconds"] = 1 });

    public static ApiException Internal(string message) => new(
        500,
        "InternalError",
        "Internal error occurred: " + message,
        new() { ["causes"] = new JsonArray(new JsonObject { ["message"] = message }) });

    /// <summary>422 with one cause per field.</summary>
    public static ApiException Invalid(ResourceType type, string name, IReadOnlyList<FieldError> causes) =>
        From(FieldError.Refusal(type.Group, type.Kind, name, causes), type, name);

    /// <summary>A refusal by the rules of types, which do not know how the request was addressed.</summary>
    public static ApiException From(RequestException refusal, ResourceType? type = null, string name = "")
    {
        // A patch that does not fit goes without its reason, as in the real server.
        if (refusal.Message == "the server rejected our request due to an error in our request") return new(refusal.Code, refusal.Reason, refusal.Message, []);
        var details = refusal.Details?.DeepClone() as JsonObject;
        if (details is not null && type is not null && details["kind"] is null)
        {
            if (name.Length > 0) details["name"] = name;
            if (type.Group.Length > 0) details["group"] = type.Group;
            details["kind"] = type.Kind;
        }

        return new(refusal.Code, refusal.Reason, refusal.Message, details);
    }

    public static JsonObject Details(ResourceType type, string? name = null)
    {
        var details = new JsonObject();
        if (!string.IsNullOrEmpty(name)) details["name"] = name;
        if (type.Group.Length > 0) details["group"] = type.Group;
        details["kind"] = type.Plural;
        return details;
    }
}
