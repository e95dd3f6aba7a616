using System.Text.Json;
using Fabrik.Gateway.Wire;

namespace Fabrik.Gateway;

/// <summary>Which providers the gateway may ask and how: a file that is read again when it changes.</summary>
public sealed record GatewayConfig
{
    public const int MostProviders = 32;
    public const int MostKeys = 64;

    public IReadOnlyList<ProviderConfig> Providers { get; set; } = [];
    public GatewayLimits Limits { get; set; } = new();

    /// <summary>By project: names that its callers may use for models, and what is then asked for. The project <c>*</c> is every one.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Aliases { get; set; } = new Dictionary<string, IReadOnlyDictionary<string, string>>();

    /// <exception cref="FormatException">It cannot be used; the message says what and where.</exception>
    public static GatewayConfig Parse(ReadOnlySpan<byte> json)
    {
        GatewayConfig config;
        try
        {
            config = JsonSerializer.Deserialize(json, GatewayJson.Default.GatewayConfig) ?? throw new FormatException("The gateway's configuration is empty.");
        }
        catch (JsonException e)
        {
            throw new FormatException($"The gateway's configuration cannot be read: {e.Message}", e);
        }

        if (config.Providers.Count > MostProviders) throw new FormatException($"The gateway's configuration has more than {MostProviders} providers.");
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var provider in config.Providers)
        {
            if (!IsName(provider.Name) || !names.Add(provider.Name)) throw new FormatException($"Provider \"{provider.Name}\" needs a name of its own, of lower-case letters, digits and '-'.");
            if (!Uri.TryCreate(provider.Url, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.Query.Length > 0 || url.UserInfo.Length > 0) throw new FormatException($"Provider {provider.Name} needs a url such as https://api.openai.com/v1.");
            if (provider.Keys.Count is 0 or > MostKeys) throw new FormatException($"Provider {provider.Name} needs 1 to {MostKeys} keys, by the names of their files.");
            if (provider.Projects.Any(string.IsNullOrWhiteSpace)) throw new FormatException($"Provider {provider.Name} has an empty project.");
            if (provider.Paths.Count > 0 && !provider.IsOwned) throw new FormatException($"Provider {provider.Name} names paths, and so must be for one project: projects would read what others have stored under the same key.");
            foreach (var path in provider.Paths)
                if (!Endpoint.IsPlain(path)) throw new FormatException($"Provider {provider.Name} names the path \"{path}\": a path is like files or messages/batches, without slashes around it.");
            foreach (var key in provider.Keys)
                if (!IsName(key.Name) || key.Weight is not (> 0 and < 1e6)) throw new FormatException($"Provider {provider.Name} has a key \"{key.Name}\" with weight {key.Weight}: a name is of lower-case letters, digits and '-', a weight above 0.");
        }

        // By the names of their files; that two files hold one key is seen when they are read.
        foreach (var owned in config.Providers.Where(provider => provider.IsOwned))
            foreach (var other in config.Providers.Where(other => !other.Projects.SequenceEqual(owned.Projects)))
                if (owned.Keys.FirstOrDefault(key => other.Keys.Any(one => one.Name == key.Name)) is { } shared)
                    throw new FormatException($"Providers {owned.Name} and {other.Name} share the key {shared.Name}, and the first is for project {owned.Projects[0]} alone: give each a key of its own.");

        return config;
    }

    /// <summary>What is asked of a provider where a caller names a model.</summary>
    public string Model(string? project, string requested)
    {
        if (Aliases.Count == 0) return requested;
        if (project is not null && Aliases.TryGetValue(project, out var own) && own.TryGetValue(requested, out var model)) return model;
        return Aliases.TryGetValue("*", out var all) && all.TryGetValue(requested, out model) ? model : requested;
    }

    private static bool IsName(string? name) => name is { Length: > 0 and <= 63 } && name.All(one => char.IsAsciiLetterLower(one) || char.IsAsciiDigit(one) || one is '-' or '.') && name[0] is not ('-' or '.');
}

/// <summary>One provider of one wire format.</summary>
public sealed record ProviderConfig
{
    public required string Name { get; set; }
    public required WireFormat Format { get; set; }

    /// <summary>With the version, as <c>https://api.anthropic.com/v1</c>.</summary>
    public required string Url { get; set; }
    public IReadOnlyList<KeyConfig> Keys { get; set; } = [];

    /// <summary>Names of the models it serves, a * at the end for all that begin so; none: all.</summary>
    public IReadOnlyList<string> Models { get; set; } = [];

    /// <summary>Projects that it is for: their calls of its format go to it and to no shared one. None: every project that has none of its own.</summary>
    public IReadOnlyList<string> Projects { get; set; } = [];

    /// <summary>
    /// Behind the url, as <c>files</c> or <c>messages/batches</c>: with all below it, by any method, passed on for the one project that the provider is for.
    /// Nothing is known of what it costs: the ledger has it, flagged.
    /// </summary>
    public IReadOnlyList<string> Paths { get; set; } = [];

    /// <summary>Whether its keys are one project's alone, so that what they have stored is that project's too.</summary>
    public bool IsOwned => Projects.Count == 1;

    /// <summary>Whether one of <see cref="Paths"/> is it or stands above it.</summary>
    public bool HasPath(string path)
    {
        foreach (var one in Paths)
            if (path.StartsWith(one, StringComparison.Ordinal) && (path.Length == one.Length || path[one.Length] == '/')) return true;
        return false;
    }

    public bool Serves(string model)
    {
        if (Models.Count == 0 || model.Length == 0) return true;
        foreach (var one in Models)
            if (one.EndsWith('*') ? model.AsSpan().StartsWith(one.AsSpan(0, one.Length - 1), StringComparison.Ordinal) : model == one) return true;
        return false;
    }
}

/// <summary>A provider's key.</summary>
public sealed record KeyConfig
{
    /// <summary>Of its file in the directory of keys.</summary>
    public required string Name { get; set; }
    public double Weight { get; set; } = 1;
}

/// <summary>Bounds of one call. Seconds, bytes.</summary>
public sealed record GatewayLimits
{
    /// <summary>Of a request; Anthropic takes 32 MiB.</summary>
    public int RequestBytes { get; set; } = 32 << 20;
    public double ConnectSeconds { get; set; } = 5;

    /// <summary>From the request to the answer's headers, and from these to a stream's first content. An answer that is no stream is written at once when all of it is generated.</summary>
    public double FirstByteSeconds { get; set; } = 600;

    /// <summary>Of silence within an answer.</summary>
    public double IdleSeconds { get; set; } = 60;

    /// <summary>Attempts for one call, the first counted.</summary>
    public int Attempts { get; set; } = 4;
}
