using System.Buffers.Text;
using System.Security.Cryptography;

namespace Fabrik.Gateway;

/// <summary>
/// Keys that sign run tokens: the current one mints, every one verifies, so that a key can be replaced while runs that carry its tokens go on. Their secret is
/// not that of the assignments, as the gateway holds this one alone.
/// </summary>
public sealed class RunTokenKeys
{
    /// <summary>Characters of a key's id; it tells which key signed a token and nothing of the key.</summary>
    internal const int IdLength = 8;
    internal const int SignatureBytes = HMACSHA256.HashSizeInBytes;

    private const int IdBytes = 6;
    private readonly (byte[] Id, byte[] Secret)[] keys;

    /// <exception cref="ArgumentException">A key is shorter than 32 bytes.</exception>
    public RunTokenKeys(ReadOnlySpan<byte> current, params IEnumerable<ReadOnlyMemory<byte>> previous)
    {
        byte[][] all = [current.ToArray(), .. previous.Select(one => one.ToArray())];
        if (Array.Exists(all, key => key.Length < KeyFile.MinimumBytes))
            throw new ArgumentException($"a run token key must have at least {KeyFile.MinimumBytes} bytes; write 32 random bytes to its file or Secret", nameof(current));

        // One key per use, derived: even a secret that somebody used for assignments too signs none of them as a token.
        keys = [.. all.Select(key => (Id(key), HMACSHA256.HashData(key, "fabrik.dev/run-token/v1"u8)))];
    }

    /// <summary>
    /// Text: one key a line, the first mints, the others only verify. Anything else is one binary key. A new key is verified everywhere before it mints
    /// anywhere: it is added below the current one first, and moved to the top once webhook and gateway have read it.
    /// </summary>
    /// <exception cref="FormatException">No key, or one shorter than 32 bytes. The message never quotes the content.</exception>
    public static RunTokenKeys Parse(ReadOnlySpan<byte> content)
    {
        var read = KeyFile.Read(content, "run token key");
        return new RunTokenKeys(read[0], read.Skip(1).Select(key => (ReadOnlyMemory<byte>)key));
    }

    internal ReadOnlySpan<byte> CurrentId => keys[0].Id;

    internal void Sign(ReadOnlySpan<byte> content, Span<byte> signature) => HMACSHA256.HashData(keys[0].Secret, content, signature);

    /// <summary>The signature that the key with this id gives; false where there is none such.</summary>
    internal bool TrySign(ReadOnlySpan<byte> id, ReadOnlySpan<byte> content, Span<byte> signature)
    {
        foreach (var (known, secret) in keys)
        {
            if (!id.SequenceEqual(known)) continue;
            HMACSHA256.HashData(secret, content, signature);
            return true;
        }

        return false;
    }

    private static byte[] Id(byte[] key)
    {
        var id = new byte[IdLength];
        Base64Url.EncodeToUtf8(HMACSHA256.HashData(key, "fabrik.dev/run-token/key-id/v1"u8).AsSpan(0, IdBytes), id, out _, out _);
        return id;
    }
}
