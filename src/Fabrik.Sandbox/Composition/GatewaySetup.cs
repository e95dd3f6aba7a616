using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Proxy;

namespace Fabrik.Sandbox.Composition;

/// <summary>The files that a gateway needs, for one provider of both wire formats.</summary>
internal static class GatewaySetup
{
    private const string KeyName = "sandbox";

    /// <summary>Where the gateway of a run keeps what is not sent yet.</summary>
    public static string Spool(string directory) => Path.Combine(directory, "gateway", "spool");

    public static async Task<ProxyOptions> OptionsAsync(KubernetesClient cluster, string directory, Uri provider, Uri api, string caPem, string tokenKeyFile, bool loopbackOnly, TimeProvider clock, CancellationToken ct)
    {
        var home = Path.Combine(directory, "gateway");
        var keys = Path.Combine(home, "keys");
        Directory.CreateDirectory(keys);
        await File.WriteAllTextAsync(Path.Combine(keys, KeyName), "sk-sandbox", ct);
        await File.WriteAllTextAsync(Path.Combine(home, "api-ca.pem"), caPem, ct);
        if (!File.Exists(Path.Combine(home, "virtual-keys.json"))) await File.WriteAllTextAsync(Path.Combine(home, "virtual-keys.json"), "[]", ct);
        await File.WriteAllTextAsync(Path.Combine(home, "api-token"), await cluster.TokenAsync(Names.GatewayNamespace, Names.Objects.Gateway, ct, Names.Audience, ClusterSetup.TokenLife), ct);
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
            LoopbackOnly = loopbackOnly,
            DrainGrace = TimeSpan.Zero,
            StreamGrace = TimeSpan.Zero,
            Clock = clock,
        };
    }
}
