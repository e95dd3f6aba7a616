using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Fabrik.Kubernetes.Configuration;

namespace Fabrik.Kubernetes.Http;

/// <summary>Who calls: a header, a client certificate, or both, or nobody. Compared by reference.</summary>
internal sealed record Credential(AuthenticationHeaderValue? Header, SslStreamCertificateContext? Certificate);

/// <summary>The credential to use now: token files, certificate files and credential plugins are asked again when it is time, or when the server refused.</summary>
internal sealed class Credentials(ClusterConfig config, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan FileAge = TimeSpan.FromSeconds(10);

    // A token must not expire on its way.
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim gate = new(1);
    private volatile Held? held;

    // Class, so that it is replaced in one step.
    private sealed record Held(Credential Credential, string? Token, string? Certificate, string? Key, DateTimeOffset Until);

    private bool Changes => config.Exec is not null || config.TokenFile is not null || config.ClientCertificateFile is not null;

    public async ValueTask<Credential> GetAsync(CancellationToken ct)
    {
        if (held is { } fresh && clock.GetUtcNow() < fresh.Until) return fresh.Credential;
        await gate.WaitAsync(ct);
        try
        {
            if (held is { } other && clock.GetUtcNow() < other.Until) return other.Credential;
            held = await ReadAsync(held, ct);
            return held.Credential;
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>After a 401: the credential that replaces the refused one, or null when there is no other.</summary>
    public async ValueTask<Credential?> ReplaceAsync(Credential refused, CancellationToken ct)
    {
        if (!Changes) return null;
        if (held is { } old && old.Credential == refused) held = old with { Until = DateTimeOffset.MinValue };
        var next = await GetAsync(ct);
        return next == refused ? null : next;
    }

    public void Dispose() => gate.Dispose();

    private async Task<Held> ReadAsync(Held? before, CancellationToken ct)
    {
        if (config.Exec is { } plugin)
        {
            var printed = await ExecCommand.RunAsync(plugin, config, clock, ct);
            return Hold(before, printed.Token, printed.Certificate, printed.Key, printed.Expires - Margin ?? DateTimeOffset.MaxValue, config.Exec.Command);
        }

        try
        {
            var token = config.TokenFile is null ? config.Token : Token(config.TokenFile);
            var certificate = config.ClientCertificateFile is null ? config.ClientCertificate : BoundedFile.Text(config.ClientCertificateFile);
            var key = config.ClientKeyFile is null ? config.ClientKey : BoundedFile.Text(config.ClientKeyFile);
            return Hold(before, token, certificate, key, Changes ? clock.GetUtcNow() + FileAge : DateTimeOffset.MaxValue, config.ClientCertificateFile ?? "the configuration");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or KubeconfigException)
        {
            // In the middle of a rotation the last credential is likely still good.
            if (before is not null) return before with { Until = clock.GetUtcNow() + FileAge };
            if (e is KubeconfigException) throw;
            throw new KubeconfigException($"The credentials cannot be read: {e.Message}. Check the paths and permissions.", e);
        }
    }

    private static string Token(string path)
    {
        var token = BoundedFile.Text(path).Trim();
        if (token.Length == 0) throw new KubeconfigException($"The token file {path} is empty.");
        return token.AsSpan().IndexOfAnyExceptInRange('!', '~') < 0 ? token : throw new KubeconfigException($"The token file {path} holds something else than a token.");
    }

    private Held Hold(Held? before, string? token, string? certificate, string? key, DateTimeOffset until, string source)
    {
        // The same certificate stays the same object, so that its connections stay.
        if (before is not null && (token, certificate, key) == (before.Token, before.Certificate, before.Key)) return before with { Until = until };
        var context = before is not null && (certificate, key) == (before.Certificate, before.Key) ? before.Credential.Certificate : Context(certificate, key, source);
        var header = token is not null ? new AuthenticationHeaderValue("Bearer", token)
            : config.Username is not null ? new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{config.Username}:{config.Password}")))
            : null;
        return new Held(new Credential(header, context), token, certificate, key, until);
    }

    private static SslStreamCertificateContext? Context(string? certificate, string? key, string source)
    {
        if (certificate is null || key is null) return null;
        try
        {
            var leaf = X509Certificate2.CreateFromPem(certificate, key);
            var chain = new X509Certificate2Collection();
            chain.ImportFromPem(certificate);
            return SslStreamCertificateContext.Create(leaf, chain, offline: true);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new KubeconfigException($"The client certificate and key of {source} cannot be used: {e.Message} Both must be PEM and belong together.", e);
        }
    }
}
