using System.Globalization;

namespace Fabrik.Proxy;

/// <summary>The process' environment as options.</summary>
public static class ProxyEnvironment
{
    private const string DefaultConfig = "/etc/fabrik/gateway/config.json";
    private const string DefaultKeys = "/etc/fabrik/provider-keys";
    private const string DefaultTokenKey = "/etc/fabrik/run-token-key/key";
    private const string DefaultVirtualKeys = "/etc/fabrik/virtual-keys/keys.json";
    private const string DefaultSpool = "/var/lib/fabrik/spool";

    /// <exception cref="ProxyException">A variable has a value that cannot be used; the message names it.</exception>
    public static ProxyOptions Read(Func<string, string?> variable) => new()
    {
        ConfigFile = variable(Names.Variables.GatewayConfig) ?? DefaultConfig,
        KeyDirectory = variable(Names.Variables.ProviderKeyDirectory) ?? DefaultKeys,
        TokenKeyFile = variable(Names.Variables.RunTokenKeyFile) ?? DefaultTokenKey,
        VirtualKeyFile = variable(Names.Variables.VirtualKeyFile) ?? DefaultVirtualKeys,
        PriceFile = variable(Names.Variables.ModelPrices),
        SpoolDirectory = variable(Names.Variables.SpoolDirectory) ?? DefaultSpool,
        Api = Url(variable, Names.Variables.ApiUrl, "https://fabrik-api.fabrik-system:8443"),
        Otlp = Url(variable, Names.Variables.OtlpEndpoint, "http://collector.monitoring:4318"),
        ApiTokenFile = variable(Names.Variables.ApiTokenFile) ?? Path.Combine(Names.Paths.ServiceAccount, "token"),
        ApiCaFile = variable(Names.Variables.ApiCaFile),
        Port = Number(variable, Names.Variables.GatewayPort, 65535) ?? ProxyOptions.DefaultPort,
        DrainGrace = Number(variable, Names.Variables.DrainSeconds, 25) is { } seconds ? TimeSpan.FromSeconds(seconds) : ProxyOptions.DefaultDrainGrace,
        StreamGrace = Number(variable, Names.Variables.StreamSeconds, 3600) is { } streams ? TimeSpan.FromSeconds(streams) : ProxyOptions.DefaultStreamGrace,
    };

    private static Uri? Url(Func<string, string?> variable, string name, string example)
    {
        if (variable(name) is not { Length: > 0 } text) return null;
        return Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is ("http" or "https") ? url : throw new ProxyException($"{name} is \"{text}\"; it must be a URL such as {example}");
    }

    private static int? Number(Func<string, string?> variable, string name, int most)
    {
        if (variable(name) is not { Length: > 0 } text) return null;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= most) return number;
        throw new ProxyException($"{name} is \"{text}\"; it must be a whole number from 0 to {most}");
    }
}
