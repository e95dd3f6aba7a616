using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;

namespace Fabrik.Kubernetes.Http;

/// <summary>Errors from Status objects, and from whatever else stands in for one.</summary>
internal static class Statuses
{
    private const int MaxQuote = 200;
    private const int MaxCauses = 100;

    public static KubernetesException FromResponse(string what, HttpResponseMessage response, ReadOnlyMemory<byte> body, DateTimeOffset now)
    {
        var code = (int)response.StatusCode;
        var asked = response.Headers.RetryAfter is not { } after ? null : after.Delta ?? after.Date - now;
        if (Parse(body) is { } status) return FromStatus(what, status, code, asked);

        var quote = Quote(body.Span);
        var redirect = code is >= 300 and < 400 ? $", a redirect to {response.Headers.Location?.GetLeftPart(UriPartial.Path)}, which is not followed" : "";
        return new KubernetesException($"{what}: HTTP {code}{redirect}{(quote.Length == 0 ? "" : $" \"{quote}\"")}. {Advice(code) ?? "This answer is not from a Kubernetes API server: check what stands between (proxy, load balancer)."}")
        {
            Code = code,
            Reason = code == (int)HttpStatusCode.NotFound ? "NotFound" : code == (int)HttpStatusCode.Gone ? "Expired" : KubernetesException.NotKubernetes,
            StatusMessage = quote,
            RetryAfter = asked,
        };
    }

    /// <summary>A Status, as in a body or an ERROR event. The HTTP code counts where the two differ.</summary>
    public static KubernetesException FromStatus(string what, JsonElement status, int? httpCode, TimeSpan? asked)
    {
        var code = httpCode ?? (Get(status, "code") is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var value) ? value : 500);
        var message = Text(status, "message");
        var reason = Text(status, "reason");
        var details = Get(status, "details");
        if (asked is null && Get(details, "retryAfterSeconds") is { ValueKind: JsonValueKind.Number } seconds && seconds.TryGetInt32(out var wait) && wait > 0)
            asked = TimeSpan.FromSeconds(wait);
        return new KubernetesException($"{what}: {(message.Length == 0 ? reason : message)} ({code.ToString(CultureInfo.InvariantCulture)} {reason}){(Advice(code) is { } advice && !IsAdmission(message) ? ". " + advice : "")}")
        {
            Code = code,
            Reason = reason,
            StatusMessage = message,
            RetryAfter = asked,
            Continue = Text(Get(status, "metadata"), "continue") is { Length: > 0 } token ? token : null,
            Causes = Get(details, "causes") is { ValueKind: JsonValueKind.Array } causes
                ? [.. causes.EnumerateArray().Take(MaxCauses).Select(cause => new KubernetesException.Cause(Text(cause, "reason"), Text(cause, "message"), Text(cause, "field")))]
                : [],
        };
    }

    private static JsonElement? Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body.Span);
            var element = JsonElement.ParseValue(ref reader);
            return element.ValueKind == JsonValueKind.Object && Text(element, "kind") == "Status" ? element : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Refused by a policy or webhook, which says itself what to do; no permission would help.</summary>
    private static bool IsAdmission(string message) => message.Contains(" denied request: ", StringComparison.Ordinal) || message.Contains(" denied the request", StringComparison.Ordinal);

    private static string? Advice(int code) => code switch
    {
        401 => "The credentials are missing, wrong or expired: log in again or renew the token",
        403 => "Ask for this permission (kubectl auth can-i tells what is allowed)",
        _ => null,
    };

    // One line of printable text: the body is not ours.
    private static string Quote(ReadOnlySpan<byte> body)
    {
        var text = new StringBuilder();
        foreach (var rune in Encoding.UTF8.GetString(body[..Math.Min(body.Length, 4 * MaxQuote)]).EnumerateRunes())
        {
            if (text.Length >= MaxQuote) break;
            if (!Rune.IsControl(rune) && !Rune.IsWhiteSpace(rune)) text.Append(rune);
            else if (text.Length > 0 && text[^1] != ' ') text.Append(' ');
        }

        return text.ToString().Trim();
    }

    private static JsonElement Get(JsonElement of, string name) => of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out var value) ? value : default;

    private static string Text(JsonElement of, string name) => Get(of, name) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : "";
}
