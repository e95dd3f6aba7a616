using Fabrik.Gateway;
using Fabrik.Gateway.Failover;
using Endpoint = Fabrik.Gateway.Wire.Endpoint;

namespace Fabrik.Proxy.Providers;

/// <summary>A provider and a key, ready to be asked.</summary>
internal sealed class Upstream
{
    private readonly string authorisation = "";

    /// <summary>Made once, as parsing a URI takes as long as verifying a token.</summary>
    private readonly Dictionary<string, Uri> metered = new(StringComparer.Ordinal);

    public required Target Target { get; init; }
    public required ProviderConfig Provider { get; init; }

    /// <summary>Ends with a slash.</summary>
    public required Uri Base
    {
        get;
        init
        {
            field = value;
            foreach (var path in Endpoint.Metered) metered[path] = new Uri(value, path);
        }
    }

    /// <summary>Whether it has refused to tell a stream's usage: then it is not asked for it again.</summary>
    public bool RefusesUsage { get; set; }

    /// <summary>The key itself: never logged.</summary>
    public required string Secret
    {
        get;
        init => (field, authorisation) = (value, $"Bearer {value}");
    }

    /// <param name="path">Behind the base, with the query.</param>
    public Uri To(string path) => metered.TryGetValue(path, out var known) ? known : new Uri(Base, path);

    public void Authorise(HttpRequestMessage request)
    {
        if (Provider.Format == WireFormat.Anthropic) request.Headers.TryAddWithoutValidation("x-api-key", Secret);
        else request.Headers.TryAddWithoutValidation("Authorization", authorisation);
    }
}

/// <summary>What can be asked at one time; replaced as a whole when a file changes.</summary>
internal sealed class Upstreams(GatewayConfig config, IReadOnlyList<Upstream> all)
{
    private readonly Target[] openAi = Targets(all, WireFormat.OpenAi);
    private readonly Target[] anthropic = Targets(all, WireFormat.Anthropic);
    private readonly bool anyModels = all.Any(one => one.Provider.Models.Count > 0);

    public GatewayConfig Config => config;

    public IReadOnlyList<Upstream> All => all;

    /// <summary>Those that serve a model.</summary>
    public IReadOnlyList<Target> For(WireFormat format, string model)
    {
        var own = format == WireFormat.OpenAi ? openAi : anthropic;
        return anyModels ? [.. own.Where(target => Find(target).Provider.Serves(model))] : own;
    }

    public Upstream Find(Target target)
    {
        foreach (var one in all)
            if (ReferenceEquals(one.Target, target)) return one;
        throw new InvalidOperationException($"{target.Provider}/{target.Key} is no upstream of this set");
    }

    private static Target[] Targets(IReadOnlyList<Upstream> all, WireFormat format) => [.. all.Where(one => one.Provider.Format == format).Select(one => one.Target)];
}
