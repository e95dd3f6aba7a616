namespace Fabrik.Proxy;

public sealed record ProxyOptions
{
    public const int DefaultPort = 8080;
    public static readonly TimeSpan DefaultDrainGrace = TimeSpan.FromSeconds(5);

    /// <summary>With the drain before and the last writes after it within the 30 s that Kubernetes gives a Pod.</summary>
    public static readonly TimeSpan DefaultStreamGrace = TimeSpan.FromSeconds(20);

    /// <summary>JSON, read again when it changes: see <see cref="Gateway.GatewayConfig"/>.</summary>
    public required string ConfigFile { get; init; }

    /// <summary>Holds a file for each provider key, read again when they change.</summary>
    public required string KeyDirectory { get; init; }

    /// <summary>Keys that sign run tokens, one a line, the newest first; read again when it changes.</summary>
    public required string TokenKeyFile { get; init; }

    /// <summary>Hashes of virtual keys, as JSON; null or missing: there are none.</summary>
    public string? VirtualKeyFile { get; init; }

    /// <summary>Prices that count before those that Fabrik ships; null: none.</summary>
    public string? PriceFile { get; init; }

    /// <summary>For what is not sent yet: on a disk of this process alone.</summary>
    public required string SpoolDirectory { get; init; }

    /// <summary>Where usage is sent; null: it stays in the spool.</summary>
    public Uri? Api { get; init; }

    /// <summary>What the API is shown; read again with each request.</summary>
    public string? ApiTokenFile { get; init; }

    /// <summary>PEM of the authority that the API's certificate is from; null: the operating system's count.</summary>
    public string? ApiCaFile { get; init; }

    /// <summary>Base of a collector that takes OTLP over HTTP; null: metrics are only served.</summary>
    public Uri? Otlp { get; init; }

    /// <summary>Plain HTTP. 0 takes any free one.</summary>
    public int Port { get; init; } = DefaultPort;

    /// <summary>True where the port is for this machine alone.</summary>
    public bool LoopbackOnly { get; init; }

    /// <summary>How long requests are still taken after readiness has gone.</summary>
    public TimeSpan DrainGrace { get; init; } = DefaultDrainGrace;

    /// <summary>How long open calls may go on after that; what is left of them then ends with an error in its stream.</summary>
    public TimeSpan StreamGrace { get; init; } = DefaultStreamGrace;

    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
