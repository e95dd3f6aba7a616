using System.Text.Json;
using Fabrik.Sandbox.Controllers;

namespace Fabrik.Sandbox.Nodes.Processes;

/// <summary>An httpGet probe as the kubelet makes it: any certificate is good, and 200 to 399 is.</summary>
internal sealed class Probe
{
#pragma warning disable CA5359 // a kubelet verifies no certificate when it probes
    private static readonly HttpClient Http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        PooledConnectionLifetime = TimeSpan.FromSeconds(1),
        SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };
#pragma warning restore CA5359

    private readonly TimeProvider clock;
    private readonly Uri address;
    private readonly TimeSpan period, patience;
    private readonly int threshold;
    private int failures;
    private long? asked;

    private Probe(JsonElement probe, int port, TimeProvider clock)
    {
        this.clock = clock;
        var scheme = probe.Text("httpGet", "scheme") == "HTTPS" ? "https" : "http";
        address = new Uri($"{scheme}://127.0.0.1:{port}{probe.Text("httpGet", "path")}");
        (period, patience) = (TimeSpan.FromSeconds(probe.Int("periodSeconds") ?? 10), TimeSpan.FromSeconds(probe.Int("timeoutSeconds") ?? 1));
        threshold = probe.Int("failureThreshold") ?? 3;
    }

    /// <summary>Null where there is none, or none over HTTP.</summary>
    public static Probe? Of(JsonElement probe, Func<JsonElement, int> portOf, TimeProvider clock) => probe.At("httpGet") is { ValueKind: JsonValueKind.Object } http ? new Probe(probe, portOf(http.At("port")), clock) : null;

    /// <summary>False until it was good, and after as many failures as it takes.</summary>
    public bool? Good { get; private set; } = false;

    public bool Failed => failures >= threshold;

    public void Reset() => (Good, failures, asked) = (false, 0, null);

    public async Task AskAsync(CancellationToken ct)
    {
        if (asked is { } last && clock.GetElapsedTime(last) < period) return;
        asked = clock.GetTimestamp();
        using var limit = new CancellationTokenSource(patience, clock);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        bool good;
        try
        {
            using var answer = await Http.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, linked.Token);
            good = (int)answer.StatusCode is >= 200 and < 400;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !ct.IsCancellationRequested)
        {
            good = false;
        }

        failures = good ? 0 : failures + 1;
        if (good) Good = true;
        else if (Failed) Good = false;
    }
}
