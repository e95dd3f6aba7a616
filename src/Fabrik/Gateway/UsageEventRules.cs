namespace Fabrik.Gateway;

/// <summary>What an event must be for the ledger to take it in. Generous where a value comes from a Job: what is refused is not charged.</summary>
public static class UsageEventRules
{
    /// <summary>Characters of a text; names of models come from Jobs and providers, and are as long as those make them.</summary>
    public const int LongestText = 512;

    /// <summary>Of one class in one attempt.</summary>
    public const long MostTokens = 1_000_000_000;

    /// <summary>Of one attempt: a hundred thousand of a currency. Nine million of them still add up in 64 bits.</summary>
    public const long MostMicros = 100_000_000_000;

    /// <summary>How far the gateway's clock may be ahead.</summary>
    public static readonly TimeSpan Ahead = TimeSpan.FromMinutes(10);

    /// <summary>How long a gateway's spool may have waited. What is older is not taken in, so what was taken in may be forgotten after this and is not counted again.</summary>
    public static readonly TimeSpan Oldest = TimeSpan.FromDays(60);

    private static readonly TimeSpan Longest = TimeSpan.FromDays(2);

    /// <returns>Null where it is well; else which field is not, and why, without its value.</returns>
    public static string? Wrong(UsageEvent one, DateTimeOffset now)
    {
        if (!IsId(one.Id)) return "id is not a UUID in lower case";
        if (!IsId(one.OperationId)) return "operationId is not a UUID in lower case";
        if (one.StartedAt > now + Ahead) return "startedAt is in the future";
        if (one.StartedAt < now - Oldest) return $"startedAt is more than {Oldest.TotalDays:0} days ago";
        if (one.RunId is null == one.KeyId is null) return "exactly one of runId and keyId must be given";
        if (one.RunId is not null && one.Namespace is null) return "namespace is missing, which every run has";
        foreach (var (name, value, longest, empty) in Texts(one))
        {
            if (value.Length > longest) return $"{name} is longer than {longest} characters";
            if (value.Length == 0 && !empty) return $"{name} is empty";
        }

        foreach (var (name, value) in (ReadOnlySpan<(string, string?)>)[("provider", one.Provider), ("requestedModel", one.RequestedModel), ("sentModel", one.SentModel), ("priceVersion", one.PriceVersion)])
            if (value is null) return $"{name} is null";
        if (one.Currency is not { Length: 3 } currency || !currency.All(char.IsAsciiLetterUpper)) return "currency is not three capital letters";
        if (!Enum.IsDefined(one.Operation)) return "operation is not known";
        if (!Enum.IsDefined(one.Outcome)) return "outcome is not known";
        var (input, read, write, hour, output, reasoning, searches) = one.Tokens;
        foreach (var (name, count) in (ReadOnlySpan<(string, long)>)[("input", input), ("cacheRead", read), ("cacheWrite", write), ("cacheWriteHour", hour), ("output", output), ("reasoning", reasoning), ("webSearches", searches)])
            if (count is < 0 or > MostTokens) return $"tokens.{name} is not between 0 and {MostTokens}";
        if (one.CostMicros is < 0 or > MostMicros) return $"costMicros is not between 0 and {MostMicros}";
        if (!IsSpan(one.LatencyMs)) return "latencyMs is not a time between 0 and two days";
        if (one.FirstByteMs is { } first && !IsSpan(first)) return "firstByteMs is not a time between 0 and two days";
        return one.Status is < 100 or > 999 ? "status is not one of HTTP" : null;
    }

    /// <summary>One form, so that one event has one key.</summary>
    private static bool IsId(string? text) => Guid.TryParseExact(text, "D", out var id) && text == id.ToString();

    private static bool IsSpan(double milliseconds) => milliseconds >= 0 && milliseconds <= Longest.TotalMilliseconds;

    private static IEnumerable<(string Name, string Value, int Longest, bool Empty)> Texts(UsageEvent one)
    {
        (string, string?, int, bool)[] all =
        [
            ("runId", one.RunId, 63, false), ("keyId", one.KeyId, 253, false), ("namespace", one.Namespace, 63, false), ("project", one.Project, 253, false), ("arm", one.Arm, 63, false),
            ("change", one.Change, 253, false), ("provider", one.Provider, 253, false), ("providerKey", one.ProviderKey, 253, false), ("requestedModel", one.RequestedModel, LongestText, true),
            ("sentModel", one.SentModel, LongestText, true), ("servedModel", one.ServedModel, LongestText, true), ("serviceTier", one.ServiceTier, LongestText, true),
            ("priceVersion", one.PriceVersion, 253, true), ("error", one.Error, LongestText, true),
        ];
        foreach (var (name, value, longest, empty) in all)
            if (value is not null) yield return (name, value, longest, empty);
    }
}
