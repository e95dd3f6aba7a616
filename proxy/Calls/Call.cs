using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Gateway.Failover;
using Fabrik.Gateway.Wire;
using Fabrik.Proxy.Callers;
using Fabrik.Proxy.Providers;
using Microsoft.AspNetCore.Http.Features;

namespace Fabrik.Proxy.Calls;

/// <summary>One call on its way through the gateway, over all its attempts.</summary>
internal sealed class Call
{
    public static readonly HttpRequestOptionsKey<Call> Key = new("fabrik-call");

    public required string OperationId { get; init; }
    public required WireFormat Format { get; init; }
    public required Operation Operation { get; init; }

    /// <summary>Behind the provider's base URL, with the query.</summary>
    public required string Path { get; init; }
    public required Caller Caller { get; init; }
    public required Upstreams Upstreams { get; init; }

    /// <summary>As the client sent them; valid until it is answered.</summary>
    public required IHeaderDictionary Headers { get; init; }

    /// <summary>As it is sent on; empty for lists of models, and once nobody else will be asked: a stream may last for an hour.</summary>
    public ReadOnlyMemory<byte> Body { get; set; }

    /// <summary>Of the body as it is sent on.</summary>
    public required int BodyBytes { get; set; }

    /// <summary>Of the body.</summary>
    public string ContentType { get; init; } = "application/json";

    /// <summary>Null for what is not metered.</summary>
    public RequestFacts? Facts { get; init; }

    /// <summary>What is asked of the provider.</summary>
    public string SentModel { get; init; } = "";

    /// <summary>Of an OpenAI chat stream: the client did not ask for the usage, so it does not get to see it.</summary>
    public bool HidesUsage => Operation == Operation.Chat && Facts is { Stream: true, AsksForUsage: false };

    /// <summary>The connection that the answer goes to.</summary>
    public required IHttpRequestLifetimeFeature Client { get; init; }

    /// <summary>Null where no budget is for the caller.</summary>
    public Reservation? Reservation { get; set; }

    /// <summary>For a provider that refuses to be asked for the usage: it is estimated then.</summary>
    /// <returns>False where the gateway has not asked for it.</returns>
    public bool LeaveOutUsage()
    {
        if (!HidesUsage || RequestFacts.WithoutUsage(Body.Span) is not { } plain) return false;
        (Body, BodyBytes) = (plain, plain.Length);
        return true;
    }

    public List<Target> Tried { get; } = [];
}
