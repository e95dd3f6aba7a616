using System.Security.Cryptography;
using System.Text;
using Fabrik.Experiments;

namespace Fabrik.Gateway;

/// <summary>Keys that sign run tokens: the current one signs, every one verifies, so a key can be replaced while Jobs with older tokens live on.</summary>
public sealed class RunTokenKeys
{
    internal const int IdLength = 8;
    internal const int SignatureBytes = HMACSHA256.HashSizeInBytes;
    private readonly (string Id, byte[] Key)[] keys;

    /// <exception cref="ArgumentException">There is none, or one is shorter than 32 bytes.</exception>
    public RunTokenKeys(params IReadOnlyList<byte[]> keys)
    {
        if (keys.Count == 0 || keys.Any(key => key.Length < AssignmentKeys.MinimumBytes)) throw new ArgumentException($"a token key must have at least {AssignmentKeys.MinimumBytes} bytes", nameof(keys));
        this.keys = [.. keys.Select(key => (Convert.ToHexStringLower(HMACSHA256.HashData(key, "fabrik.dev/run-token/id"u8).AsSpan(0, IdLength / 2)), HMACSHA256.HashData(key, "fabrik.dev/run-token/v1"u8)))];
    }

    /// <summary>The same form of file as that of the assignment keys, with other keys: one a line, the first signs.</summary>
    /// <exception cref="FormatException">No key, or one shorter than 32 bytes. The message never quotes the content.</exception>
    public static RunTokenKeys Parse(ReadOnlySpan<byte> content)
    {
        var text = Encoding.UTF8.GetString(content);
        byte[][] lines = [.. text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Encoding.UTF8.GetBytes)];
        if (lines.Length == 0) throw new FormatException("the token key file is empty; write a random key of at least 32 bytes into it, such as the output of: openssl rand -base64 32");
        if (lines.FirstOrDefault(key => key.Length < AssignmentKeys.MinimumBytes) is { } weak)
            throw new FormatException($"a token key has {weak.Length} bytes where at least {AssignmentKeys.MinimumBytes} are needed; make one with: openssl rand -base64 32");
        return new RunTokenKeys(lines);
    }

    internal string Id => keys[0].Id;

    internal void Sign(ReadOnlySpan<byte> content, Span<byte> signature) => HMACSHA256.HashData(keys[0].Key, content, signature);

    /// <summary>In a time that does not depend on the signature.</summary>
    internal bool Verifies(ReadOnlySpan<char> id, ReadOnlySpan<byte> content, ReadOnlySpan<byte> signature)
    {
        Span<byte> expected = stackalloc byte[SignatureBytes];
        foreach (var (known, key) in keys)
        {
            if (!id.SequenceEqual(known)) continue;
            HMACSHA256.HashData(key, content, expected);
            return CryptographicOperations.FixedTimeEquals(expected, signature);
        }

        return false;
    }
}
