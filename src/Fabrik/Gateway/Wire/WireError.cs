using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Fabrik.Gateway.Wire;

/// <summary>What the gateway itself has to say, as the API that was called would say it.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Type">One word, as the provider's documentation has it for such an error.</param>
/// <param name="Code">One word of Fabrik's own that tells it from the provider's errors.</param>
/// <param name="Message">What happened, why, and what to do.</param>
public sealed record WireError(int Status, string Type, string Code, string Message)
{
    public static WireError Unauthenticated(WireFormat? format, string code, string message) => new(401, format == WireFormat.Anthropic ? "authentication_error" : "invalid_request_error", code, message);

    public static WireError Refused(WireFormat? format, string code, string message) => new(403, format == WireFormat.Anthropic ? "permission_error" : "invalid_request_error", code, message);

    public static WireError Invalid(string code, string message, int status = 400) => new(status, status == 413 ? "request_too_large" : "invalid_request_error", code, message);

    public static WireError Spent(WireFormat? format, string code, string message) => new(429, format == WireFormat.Anthropic ? "rate_limit_error" : "insufficient_quota", code, message);

    /// <param name="what">That there may be only so many of in a minute, as OpenAI has it for a type: requests, tokens.</param>
    public static WireError Limited(WireFormat? format, string what, string message) => new(429, format == WireFormat.Anthropic ? "rate_limit_error" : what, "rate_limit_exceeded", message);

    public static WireError Unavailable(WireFormat? format, string code, string message) => new(503, format == WireFormat.Anthropic ? "overloaded_error" : "server_error", code, message);

    public static WireError BadGateway(string code, string message, int status = 502) => new(status, status == 504 ? "timeout_error" : "api_error", code, message);

    /// <summary>The body of an answer.</summary>
    public byte[] Body(WireFormat? format, string? requestId)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        if (format == WireFormat.Anthropic) json.WriteString("type", "error");
        json.WriteStartObject("error");
        if (format == WireFormat.Anthropic)
        {
            json.WriteString("type", Type);
            json.WriteString("message", $"{Message} ({Code})");
        }
        else
        {
            json.WriteString("message", Message);
            json.WriteString("type", Type);
            json.WriteNull("param");
            json.WriteString("code", Code);
        }

        json.WriteEndObject();
        if (format == WireFormat.Anthropic && requestId is not null) json.WriteString("request_id", requestId);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>An event in a stream that has begun: the official clients raise it as an error.</summary>
    public byte[] Event(WireFormat format)
    {
        var data = Encoding.UTF8.GetString(Body(format, null));
        return Encoding.UTF8.GetBytes(format == WireFormat.Anthropic ? $"event: error\ndata: {data}\n\n" : $"data: {data}\n\n");
    }
}
