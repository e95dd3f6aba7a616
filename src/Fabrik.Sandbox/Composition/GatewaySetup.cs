using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Proxy;

namespace Fabrik.Sandbox.Composition;

/// <summary>The files that a gateway needs, for one provider of both wire formats.</summary>
internal static class GatewaySetup
{
    private const string KeyName = "sandbox";
    private const int TokenSeconds = 24 * 60 * 60;

    /// <summary>Where the gateway of a run keeps what is not sent yet.</summary>
    public static string Spool(string directory) => Path.Combine(directory, "gateway", "spool");

    public static async Task<ProxyOptions> OptionsAsync(KubernetesClient cluster, string directory, Uri provider, Uri api, string caPem, string tokenKeyFile, TimeProvider clock, CancellationToken ct)
    {
        var home = Path.Combine(directory, "gateway");
        var keys = Path.Combine(home, "keys");
        Directory.CreateDirectory(keys);
        await File.WriteAllTextAsync(Path.Combine(keys, KeyName), "sk-sandbox", ct);
        await File.WriteAllTextAsync(Path.Combine(home, "api-ca.pem"), caPem, ct);
        if (!File.Exists(Path.Combine(home, "virtual-keys.json"))) await File.WriteAllTextAsync(Path.Combine(home, "virtual-keys.json"), "[]", ct);
        await File.WriteAllTextAsync(Path.Combine(home, "api-token"), await TokenAsync(cluster, ct), ct);
        JsonObject Provider(string name) => new() { ["name"] = name, ["format"] = name, ["url"] = new Uri(provider, "v1").AbsoluteUri, ["keys"] = new JsonArray(new JsonObject { ["name"] = KeyName }) };
        var config = new JsonObject { ["providers"] = new JsonArray(Provider("openai"), Provider("anthropic")) };
        await File.WriteAllTextAsync(Path.Combine(home, "config.json"), config.ToJsonString(new JsonSerializerOptions { WriteIndented = true }), ct);
        return new ProxyOptions
        {
            ConfigFile = Path.Combine(home, "config.json"),
            KeyDirectory = keys,
            TokenKeyFile = tokenKeyFile,
            VirtualKeyFile = Path.Combine(home, "virtual-keys.json"),
            SpoolDirectory = Spool(directory),
            Api = api,
            ApiTokenFile = Path.Combine(home, "api-token"),
            ApiCaFile = Path.Combine(home, "api-ca.pem"),
            Port = 0,
            LoopbackOnly = true,
            DrainGrace = TimeSpan.Zero,
            StreamGrace = TimeSpan.Zero,
            Clock = clock,
        };
    }

    /// <summary>In a cluster the kubelet writes and renews it.</summary>
    private static async Task<string> TokenAsync(KubernetesClient cluster, CancellationToken ct)
    {
        var request = new JsonObject
        {
            ["apiVersion"] = "authentication.k8s.io/v1",
            ["kind"] = "TokenRequest",
            ["spec"] = new JsonObject { ["audiences"] = new JsonArray(Names.Audience), ["expirationSeconds"] = TokenSeconds },
        };
        var made = await cluster.CreateAsync(Kinds.ServiceAccount, Names.GatewayNamespace, request, ct, new WriteOptions { Name = Names.Objects.Gateway, Subresource = "token" });
        return made.Json.GetProperty("status").GetProperty("token").GetString()!;
    }
}
