using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Fabrik.Runs;
using Fabrik.Runs.Usage;

namespace Fabrik.CronJobs.Usage;

/// <summary>Prometheus' query API. Whatever goes wrong is a <see cref="SourceException"/>; time and size of an answer are bounded.</summary>
public sealed class PrometheusClient(PrometheusOptions options, UsageMetrics metrics, TimeProvider clock) : IDisposable
{
    public const int AnswerLimit = 32 << 20;
    private const int SecretLimit = 64 << 10;
    private const int Attempts = 2;

    /// <summary>What Prometheus itself is told; it then says which query was too slow.</summary>
    private static readonly TimeSpan QueryTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private readonly HttpClient http = new(PrometheusTrust.Handler(options)) { Timeout = Timeout.InfiniteTimeSpan, BaseAddress = Root(options.Url) };

    /// <summary>For one exchange.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(20);

    public Task<PrometheusAnswer> QueryAsync(string query, DateTimeOffset at, CancellationToken ct) =>
        PostAsync(Names.Paths.PrometheusQuery, ct, ("query", query), ("time", Seconds(at)));

    public Task<PrometheusAnswer> QueryRangeAsync(string query, DateTimeOffset from, DateTimeOffset to, TimeSpan step, CancellationToken ct) =>
        PostAsync(Names.Paths.PrometheusQueryRange, ct, ("query", query), ("start", Seconds(from)), ("end", Seconds(to)), ("step", step.TotalSeconds.ToString(CultureInfo.InvariantCulture)));

    public void Dispose() => http.Dispose();

    private async Task<PrometheusAnswer> PostAsync(string path, CancellationToken ct, params (string Name, string Value)[] parameters)
    {
        for (var attempt = 1; ; attempt++)
        {
            var began = clock.GetTimestamp();
            try
            {
                return await ExchangeAsync(path, parameters, ct);
            }
            catch (SourceException e) when (attempt < Attempts && e.Gap is UsageGap.Unreachable or UsageGap.Unavailable)
            {
                await Task.Delay(Pause, clock, ct);
            }
            finally
            {
                metrics.Asked(UsageSource.Prometheus, clock.GetElapsedTime(began));
            }
        }
    }

    private async Task<PrometheusAnswer> ExchangeAsync(string path, (string Name, string Value)[] parameters, CancellationToken ct)
    {
        using var timeout = new CancellationTokenSource(Patience, clock);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path)
            {
                Content = new FormUrlEncodedContent([.. parameters.Select(one => KeyValuePair.Create(one.Name, one.Value)), KeyValuePair.Create("timeout", $"{QueryTimeout.TotalSeconds}s")]),
            };
            request.Headers.Authorization = await CredentialAsync(stop.Token);
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop.Token);
            return Judge(response, await BodyAsync(response.Content, stop.Token));
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new SourceException(UsageGap.TimedOut, $"{Where} did not answer within {Patience.TotalSeconds:0} s", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new SourceException(UsageGap.Unreachable, $"{Where} cannot be reached: {e.GetBaseException().Message}", e);
        }
    }

    private string Where => options.Url.GetLeftPart(UriPartial.Path);

    private PrometheusAnswer Judge(HttpResponseMessage response, byte[] body) => response.StatusCode switch
    {
        HttpStatusCode.OK => PrometheusAnswer.Parse(body),
        HttpStatusCode.Unauthorized => throw new SourceException(UsageGap.Unauthorized, $"{Where} wants other credentials (401)"),
        HttpStatusCode.Forbidden => throw new SourceException(UsageGap.Forbidden, $"{Where} does not allow it (403)"),
        HttpStatusCode.NotFound => throw new SourceException(UsageGap.NotServed, $"{Where} has no query API there (404)"),
        _ => throw Refusal((int)response.StatusCode, body),
    };

    /// <summary>Prometheus says in the body what it could not do; what stands before it says whatever it likes.</summary>
    private SourceException Refusal(int code, byte[] body)
    {
        var gap = code is 429 or >= 500 ? UsageGap.Unavailable : UsageGap.BadAnswer;
        try
        {
            PrometheusAnswer.Parse(body);
        }
        catch (SourceException e) when (e.InnerException is null)
        {
            if (e.Message.Contains("too many samples", StringComparison.OrdinalIgnoreCase)) gap = UsageGap.TooLarge;
            else if (e.Gap != UsageGap.BadAnswer) gap = e.Gap;
            return new SourceException(gap, $"{Where} answers HTTP {code}: {e.Message}", e);
        }
        catch (SourceException)
        {
            // Not JSON: the status is all there is.
        }

        return new SourceException(gap, $"{Where} answers HTTP {code}");
    }

    private async Task<AuthenticationHeaderValue?> CredentialAsync(CancellationToken ct)
    {
        if (options.TokenFile is { } token) return new AuthenticationHeaderValue("Bearer", await SecretAsync(token, ct));
        if (options is not { Username: { } user, PasswordFile: { } file }) return null;
        return new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{await SecretAsync(file, ct)}")));
    }

    /// <summary>Read each time: files of Secrets are replaced while the process runs.</summary>
    private static async Task<string> SecretAsync(string path, CancellationToken ct)
    {
        try
        {
            await using var file = File.OpenRead(path);
            var bytes = await BodyAsync(file, SecretLimit, ct);
            var secret = Encoding.UTF8.GetString(bytes).Trim();
            return secret.Length > 0 && !secret.Any(char.IsControl) ? secret : throw new SourceException(UsageGap.Unauthorized, $"{path} holds no secret of one line");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SourceException(UsageGap.Unauthorized, $"{path} cannot be read: {e.Message}", e);
        }
    }

    private static async Task<byte[]> BodyAsync(HttpContent content, CancellationToken ct)
    {
        await using var stream = await content.ReadAsStreamAsync(ct);
        return await BodyAsync(stream, AnswerLimit, ct);
    }

    private static async Task<byte[]> BodyAsync(Stream stream, int limit, CancellationToken ct)
    {
        var buffer = new MemoryStream();
        var chunk = new byte[64 << 10];
        for (int read; (read = await stream.ReadAsync(chunk, ct)) > 0; buffer.Write(chunk, 0, read))
            if (buffer.Length + read > limit) throw new SourceException(UsageGap.TooLarge, $"the answer is larger than {limit >> 10} KiB");
        return buffer.ToArray();
    }

    private static string Seconds(DateTimeOffset at) => (at.ToUnixTimeMilliseconds() / 1000.0).ToString(CultureInfo.InvariantCulture);

    private static Uri Root(Uri url) => new(url.GetLeftPart(UriPartial.Path).TrimEnd('/') + "/");
}
