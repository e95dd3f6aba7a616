using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Fabrik.Api.Hosting;

/// <summary>The serving certificate from tls.crt and tls.key of a directory, read again when they change (a mounted Secret is swapped as a whole).</summary>
internal sealed partial class Certificate(string directory, TimeProvider clock, ILogger logger) : IDisposable
{
    /// <summary>How old a look at the files may be; a handshake is not the place to read them each time.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private X509Certificate2? current;
    private (DateTime, DateTime) stamps;
    private long lookedAt;

    public X509Certificate2 Get()
    {
        lock (gate)
        {
            if (current is not null && clock.GetElapsedTime(lookedAt) < Fresh) return current;
            var (certificate, key) = (Path.Combine(directory, "tls.crt"), Path.Combine(directory, "tls.key"));
            lookedAt = clock.GetTimestamp();
            try
            {
                var now = (File.GetLastWriteTimeUtc(certificate), File.GetLastWriteTimeUtc(key));
                if (current is not null && now == stamps) return current;
                current = X509Certificate2.CreateFromPemFile(certificate, key);
                stamps = now;
            }
            catch (Exception e) when (current is not null && e is IOException or CryptographicException or UnauthorizedAccessException)
            {
                // Half-written or gone: the one in hand is better than none.
                Log.Unreadable(logger, directory, e.Message);
            }

            return current!;
        }
    }

    public void Dispose() => current?.Dispose();

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "The certificate in {Directory} cannot be read ({Why}); serving with the one before")]
        public static partial void Unreadable(ILogger logger, string directory, string why);
    }
}
