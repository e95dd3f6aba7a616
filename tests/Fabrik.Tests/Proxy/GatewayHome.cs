using System.Text.Json.Nodes;

namespace Fabrik.Tests.Proxy;

/// <summary>The files that a shipped gateway needs, in a directory of a test's own.</summary>
internal sealed class GatewayHome : IDisposable
{
    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("fabrik-gateway-").FullName;

    /// <param name="providers">Names and addresses; each serves both wire formats.</param>
    public GatewayHome(string limits, params (string Name, Uri Address)[] providers)
    {
        System.IO.Directory.CreateDirectory(Path.Combine(Directory, "keys"));
        foreach (var (name, text) in new[] { ("token.key", GatewayBench.TokenKey), ("api-token", "gateway"), (Path.Combine("keys", "one"), "sk-one") }) File.WriteAllText(Path.Combine(Directory, name), text);
        JsonObject Provider(string name, string format, Uri address) => new() { ["name"] = name, ["format"] = format, ["url"] = new Uri(address, "v1").AbsoluteUri, ["keys"] = new JsonArray(new JsonObject { ["name"] = "one" }) };
        var all = providers.SelectMany(one => new JsonNode[] { Provider(one.Name, "openai", one.Address), Provider($"{one.Name}-messages", "anthropic", one.Address) });
        File.WriteAllText(Path.Combine(Directory, "config.json"), new JsonObject { ["limits"] = JsonNode.Parse(limits), ["providers"] = new JsonArray([.. all]) }.ToJsonString());
    }

    public string Spool(string replica) => Path.Combine(Directory, $"spool-{replica}");

    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);
}
