using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace Fabrik.Gateway;

/// <summary>
/// What a Job presents instead of a provider's key: <c>fbk-run-1.KEY.CLAIMS.SIGNATURE</c>, the last two in base64url. It authorises calls of
/// models that are charged to its run, and nothing else.
/// </summary>
public static class RunToken
{
    public const string Prefix = "fbk-run-1.";

    /// <summary>In the place of a token where a Job is only tried.</summary>
    public const string DryRun = "dry-run";

    /// <summary>Characters.</summary>
    public const int Longest = 2048;

    /// <summary>From the creation of its Job.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromDays(30);

    public static string Mint(RunClaims claims, RunTokenKeys keys)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            json.WriteNumberValue(claims.ExpiresAt.ToUnixTimeSeconds());
            foreach (var text in (ReadOnlySpan<string?>)[claims.RunId, claims.Namespace, claims.Project, claims.Arm, claims.Change, claims.TaskType, claims.Complexity])
            {
                if (text is null) json.WriteNullValue();
                else json.WriteStringValue(text);
            }

            json.WriteEndArray();
        }

        Span<byte> signature = stackalloc byte[RunTokenKeys.SignatureBytes];
        var signed = $"{Prefix}{keys.Id}.{Base64Url.EncodeToString(buffer.WrittenSpan)}";
        keys.Sign(Encoding.ASCII.GetBytes(signed), signature);
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }

    /// <param name="token">As it came; nothing of it is trusted.</param>
    /// <param name="claims">Only where it is valid.</param>
    public static TokenVerdict Verify(ReadOnlySpan<char> token, RunTokenKeys keys, DateTimeOffset now, out RunClaims? claims)
    {
        claims = null;
        if (token.Length == 0) return TokenVerdict.Missing;
        if (token.SequenceEqual(DryRun)) return TokenVerdict.DryRun;
        if (token.Length > Longest || !token.StartsWith(Prefix)) return TokenVerdict.Invalid;
        var (key, rest) = Cut(token[Prefix.Length..]);
        var (payload, signature) = Cut(rest);
        if (key.Length == 0 || payload.Length == 0 || signature.Contains('.')) return TokenVerdict.Invalid;

        Span<byte> bytes = stackalloc byte[Longest];
        Span<byte> signed = stackalloc byte[RunTokenKeys.SignatureBytes + 4];
        if (!IsCanonical(signature) || !Base64Url.TryDecodeFromChars(signature, signed, out var length) || length != RunTokenKeys.SignatureBytes) return TokenVerdict.Invalid;
        var content = token[..^(signature.Length + 1)];
        if (Encoding.UTF8.GetByteCount(content) != content.Length) return TokenVerdict.Invalid;
        Encoding.ASCII.GetBytes(content, bytes);
        if (!keys.Verifies(key, bytes[..content.Length], signed[..length])) return TokenVerdict.Invalid;
        if (!Base64Url.TryDecodeFromChars(payload, bytes, out length)) return TokenVerdict.Invalid;
        claims = Read(bytes[..length]);
        if (claims is null) return TokenVerdict.Invalid;
        if (claims.ExpiresAt > now) return TokenVerdict.Valid;
        claims = null;
        return TokenVerdict.Expired;
    }

    /// <summary>Signed before, so it is as it was written.</summary>
    private static RunClaims? Read(ReadOnlySpan<byte> payload)
    {
        try
        {
            var reader = new Utf8JsonReader(payload);
            reader.Read();
            reader.Read();
            var expires = DateTimeOffset.FromUnixTimeSeconds(reader.GetInt64());
            return Text(ref reader) is { } run && Text(ref reader) is { } ns
                ? new RunClaims(run, ns, Text(ref reader), Text(ref reader), Text(ref reader), Text(ref reader), Text(ref reader), expires)
                : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentOutOfRangeException or FormatException)
        {
            return null;
        }
    }

    private static string? Text(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.GetString();
    }

    /// <summary>43 characters hold 258 bits: the last two of them must be zero, or one signature had four spellings.</summary>
    private static bool IsCanonical(ReadOnlySpan<char> signature) => signature.Length == 43 && "AEIMQUYcgkosw048".Contains(signature[^1]);

    private static Pair Cut(ReadOnlySpan<char> text)
    {
        var dot = text.IndexOf('.');
        return dot < 0 ? new Pair(text, default) : new Pair(text[..dot], text[(dot + 1)..]);
    }

    private readonly ref struct Pair(ReadOnlySpan<char> before, ReadOnlySpan<char> after)
    {
        private readonly ReadOnlySpan<char> before = before;
        private readonly ReadOnlySpan<char> after = after;

        public void Deconstruct(out ReadOnlySpan<char> left, out ReadOnlySpan<char> right)
        {
            left = before;
            right = after;
        }
    }
}
