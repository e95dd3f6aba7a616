using System.Globalization;
using Fabrik.Kubernetes;

namespace Fabrik.Webhook;

/// <summary>The process' environment as options.</summary>
public static class WebhookEnvironment
{
    private const int MaximumAddress = 1024;
    private const int MaximumImage = 512;
    private const string DefaultTlsDirectory = "/etc/fabrik/tls";
    private const string DefaultTokenKeyFile = "/etc/fabrik/run-token-key/key";
    private const string DefaultKeyFile = "/etc/fabrik/assignment-key/key";

    /// <exception cref="WebhookException">A variable has a value that cannot be used; the message names it.</exception>
    public static WebhookOptions Read(Func<string, string?> variable, Func<ClusterConfig> cluster) => new()
    {
        Cluster = cluster(),
        TlsSecret = variable(Names.Variables.TlsSecret) is { Length: > 0 } secret ? secret : null,
        TlsDirectory = variable(Names.Variables.TlsDirectory) ?? DefaultTlsDirectory,
        AssignmentKeyFile = variable(Names.Variables.AssignmentKeyFile) ?? DefaultKeyFile,
        GatewayUrl = Address(variable, Names.Variables.GatewayUrl),
        RunTokenKeyFile = variable(Names.Variables.RunTokenKeyFile) ?? DefaultTokenKeyFile,
        GateImage = Image(variable, Names.Variables.GateImage) ?? Names.Images.Gate,
        Port = Number(variable, Names.Variables.WebhookPort, 65535) ?? WebhookOptions.DefaultPort,
        MetricsPort = Number(variable, Names.Variables.MetricsPort, 65535),
        WarmUp = WebhookOptions.DefaultWarmUp,
        DrainGrace = Number(variable, Names.Variables.DrainSeconds, 25) is { } seconds ? TimeSpan.FromSeconds(seconds) : WebhookOptions.DefaultDrainGrace,
    };

    private static Uri? Address(Func<string, string?> variable, string name)
    {
        if (variable(name) is not { Length: > 0 } text) return null;
        if (text.Length <= MaximumAddress && Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
            && address.Query.Length == 0 && address.Fragment.Length == 0 && address.UserInfo.Length == 0) return address;
        throw new WebhookException($"{name} must be an http or https address without name, password, query or fragment, such as https://gateway.fabrik-gateway:8443; leave it out where there is no gateway");
    }

    /// <summary>A container with a reference that Kubernetes does not take would keep every gated Job from being created.</summary>
    private static string? Image(Func<string, string?> variable, string name)
    {
        if (variable(name) is not { Length: > 0 } text) return null;
        if (text.Length <= MaximumImage && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or '/' or ':' or '@')) return text;
        throw new WebhookException($"{name} must be an image such as {Names.Images.Gate}; leave it out for that one");
    }

    private static int? Number(Func<string, string?> variable, string name, int most)
    {
        if (variable(name) is not { Length: > 0 } text) return null;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= most) return number;
        throw new WebhookException($"{name} is \"{text}\"; it must be a whole number from 0 to {most}");
    }
}
