using System.Text.Json.Nodes;
using Fabrik.Cli.Output;
using Fabrik.Installation;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Installing;

/// <summary>
/// Fills what the manifests name and leave empty. Each write is by itself, made only where there is nothing usable yet and only if nobody else wrote meanwhile: a kill between
/// two of them leaves what the next run goes on from.
/// </summary>
internal sealed class ClusterSecrets(KubernetesClient cluster, TimeProvider clock)
{
    private const int Attempts = 5;
    private const string CaCertificate = "ca.crt", CaKey = "ca.key", TlsCertificate = "tls.crt", TlsKey = "tls.key";

    /// <summary>A certificate that ends sooner is made anew; in a running cluster the webhook renews them long before.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromDays(7);

    /// <returns>The authority's certificates, PEM: what is to be trusted.</returns>
    public async Task<string> FillAsync(CancellationToken ct)
    {
        var (system, gateway) = (Names.SystemNamespace, Names.GatewayNamespace);
        var authority = await EnsureAsync(system, Names.Objects.Authority, secret => secret.Data(CaCertificate) is not null && secret.Data(CaKey) is not null ? null : Authority(), ct);
        var (certificate, key) = (authority.Data(CaCertificate)!, authority.Data(CaKey)!);
        foreach (var (service, secretName) in new[] { (Names.Objects.Webhook, Names.Objects.WebhookTls), (Names.Objects.ApiDiscovery, Names.Objects.ApiTls) })
        {
            await EnsureAsync(system, secretName, secret =>
                secret.Data(TlsKey) is not null && secret.Data(TlsCertificate) is { } leaf && Certificates.IsFrom(leaf, certificate, clock.GetUtcNow() + Margin)
                    ? null : Pair(TlsCertificate, TlsKey, Certificates.Leaf(service, system, certificate, key, clock.GetUtcNow())), ct);
        }

        await EnsureAsync(system, Names.Objects.AssignmentKeySecret, secret => secret.Data(Names.Objects.AssignmentKeyFile) is not null ? null : One(Names.Objects.AssignmentKeyFile, Certificates.RandomKey()), ct);

        // One key in two namespaces: whichever side has it already is copied.
        var name = Names.Objects.RunTokenKeySecret;
        var known = (await cluster.FindAsync(Kinds.Secret, gateway, name, ct))?.Data(Names.Objects.RunTokenKeyFile);
        var signing = await EnsureAsync(system, name, secret => secret.Data(Names.Objects.RunTokenKeyFile) is not null ? null : One(Names.Objects.RunTokenKeyFile, known ?? Certificates.RandomKey()), ct);
        await EnsureAsync(gateway, name, secret => secret.Data(Names.Objects.RunTokenKeyFile) is not null ? null : One(Names.Objects.RunTokenKeyFile, signing.Data(Names.Objects.RunTokenKeyFile)!), ct);

        await PublishAsync(gateway, Names.Objects.Authority, new JsonObject { [CaCertificate] = certificate }, ct);
        await PublishAsync(system, Names.Objects.ApiDiscovery, new JsonObject
        {
            ["server"] = $"https://{Names.Objects.ApiDiscovery}.{system}.svc",
            ["certificate-authority-data"] = Objects.Base64(certificate),
            [Names.Objects.GatewayAddress] = $"http://{Names.Objects.Gateway}.{gateway}.svc:8080",
        }, ct);
        return certificate;
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

    private JsonObject Authority() => Pair(CaCertificate, CaKey, Certificates.Authority(clock.GetUtcNow()));

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

    private static JsonObject Pair(string first, string second, (string Certificate, string Key) pem) => new() { [first] = Objects.Base64(pem.Certificate), [second] = Objects.Base64(pem.Key) };

    private static JsonObject One(string key, string text) => new() { [key] = Objects.Base64(text) };
}
