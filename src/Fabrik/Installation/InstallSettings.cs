using System.Text.Json.Nodes;

namespace Fabrik.Installation;

/// <summary>Where a provider key is read from when Fabrik is installed. The key itself never stands in a file of settings.</summary>
/// <param name="Environment">Name of a variable, or null.</param>
/// <param name="File">Path, or null.</param>
public sealed record KeySource(string? Environment, string? File);

/// <summary>What <c>fabrik init</c> asks and <c>fabrik install</c> reads.</summary>
public sealed record InstallSettings
{
    public const string DefaultFile = "fabrik.yaml";
    public const string DefaultProfile = "prod";
    private const string SmallProfile = "dev";
    public static readonly IReadOnlyList<string> Profiles = [SmallProfile, DefaultProfile];

    /// <summary>Values of <see cref="Certificates"/>.</summary>
    public const string Auto = "auto", Own = "own", CertManager = "cert-manager";
    public static readonly IReadOnlyList<string> Keepers = [Auto, Own, CertManager];

    private static readonly string[] Fields = ["context", "profile", "storageClass", "registry", "monitoring", "certificates", "namespaces", "providerKeys"];

    /// <summary>Of the kubeconfig; null: its current one.</summary>
    public string? Context { get; init; }

    /// <summary>The overlay.</summary>
    public string Profile { get; init; } = DefaultProfile;

    /// <summary>Of Fabrik's volumes; null: the cluster's default.</summary>
    public string? StorageClass { get; init; }

    /// <summary>Where images are pulled from instead of <see cref="Names.Images"/>: a mirror.</summary>
    public string? Registry { get; init; }

    /// <summary>Whether ServiceMonitors and alerts come with it, beside the overlay; they need the Prometheus operator's definitions.</summary>
    public bool Monitoring { get; init; }

    /// <summary>Who keeps the certificates. Auto: whoever does already; in a new installation cert-manager where the cluster has it, else Fabrik itself.</summary>
    public string Certificates { get; init; } = Auto;

    /// <summary>Opted in: their Jobs are Fabrik's business from then on.</summary>
    public IReadOnlyList<string> Namespaces { get; init; } = [];

    /// <summary>By the name that the gateway's configuration has.</summary>
    public IReadOnlyDictionary<string, KeySource> ProviderKeys { get; init; } = new Dictionary<string, KeySource>(StringComparer.Ordinal);

    /// <summary>Where nobody has said it.</summary>
    /// <param name="nodes">Of the cluster; none where a sandbox plays one.</param>
    public static string ProfileFor(int nodes) => nodes < 2 ? SmallProfile : DefaultProfile;

    /// <summary>
    /// What an upgrade goes on with: all that an object of the installation depends on. Not the context, which is of one person's kubeconfig; not what the cluster itself remembers, the
    /// namespaces that are opted in, the keys of providers and who keeps the certificates.
    /// </summary>
    public InstallSettings Remembered() => new() { Profile = Profile, StorageClass = StorageClass, Registry = Registry, Monitoring = Monitoring };

    /// <exception cref="FormatException">What is wrong with which field.</exception>
    public static InstallSettings Parse(JsonObject document)
    {
        if (document.Select(field => field.Key).Except(Fields, StringComparer.Ordinal).FirstOrDefault() is { } foreign) throw new FormatException($"the field {foreign} is not known; there are {string.Join(", ", Fields)}");
        var profile = Text(document, "profile") ?? DefaultProfile;
        if (!Profiles.Contains(profile)) throw new FormatException($"profile is {profile}; it must be one of {string.Join(", ", Profiles)}");
        var certificates = Text(document, "certificates") ?? Auto;
        if (!Keepers.Contains(certificates)) throw new FormatException($"certificates is {certificates}; it must be one of {string.Join(", ", Keepers)}");
        return new InstallSettings
        {
            Certificates = certificates,
            Context = Text(document, "context"),
            Profile = profile,
            StorageClass = Text(document, "storageClass"),
            Registry = Text(document, "registry")?.TrimEnd('/'),
            Monitoring = document["monitoring"] switch
            {
                null => false,
                JsonValue value when value.TryGetValue<bool>(out var said) => said,
                _ => throw new FormatException("monitoring must be true or false"),
            },
            Namespaces = document["namespaces"] switch
            {
                null => [],
                JsonArray list => [.. list.Select(one => one is JsonValue ? one.ToString() : throw new FormatException("namespaces must be a list of names"))],
                _ => throw new FormatException("namespaces must be a list of names"),
            },
            ProviderKeys = document["providerKeys"] switch
            {
                null => new Dictionary<string, KeySource>(StringComparer.Ordinal),
                JsonObject keys => keys.ToDictionary(key => key.Key, key => Source(key.Key, key.Value), StringComparer.Ordinal),
                _ => throw new FormatException("providerKeys must be a mapping of names"),
            },
        };
    }

    /// <summary>What <see cref="Remembered"/> keeps, for people: "profile dev, images of registry.example".</summary>
    public override string ToString() =>
        $"profile {Profile}{(StorageClass is null ? "" : $", storage class {StorageClass}")}{(Registry is null ? "" : $", images of {Registry}")}{(Monitoring ? ", with monitoring" : "")}";

    public JsonObject ToJson()
    {
        var document = new JsonObject();
        if (Context is not null) document["context"] = Context;
        document["profile"] = Profile;
        if (StorageClass is not null) document["storageClass"] = StorageClass;
        if (Registry is not null) document["registry"] = Registry;
        if (Monitoring) document["monitoring"] = true;
        if (Certificates != Auto) document["certificates"] = Certificates;
        if (Namespaces.Count > 0) document["namespaces"] = new JsonArray([.. Namespaces.Select(ns => (JsonNode)ns)]);
        if (ProviderKeys.Count == 0) return document;
        var keys = new JsonObject();
        foreach (var (name, source) in ProviderKeys) keys[name] = source.File is { } file ? new JsonObject { ["file"] = file } : new JsonObject { ["env"] = source.Environment };
        document["providerKeys"] = keys;
        return document;
    }

    /// <summary>Puts what depends on the cluster into rendered objects; they are changed.</summary>
    public void Adjust(IEnumerable<JsonObject> items)
    {
        foreach (var item in items)
        {
            if (StorageClass is not null)
                foreach (var claim in Objects(item["spec"]?["volumeClaimTemplates"])) claim["spec"]!["storageClassName"] = StorageClass;
            if (Registry is null) continue;
            foreach (var variable in Objects(item["spec"]?["variables"])) Mirror(variable, "expression");
            if (item["spec"]?["template"]?["spec"] is not JsonObject pod) continue;
            foreach (var container in Objects(pod["containers"]).Concat(Objects(pod["initContainers"])))
            {
                Mirror(container, "image");
                foreach (var variable in Objects(container["env"])) Mirror(variable, "value");
            }
        }
    }

    /// <summary>Where the field is an image of Fabrik's, bare or as a text of CEL.</summary>
    private void Mirror(JsonObject of, string field)
    {
        if (of[field]?.ToString() is not { } text) return;
        var quote = text.StartsWith('\'') ? "'" : "";
        if (text.StartsWith(quote + Names.Images.Registry, StringComparison.Ordinal)) of[field] = $"{quote}{Registry}/{text[(quote.Length + Names.Images.Registry.Length)..]}";
    }

    private static IEnumerable<JsonObject> Objects(JsonNode? list) => (list as JsonArray ?? []).OfType<JsonObject>();

    private static KeySource Source(string name, JsonNode? value)
    {
        if (name.Length == 0 || name.AsSpan().IndexOfAnyExcept(KeyCharacters) >= 0) throw new FormatException($"providerKeys: {name} cannot be the name of a key; letters, digits, '.', '-' and '_' can");
        var source = value as JsonObject ?? throw new FormatException($"providerKeys.{name} must have env or file");
        var (variable, file) = (Text(source, "env"), Text(source, "file"));
        return source.Count == 1 && (variable ?? file) is not null ? new KeySource(variable, file) : throw new FormatException($"providerKeys.{name} must have either env (the name of a variable) or file (a path), and never the key itself");
    }

    private static readonly System.Buffers.SearchValues<char> KeyCharacters = System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    private static string? Text(JsonObject of, string name) => of[name] switch
    {
        null => null,
        JsonValue value => value.ToString() is { Length: > 0 } text ? text : null,
        _ => throw new FormatException($"{name} must be a text"),
    };
}
