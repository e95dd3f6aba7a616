using System.Globalization;
using Fabrik.Kubernetes;

namespace Fabrik.Webhook;

/// <summary>The process' environment as options.</summary>
public static class WebhookEnvironment
{
    private const string DefaultTlsDirectory = "/etc/fabrik/tls";
    private const string DefaultKeyFile = "/etc/fabrik/assignment-key/key";

    /// <exception cref="WebhookException">A variable has a value that cannot be used; the message names it.</exception>
    public static WebhookOptions Read(Func<string, string?> variable, Func<ClusterConfig> cluster) => new()
    {
        Cluster = cluster(),
        TlsDirectory = variable(Names.Variables.TlsDirectory) ?? DefaultTlsDirectory,
        AssignmentKeyFile = variable(Names.Variables.AssignmentKeyFile) ?? DefaultKeyFile,
        Port = Number(variable, Names.Variables.WebhookPort, 65535) ?? WebhookOptions.DefaultPort,
        MetricsPort = Number(variable, Names.Variables.MetricsPort, 65535),
        DrainGrace = Number(variable, Names.Variables.DrainSeconds, 25) is { } seconds ? TimeSpan.FromSeconds(seconds) : WebhookOptions.DefaultDrainGrace,
    };

    private static int? Number(Func<string, string?> variable, string name, int most)
    {
        if (variable(name) is not { Length: > 0 } text) return null;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= most) return number;
        throw new WebhookException($"{name} is \"{text}\"; it must be a whole number from 0 to {most}");
    }
}
