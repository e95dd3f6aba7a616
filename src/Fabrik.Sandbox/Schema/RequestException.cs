using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.Schema;

/// <summary>A request that cannot be answered: the parts of a Status of failure, in Kubernetes' wording. The server turns it into one.</summary>
public sealed class RequestException(int code, string reason, string message, JsonObject? details = null) : Exception(message)
{
    public int Code => code;

    /// <summary>Such as BadRequest, Invalid, Conflict.</summary>
    public string Reason => reason;

    /// <summary>The Status' details without name, group and kind; with causes where there are some.</summary>
    public JsonObject? Details => details;

    public static RequestException BadRequest(string message) => new(400, "BadRequest", message);

    public static RequestException Unprocessable(string message) => new(422, "Invalid", message);

    public static RequestException UnsupportedMediaType(string message) => new(415, "UnsupportedMediaType", message);
}
