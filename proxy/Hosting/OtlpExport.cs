using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Fabrik.Proxy.Hosting;

/// <summary>
/// Sends the metrics to a collector as well, where one is named. A collector that is away costs nothing but what it would have been told: it is tried again with
/// the next interval, and calls know nothing of it.
/// </summary>
internal sealed class OtlpExport : IHostedService, IDisposable
{
    private const int LastMilliseconds = 2000;
    private readonly MeterProvider? sending;

    /// <param name="metrics">Asked for so that the instruments are there.</param>
    public OtlpExport(ProxyOptions options, ProxyMetrics metrics)
    {
        _ = metrics;
        if (options.Otlp is not { } collector) return;
        sending = Sdk.CreateMeterProviderBuilder()
            .ConfigureResource(resource => resource.AddService(Names.Objects.Gateway, serviceInstanceId: Environment.MachineName))
            .AddMeter(Names.Meters.Proxy)
            .AddOtlpExporter(exporter =>
            {
                // Headers and intervals are those of OpenTelemetry's own variables. HTTP, as proxies between understand it.
                exporter.Protocol = OtlpExportProtocol.HttpProtobuf;
                exporter.Endpoint = new Uri(collector.AbsoluteUri.TrimEnd('/') + "/v1/metrics");
            })
            .Build();
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>What has been counted since the last interval is sent, if that goes quickly.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => sending is null ? Task.CompletedTask : Task.Run(() => sending.Shutdown(LastMilliseconds), cancellationToken);

    public void Dispose() => sending?.Dispose();
}
