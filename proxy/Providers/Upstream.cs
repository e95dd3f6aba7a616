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
internal sealed class Upstreams
{
    private readonly GatewayConfig config;
    private readonly IReadOnlyList<Upstream> all;
    private readonly Target[] openAi;
    private readonly Target[] anthropic;
    private readonly bool anyModels, ownsOpenAi, ownsAnthropic;
    private readonly Upstreams shared;
    private readonly Dictionary<string, Upstreams> byProject = new(StringComparer.Ordinal);

    public Upstreams(GatewayConfig config, IReadOnlyList<Upstream> all)
        : this(config, all, isPart: false)
    {
    }

    private Upstreams(GatewayConfig config, IReadOnlyList<Upstream> all, bool isPart)
    {
        (this.config, this.all, shared) = (config, all, this);
        (openAi, anthropic, anyModels) = (Targets(WireFormat.OpenAi), Targets(WireFormat.Anthropic), all.Any(one => one.Provider.Models.Count > 0));
        (ownsOpenAi, ownsAnthropic) = (AreOwned(openAi), AreOwned(anthropic));
        if (isPart || config.Providers.All(provider => provider.Projects.Count == 0)) return;

        // From the configuration: a project whose key cannot be read does not go over to one that others use.
        shared = Part(one => one.Provider.Projects.Count == 0);
        foreach (var project in config.Providers.SelectMany(provider => provider.Projects).Distinct(StringComparer.Ordinal))
        {
            var own = config.Providers.Where(provider => provider.Projects.Contains(project, StringComparer.Ordinal)).Select(provider => provider.Format).ToHashSet();
            byProject[project] = Part(one => own.Contains(one.Provider.Format) ? one.Provider.Projects.Contains(project, StringComparer.Ordinal) : one.Provider.Projects.Count == 0);
        }
    }

    public GatewayConfig Config => config;

    public IReadOnlyList<Upstream> All => all;

    /// <summary>Those that calls of a project go to.</summary>
    public Upstreams Of(string? project) => project is not null && byProject.TryGetValue(project, out var own) ? own : shared;

    /// <summary>Whether every key that a call of a project can go to is that project's alone.</summary>
    public bool Owns(WireFormat format) => format == WireFormat.OpenAi ? ownsOpenAi : ownsAnthropic;

    /// <summary>Those of one provider.</summary>
    public Upstreams Only(string provider) => Part(one => one.Provider.Name == provider);

    /// <summary>Those of a project that own their key and name a path. They are asked once: what the path does may not be done twice.</summary>
    /// <returns>Null where there are none.</returns>
    public Upstreams? Naming(string? project, WireFormat format, string path)
    {
        if (project is null || path.Length == 0 || !byProject.ContainsKey(project)) return null;
        Upstream[] own = [.. Of(project).all.Where(one => one.Provider.IsOwned && one.Provider.Format == format && one.Provider.HasPath(path))];
        return own.Length == 0 ? null : new Upstreams(config with { Limits = config.Limits with { Attempts = 1 } }, own, isPart: true);
    }

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

    private Upstreams Part(Func<Upstream, bool> of) => new(config, [.. all.Where(of)], isPart: true);

    private bool AreOwned(Target[] targets) => targets.Length > 0 && targets.All(target => Find(target).Provider.IsOwned);

    private Target[] Targets(WireFormat format) => [.. all.Where(one => one.Provider.Format == format).Select(one => one.Target)];
}
