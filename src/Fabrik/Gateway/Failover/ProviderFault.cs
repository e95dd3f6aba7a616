using System.Globalization;
using System.Text.Json;

namespace Fabrik.Gateway.Failover;

/// <summary>What a failed attempt says about, and so what is set aside.</summary>
public enum FaultScope
{
    /// <summary>The request itself: it goes back to the client as the provider said it, and nobody else is asked.</summary>
    Request,

    /// <summary>The key: the same provider may serve with another.</summary>
    Key,

    /// <summary>The key for this model alone.</summary>
    KeyAndModel,

    /// <summary>The provider.</summary>
    Provider,
}

/// <summary>Why an attempt failed, and for how long not to try the same again.</summary>
/// <param name="Word">One word for the ledger and the metrics.</param>
/// <param name="For">Null: a growing time, by how often it has failed in a row.</param>
public readonly record struct ProviderFault(FaultScope Scope, string Word, TimeSpan? For)
{
    /// <summary>No header of a provider sets it aside for longer.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    /// <summary>A key without money or rights: until somebody does something, and then at the latest.</summary>
    private static readonly TimeSpan Spent = TimeSpan.FromHours(1);
    private static readonly TimeSpan Denied = TimeSpan.FromMinutes(10);

    public static ProviderFault Timeout { get; } = new(FaultScope.Provider, "timeout", null);
    public static ProviderFault Unreachable { get; } = new(FaultScope.Provider, "unreachable", null);
    public static ProviderFault Broken { get; } = new(FaultScope.Provider, "broken_answer", null);

    /// <summary>Of an answer that is no success.</summary>
    /// <param name="wait">What the answer's headers say of trying again; null where nothing.</param>
    /// <param name="body">Its beginning.</param>
    public static ProviderFault Of(int status, TimeSpan? wait, ReadOnlySpan<byte> body)
    {
        var (type, code, message) = Read(body);
        if (IsSpent(type, code, message)) return new ProviderFault(FaultScope.Key, "quota_exhausted", Spent);
        var bounded = wait is { } said ? TimeSpan.FromTicks(Math.Clamp(said.Ticks, 0, Longest.Ticks)) : (TimeSpan?)null;
        return status switch
        {
            401 => new ProviderFault(FaultScope.Key, "key_refused", Denied),
            402 => new ProviderFault(FaultScope.Key, "quota_exhausted", Spent),
            403 => new ProviderFault(FaultScope.KeyAndModel, "permission_denied", Denied),
            408 or 409 => new ProviderFault(FaultScope.Provider, "conflict", bounded),
            429 => new ProviderFault(FaultScope.Key, "rate_limited", bounded),
            529 => new ProviderFault(FaultScope.Provider, "overloaded", bounded),
            >= 500 => new ProviderFault(FaultScope.Provider, "server_error", bounded),
            _ => new ProviderFault(FaultScope.Request, "rejected", null),
        };
    }

    /// <summary>Of an error event that came before any content.</summary>
    public static ProviderFault InStream(string word) => word switch
    {
        "rate_limit_error" or "rate_limit_exceeded" => new ProviderFault(FaultScope.Key, "rate_limited", null),
        "insufficient_quota" or "billing_error" => new ProviderFault(FaultScope.Key, "quota_exhausted", Spent),
        "authentication_error" => new ProviderFault(FaultScope.Key, "key_refused", Denied),
        "permission_error" => new ProviderFault(FaultScope.KeyAndModel, "permission_denied", Denied),
        "invalid_request_error" or "invalid_prompt" or "not_found_error" or "request_too_large" => new ProviderFault(FaultScope.Request, "rejected", null),
        "overloaded_error" => new ProviderFault(FaultScope.Provider, "overloaded", null),
        _ => new ProviderFault(FaultScope.Provider, "server_error", null),
    };

    /// <summary>How long the headers ask to wait; null where none can be read.</summary>
    /// <param name="milliseconds"><c>retry-after-ms</c> or <c>x-ms-retry-after-ms</c>.</param>
    /// <param name="after"><c>retry-after</c>: seconds or a date.</param>
    /// <param name="reset">OpenAI's <c>x-ratelimit-reset-…</c>, as <c>6m0s</c>, or Anthropic's, as a date; only where the limit is used up.</param>
    public static TimeSpan? Wait(string? milliseconds, string? after, string? reset, DateTimeOffset now)
    {
        if (double.TryParse(milliseconds, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var ms) && ms < 1e10) return TimeSpan.FromMilliseconds(ms);
        if (double.TryParse(after, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) && seconds < 1e7) return TimeSpan.FromSeconds(seconds);
        return Date(after, now) ?? Date(reset, now) ?? Span(reset);
    }

    private static TimeSpan? Date(string? text, DateTimeOffset now) =>
        text is { Length: > 8 and < 64 } && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at > now ? at - now : TimeSpan.Zero : null;

    /// <summary>As Go writes durations: 1s, 6m0s, 20ms.</summary>
    private static TimeSpan? Span(string? text)
    {
        if (text is null or { Length: 0 or > 32 }) return null;
        var (total, at) = (0.0, 0);
        while (at < text.Length)
        {
            var from = at;
            while (at < text.Length && (char.IsAsciiDigit(text[at]) || text[at] == '.')) at++;
            if (!double.TryParse(text.AsSpan(from, at - from), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return null;
            var unit = text.AsSpan(at);
            var (factor, length) = unit.StartsWith("ms") ? (0.001, 2) : unit.StartsWith("s") ? (1, 1) : unit.StartsWith("m") ? (60, 1) : unit.StartsWith("h") ? (3600, 1) : (0.0, 0);
            if (length == 0) return null;
            total += number * factor;
            at += length;
        }

        return total < 1e7 ? TimeSpan.FromSeconds(total) : null;
    }

    /// <summary>What no waiting of seconds mends.</summary>
    private static bool IsSpent(string? type, string? code, string? message) =>
        code is "insufficient_quota" or "credit_balance_exhausted" or "enforced_spend_limit_reached" || type is "insufficient_quota" or "billing_error"
        || message is not null && (message.Contains("credit balance is too low", StringComparison.OrdinalIgnoreCase) || message.Contains("reached your specified API usage limits", StringComparison.OrdinalIgnoreCase));

    private static (string? Type, string? Code, string? Message) Read(ReadOnlySpan<byte> body)
    {
        try
        {
            using var json = JsonDocument.Parse(body.ToArray());
            if (json.RootElement.ValueKind != JsonValueKind.Object || !json.RootElement.TryGetProperty("error", out var error) || error.ValueKind != JsonValueKind.Object) return default;
            var code = Text(error, "code") ?? (error.TryGetProperty("details", out var details) && details.ValueKind == JsonValueKind.Object ? Text(details, "error_code") : null);
            return (Text(error, "type"), code, Text(error, "message"));
        }
        catch (JsonException)
        {
            return default;
        }
    }

    private static string? Text(JsonElement of, string name) => of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
