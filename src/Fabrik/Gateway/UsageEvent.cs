using System.Text.Json.Serialization;
using Fabrik.Experiments;

namespace Fabrik.Gateway;

/// <summary>How one attempt at a provider ended.</summary>
[JsonConverter(typeof(WordConverter<AttemptOutcome>))]
public enum AttemptOutcome
{
    /// <summary>The provider answered to the end.</summary>
    [JsonStringEnumMemberName("completed")]
    Completed,

    /// <summary>The client went away before the end; the provider's work was cancelled.</summary>
    [JsonStringEnumMemberName("client_closed")]
    ClientClosed,

    /// <summary>The provider refused the request itself: 400, 404, 413, 422.</summary>
    [JsonStringEnumMemberName("rejected")]
    Rejected,

    /// <summary>The provider refused, was overloaded or broke before any content: another key or provider may have been tried.</summary>
    [JsonStringEnumMemberName("failed")]
    Failed,

    /// <summary>The provider broke off, or stood still, after content had been passed on.</summary>
    [JsonStringEnumMemberName("interrupted")]
    Interrupted,

    /// <summary>The gateway was killed while it waited: what happened is not known.</summary>
    [JsonStringEnumMemberName("lost")]
    Lost,
}

/// <summary>One attempt at one provider: a row of the ledger. A call that failed over is several with one <see cref="OperationId"/>.</summary>
public sealed record UsageEvent
{
    /// <summary>A version 7 UUID, made before the attempt: the ledger takes each in once.</summary>
    public required string Id { get; set; }

    /// <summary>Of the call; a version 7 UUID.</summary>
    public required string OperationId { get; set; }

    /// <summary>UTC, when the attempt was made.</summary>
    public required DateTimeOffset StartedAt { get; set; }

    /// <summary>Of the Job that called; null for a virtual key.</summary>
    public string? RunId { get; set; }

    /// <summary>Id of the virtual key that called; null for a Job.</summary>
    public string? KeyId { get; set; }

    /// <summary>Of the Job; null for a virtual key.</summary>
    public string? Namespace { get; set; }

    public string? Project { get; set; }

    /// <summary>As <c>fabrik.dev/variant</c> has it; null where the Job is in no arm.</summary>
    public string? Arm { get; set; }

    /// <summary>Name of the change that the arm belongs to.</summary>
    public string? Change { get; set; }

    /// <summary>Millionths of <see cref="Currency"/>. It stands behind the caller with the tokens, so that budgets read no further.</summary>
    public long CostMicros { get; set; }

    public TokenCounts Tokens { get; set; }

    public required Operation Operation { get; set; }
    public bool Streamed { get; set; }

    /// <summary>Name of the provider, as the gateway's configuration has it.</summary>
    public required string Provider { get; set; }

    /// <summary>Name of the provider's key, never the key.</summary>
    public string? ProviderKey { get; set; }

    /// <summary>As the client named it.</summary>
    public required string RequestedModel { get; set; }

    /// <summary>As it was asked of the provider: another than requested under an alias or a model experiment.</summary>
    public required string SentModel { get; set; }

    /// <summary>As the provider named it in its answer; null where it did not.</summary>
    public string? ServedModel { get; set; }

    /// <summary>As the provider named it; null for its standard one.</summary>
    public string? ServiceTier { get; set; }

    /// <summary>Whether any of the tokens is the gateway's estimate, not the provider's count.</summary>
    public bool Estimated { get; set; }

    /// <summary>ISO 4217.</summary>
    public required string Currency { get; set; }

    /// <summary>Which prices it was priced by: the price book's version.</summary>
    public required string PriceVersion { get; set; }

    /// <summary>Whether the price is the ceiling for models that the book does not know.</summary>
    public bool PriceUnknown { get; set; }

    /// <summary>Milliseconds from the attempt to its end.</summary>
    public double LatencyMs { get; set; }

    /// <summary>Milliseconds from the attempt to the provider's first byte of content; null where none came.</summary>
    public double? FirstByteMs { get; set; }

    public AttemptOutcome Outcome { get; set; }

    /// <summary>HTTP status of the provider's answer; null where none came.</summary>
    public int? Status { get; set; }

    /// <summary>One word for what went wrong, as <c>rate_limited</c> or <c>timeout</c>; null where nothing did.</summary>
    public string? Error { get; set; }
}
