using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Fabrik.Proxy.Hosting;

/// <summary>Fabrik's own API, with the gateway's ServiceAccount token.</summary>
internal sealed class ApiClient : IDisposable
{
    private readonly ProxyOptions options;
    private readonly HttpClient http;

    public ApiClient(ProxyOptions options)
    {
        this.options = options;
        var handler = new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5), ConnectTimeout = TimeSpan.FromSeconds(5) };
        if (options.ApiCaFile is { } path) handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, errors) => Trusts(path, certificate, errors);
        http = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(10), MaxResponseContentBufferSize = 4 << 20 };
    }

    /// <exception cref="HttpRequestException">It cannot be reached.</exception>
    public async Task<HttpResponseMessage> PostAsync(string path, ReadOnlyMemory<byte> body, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(options.Api!, path)) { Content = new ReadOnlyMemoryContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (options.ApiTokenFile is { } file) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", (await File.ReadAllTextAsync(file, ct)).Trim());
        return await http.SendAsync(request, ct);
    }

    /// <exception cref="HttpRequestException">It cannot be reached, or refuses; the message has its answer.</exception>
    /// <exception cref="JsonException">It answers something else.</exception>
    public async Task<TAnswer> GetAsync<TAnswer>(string path, JsonTypeInfo<TAnswer> expected, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(options.Api!, path));
        if (options.ApiTokenFile is { } file) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", (await File.ReadAllTextAsync(file, ct)).Trim());
        using var answer = await http.SendAsync(request, ct);
        if (!answer.IsSuccessStatusCode) throw await RefusalAsync(answer, ct);
        return await JsonSerializer.DeserializeAsync(await answer.Content.ReadAsStreamAsync(ct), expected, ct) ?? throw new JsonException("the answer is empty");
    }

    /// <exception cref="HttpRequestException">It cannot be reached, or refuses; the message has its answer.</exception>
    /// <exception cref="JsonException">It answers something else.</exception>
    public async Task<TAnswer> PostAsync<TRequest, TAnswer>(string path, TRequest request, JsonTypeInfo<TRequest> asked, JsonTypeInfo<TAnswer> expected, CancellationToken ct)
    {
        using var answer = await PostAsync(path, JsonSerializer.SerializeToUtf8Bytes(request, asked), ct);
        if (!answer.IsSuccessStatusCode) throw await RefusalAsync(answer, ct);
        return await JsonSerializer.DeserializeAsync(await answer.Content.ReadAsStreamAsync(ct), expected, ct) ?? throw new JsonException("the answer is empty");
    }

    public static async Task<HttpRequestException> RefusalAsync(HttpResponseMessage answer, CancellationToken ct) => new($"it answered {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync(ct)}");

    public void Dispose() => http.Dispose();

    private static bool Trusts(string path, X509Certificate? certificate, SslPolicyErrors errors)
    {
        if (certificate is null || errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch)) return false;
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(path);
        return chain.Build(new X509Certificate2(certificate));
    }
}
