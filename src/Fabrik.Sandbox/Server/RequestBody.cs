using Microsoft.AspNetCore.Http;

namespace Fabrik.Sandbox.Server;

/// <summary>Reads the bytes of a request, within the limit that Kubernetes has too.</summary>
public static class RequestBody
{
    /// <summary>3 MiB.</summary>
    public const int Limit = 3 * 1024 * 1024;

    public static async Task<byte[]> ReadAsync(HttpRequest request, CancellationToken ct)
    {
        if (request.ContentLength > Limit) throw ApiException.TooLarge(Limit);
        using var buffer = new MemoryStream();
        var chunk = new byte[16 * 1024];
        int read;
        while ((read = await request.Body.ReadAsync(chunk, ct)) > 0)
        {
            buffer.Write(chunk, 0, read);
            if (buffer.Length > Limit) throw ApiException.TooLarge(Limit);
        }

        return buffer.ToArray();
    }

    /// <summary>The media type without its parameters, lower case.</summary>
    public static string MediaType(HttpRequest request) => (request.ContentType ?? "").Split(';')[0].Trim().ToLowerInvariant();
}
