using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Fabrik.Certificates;
using Fabrik.Cli.Output;
using Fabrik.Installation;
using Fabrik.Kubernetes;
using static Fabrik.Certificates.CertificatePlan;

namespace Fabrik.Cli.Installing;

/// <summary>
/// Fills what the manifests name and leave empty, so that Pods need not wait until the webhook's keeper does. Each write is by itself, made only where there is nothing usable
/// and only if nobody else wrote meanwhile: a kill between two of them leaves what the next run, or the keeper, goes on from. Renewing is the keeper's alone.
/// </summary>
internal sealed class ClusterSecrets(KubernetesClient cluster, TimeProvider clock)
{
    private const int Attempts = 5;

    private static readonly (Place Place, string Secret)[] Leafs = [(Place.WebhookLeaf, Names.Objects.WebhookTlsSecret), (Place.ApiLeaf, Names.Objects.ApiTlsSecret)];

    /// <param name="injected">cert-manager makes the certificates: its authority is published, as far as it has written it.</param>
    /// <returns>The authorities' certificates, PEM: who is to be trusted; "" where that is not known yet.</returns>
    public async Task<string> FillAsync(bool injected, CancellationToken ct)
    {
        var (system, gateway) = (Names.SystemNamespace, Names.GatewayNamespace);
        var trusted = injected ? (await cluster.GetAsync(Kinds.Secret, system, Names.Objects.ApiTlsSecret, ct)).Data(Keys.Authority) ?? "" : await OwnAsync(ct);
        await EnsureAsync(system, Names.Objects.AssignmentKeySecret, secret => secret.Data(Keys.Signing) is not null ? null : One(Keys.Signing, RandomKey()), ct);

        // One key in two namespaces: whichever side has it already is copied.
        var tokens = Names.Objects.RunTokenKeySecret;
        var known = (await cluster.FindAsync(Kinds.Secret, gateway, tokens, ct))?.Data(Keys.Signing);
        var own = await EnsureAsync(system, tokens, secret => secret.Data(Keys.Signing) is not null ? null : One(Keys.Signing, known ?? RandomKey()), ct);
        await EnsureAsync(gateway, tokens, secret => secret.Data(Keys.Signing) is not null ? null : One(Keys.Signing, own.Data(Keys.Signing)!), ct);

        if (trusted.Length > 0) await PublishAsync(gateway, Names.Objects.GatewayTrust, new JsonObject { [Keys.Authority] = trusted }, ct);
        var discovery = new JsonObject { ["server"] = $"https://{Names.Objects.ApiService}.{system}.svc", [Names.Objects.GatewayAddress] = $"http://{Names.Objects.Gateway}.{gateway}.svc:8080" };
        if (trusted.Length > 0) discovery[Keys.DiscoveryAuthority] = Objects.Base64(trusted);
        await PublishAsync(system, Names.Objects.ApiDiscovery, discovery, ct);
        return trusted;
    }

    /// <summary>An authority beside Fabrik's own: as if the own one had followed it, so certificates under both are served and trusted.</summary>
    public Task TrustAlsoAsync(string authority, CancellationToken ct) => EnsureAsync(Names.SystemNamespace, Names.Objects.AuthoritySecret, secret =>
    {
        var known = CertificateText.Read(secret.Data(Keys.Old));
        var all = known.AddRange(CertificateText.Read(authority)).DistinctBy(one => one.Print).ToList();
        return all.Count == known.Length ? null : One(Keys.Old, string.Concat(all.Select(one => one.Pem)));
    }, ct);

    /// <summary>Takes Fabrik's own authority away, with its key.</summary>
    public Task ForgetAsync(CancellationToken ct) => EnsureAsync(Names.SystemNamespace, Names.Objects.AuthoritySecret, secret =>
        secret.Data(Keys.Authority) is null && secret.Data(Keys.AuthorityKey) is null ? null : new JsonObject { [Keys.Authority] = null, [Keys.AuthorityKey] = null, [Keys.Old] = null }, ct);

    private async Task<string> OwnAsync(CancellationToken ct)
    {
        var (system, times) = (Names.SystemNamespace, CertificateTimes.Default);
        var served = await ServedAsync(ct);
        var authority = await EnsureAsync(system, Names.Objects.AuthoritySecret, secret => secret.Data(Keys.Authority) is not null && secret.Data(Keys.AuthorityKey) is not null ? null : Authority(secret, served, times), ct);
        var signing = new IssuedCertificate(authority.Data(Keys.Authority)!, authority.Data(Keys.AuthorityKey)!);
        var trusted = signing.Certificate + (authority.Data(Keys.Old) ?? "");
        foreach (var (place, name) in Leafs)
            await EnsureAsync(system, name, secret => IsGood(secret, trusted) ? null : Pair(Keys.Leaf, Keys.LeafKey, Issuing.Leaf(signing, NamesOf(place), clock.GetUtcNow(), times)), ct);
        return trusted;
    }

    /// <summary>What is served now, and whom the registration trusts: a new authority must be trusted beside those until the keeper has replaced what they signed.</summary>
    private async Task<CertificateState> ServedAsync(CancellationToken ct)
    {
        var state = CertificateState.Nothing.Places;
        foreach (var (place, name) in Leafs)
            state = state.SetItem(place, Held.Of((Keys.Leaf, (await cluster.GetAsync(Kinds.Secret, Names.SystemNamespace, name, ct)).Data(Keys.Leaf) ?? "")));
        if (await cluster.FindAsync(Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration, ct) is { } registration)
            state = state.SetItem(Place.Registration, Held.Of(("caBundle", string.Concat(registration.Bundles().Distinct(StringComparer.Ordinal)))));
        return new CertificateState(state);
    }

    private JsonObject Authority(KubeObject secret, CertificateState served, CertificateTimes times)
    {
        var state = new CertificateState(served.Places.SetItem(Place.Authority, Held.Of((Keys.Authority, secret.Data(Keys.Authority) ?? ""), (Keys.Old, secret.Data(Keys.Old) ?? ""))));
        var write = CertificateWriting.Of(CertificateStep.Do(CertificateAction.CreateAuthority, Place.Authority, "there is no authority yet"), state, clock.GetUtcNow(), times);
        return new JsonObject(write.Data.Select(one => KeyValuePair.Create(one.Key, one.Value is null ? null : (JsonNode?)Objects.Base64(one.Value))));
    }

    /// <summary>Provider keys as the settings say where they are; one that is there already is replaced.</summary>
    /// <returns>Their names.</returns>
    public async Task<IReadOnlyList<string>> ProviderKeysAsync(IReadOnlyDictionary<string, KeySource> sources, Terminal terminal, CancellationToken ct)
    {
        var data = new JsonObject();
        foreach (var (name, source) in sources) data[name] = Objects.Base64(ProviderKey(name, source, terminal));
        if (data.Count == 0) return [];
        await cluster.PatchAsync(Kinds.Secret, Names.GatewayNamespace, Names.Objects.ProviderKeys, PatchType.Merge, new JsonObject { ["data"] = data }, ct, new WriteOptions { FieldManager = Names.KeeperManager });
        return [.. sources.Keys];
    }

    /// <summary>Read before anything is written to the cluster, so that a wrong path is known at once.</summary>
    public static string ProviderKey(string name, KeySource source, Terminal terminal)
    {
        string? key;
        try
        {
            key = source.Environment is { } variable ? terminal.Variable(variable) : File.ReadAllText(source.File!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Error, "FAB-1104", $"the provider key {name} cannot be read", e.Message, "correct the path in the settings, or leave the key out and write the Secret later");
        }

        return key?.Trim() is { Length: > 0 } found ? found : throw new CommandException(
            ExitCode.Error, "FAB-1104", $"the provider key {name} cannot be read", source.Environment is { } empty ? $"the variable {empty} is not set" : $"{source.File} is empty", "set it, or leave the key out and write the Secret later");
    }

    private bool IsGood(KubeObject secret, string trusted) =>
        secret.Data(Keys.LeafKey) is not null && secret.Data(Keys.Leaf) is { } pem && CertificateText.Read(pem) is [var leaf, ..] && leaf.Until > clock.GetUtcNow()
        && CertificateText.Read(trusted).Any(authority => CertificateText.IsUnder(pem, authority.Pem));

    /// <param name="missing">The data to write; null where the Secret is good as it is.</param>
    private async Task<KubeObject> EnsureAsync(string ns, string name, Func<KubeObject, JsonObject?> missing, CancellationToken ct)
    {
        for (var attempt = 1; ; attempt++)
        {
            var secret = await cluster.GetAsync(Kinds.Secret, ns, name, ct);
            if (missing(secret) is not { } data) return secret;
            try
            {
                var patch = new JsonObject { ["metadata"] = new JsonObject { ["resourceVersion"] = secret.ResourceVersion }, ["data"] = data };
                return await cluster.PatchAsync(Kinds.Secret, ns, name, PatchType.Merge, patch, ct, new WriteOptions { FieldManager = Names.KeeperManager });
            }
            catch (KubernetesException e) when (e.IsConflict && attempt < Attempts)
            {
                // Somebody else filled it: what they wrote counts.
            }
        }
    }

    private Task PublishAsync(string ns, string name, JsonObject data, CancellationToken ct) =>
        cluster.PatchAsync(Kinds.ConfigMap, ns, name, PatchType.Merge, new JsonObject { ["data"] = data }, ct, new WriteOptions { FieldManager = Names.KeeperManager });

    private static JsonObject Pair(string first, string second, IssuedCertificate pem) => new() { [first] = Objects.Base64(pem.Certificate), [second] = Objects.Base64(pem.Key) };

    private static JsonObject One(string key, string text) => new() { [key] = Objects.Base64(text) };

    /// <summary>One line, as the files of keys have it.</summary>
    private static string RandomKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)) + "\n";
}
