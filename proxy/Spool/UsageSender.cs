using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Fabrik.Gateway;
using Fabrik.Proxy.Hosting;

namespace Fabrik.Proxy.Spool;

/// <summary>Sends what is settled to the API until it has it. What the API refuses for good is set aside in a file, so that the rest goes on.</summary>
internal sealed partial class UsageSender : BackgroundService
{
    /// <summary>What the API takes at once.</summary>
    private const int MostEvents = 500;
    private const int MostBytes = 512 << 10;
    private const string SetAside = "refused.jsonl";

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);
    private readonly UsageSpool spool;
    private readonly ProxyMetrics metrics;
    private readonly ProxyOptions options;
    private readonly ILogger<UsageSender> logger;
    private readonly HttpClient http;
    private bool failing;

    public UsageSender(UsageSpool spool, ProxyMetrics metrics, ProxyOptions options, ILogger<UsageSender> logger)
    {
        (this.spool, this.metrics, this.options, this.logger) = (spool, metrics, options, logger);
        var handler = new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5), ConnectTimeout = TimeSpan.FromSeconds(5) };
        if (options.ApiCaFile is { } path)
        {
            handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, errors) => Trusts(path, certificate, errors);
        }

        http = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(10), MaxResponseContentBufferSize = 64 << 10 };
    }

    public override void Dispose()
    {
        http.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.Api is null) return;
        var pause = Pause;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var sent = await SendAsync(stoppingToken);
                pause = Pause;
                if (failing) Log.Again(logger);
                failing = false;
                if (sent > 0) continue;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or UnauthorizedAccessException or JsonException || (e is OperationCanceledException && !stoppingToken.IsCancellationRequested))
            {
                if (!failing) Log.Waiting(logger, options.Api, e.Message);
                failing = true;
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            }

            await Task.Delay(pause, options.Clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<int> SendAsync(CancellationToken ct)
    {
        var events = spool.Next(MostEvents, MostBytes, out var end);
        if (events.Count > 0) await SendAsync(events, ct);
        spool.Sent(end);
        return events.Count;
    }

    /// <summary>A batch that is refused is sent again in halves, so that what cannot be taken in is found.</summary>
    private async Task SendAsync(IReadOnlyList<byte[]> events, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(options.Api!, Names.Paths.Usage)) { Content = new ByteArrayContent(Body(events)) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (options.ApiTokenFile is { } path) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", (await File.ReadAllTextAsync(path, ct)).Trim());
        using var answer = await http.SendAsync(request, ct);
        if (answer.IsSuccessStatusCode)
        {
            metrics.Sent(events.Count);
            return;
        }

        if (answer.StatusCode is not (HttpStatusCode.BadRequest or HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.UnprocessableEntity))
            throw new HttpRequestException($"it answered {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync(ct)}");
        if (events.Count > 1)
        {
            await SendAsync([.. events.Take(events.Count / 2)], ct);
            await SendAsync([.. events.Skip(events.Count / 2)], ct);
            return;
        }

        await File.AppendAllTextAsync(Path.Combine(options.SpoolDirectory, SetAside), System.Text.Encoding.UTF8.GetString(events[0]) + "\n", ct);
        metrics.RefusedUsage(1);
        Log.Refused(logger, await answer.Content.ReadAsStringAsync(ct), SetAside);
    }

    private static byte[] Body(IReadOnlyList<byte[]> events)
    {
        var body = new MemoryStream(events.Sum(one => one.Length + 1) + 2);
        body.WriteByte((byte)'[');
        for (var i = 0; i < events.Count; i++)
        {
            if (i > 0) body.WriteByte((byte)',');
            body.Write(events[i]);
        }

        body.WriteByte((byte)']');
        return body.ToArray();
    }

    private static bool Trusts(string path, X509Certificate? certificate, SslPolicyErrors errors)
    {
        if (certificate is null || errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch)) return false;
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(path);
        return chain.Build(new X509Certificate2(certificate));
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "The API at {Api} does not take usage in; it waits in the spool: {Why}")]
        public static partial void Waiting(ILogger logger, Uri api, string why);

        [LoggerMessage(Level = LogLevel.Information, Message = "The API takes usage in again")]
        public static partial void Again(ILogger logger);

        [LoggerMessage(Level = LogLevel.Error, Message = "The API refuses an attempt for good, and it is set aside in {File}: {Why}")]
        public static partial void Refused(ILogger logger, string why, string file);
    }
}
