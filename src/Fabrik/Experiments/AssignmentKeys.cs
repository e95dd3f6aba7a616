using System.Security.Cryptography;
using System.Text;

namespace Fabrik.Experiments;

/// <summary>Keys that sign assignments: the current one signs, every one verifies, so a key can be replaced while signed Jobs live on.</summary>
public sealed class AssignmentKeys
{
    public const int MinimumBytes = 32;
    private static readonly byte[] Domain = Encoding.ASCII.GetBytes("fabrik.dev/assignment/v1\n");
    private static readonly byte[] RunIdDomain = Encoding.ASCII.GetBytes("fabrik.dev/run-id/v1\n");
    private readonly byte[][] keys;

    /// <exception cref="ArgumentException">A key is shorter than 32 bytes.</exception>
    public AssignmentKeys(ReadOnlySpan<byte> current, params IEnumerable<ReadOnlyMemory<byte>> previous)
    {
        keys = [current.ToArray(), .. previous.Select(one => one.ToArray())];
        if (keys.Any(key => key.Length < MinimumBytes))
            throw new ArgumentException($"an assignment key must have at least {MinimumBytes} bytes; write 32 random bytes to its file or Secret", nameof(current));
    }

    internal const int SignatureBytes = HMACSHA256.HashSizeInBytes;

    internal void Sign(ReadOnlySpan<byte> content, Span<byte> signature) => Hash(keys[0], Domain, content, signature);

    /// <summary>In a time that does not depend on the signature.</summary>
    internal bool Verifies(ReadOnlySpan<byte> content, ReadOnlySpan<byte> signature)
    {
        Span<byte> expected = stackalloc byte[SignatureBytes];
        var valid = false;
        foreach (var key in keys)
        {
            Hash(key, Domain, content, expected);
            valid |= CryptographicOperations.FixedTimeEquals(expected, signature);
        }

        return valid;
    }

    /// <summary>26 lower-case base-32 characters that nobody without the key can guess; one admission request always gets the same.</summary>
    internal void RunId(ReadOnlySpan<byte> unit, Span<byte> runId)
    {
        Span<byte> hash = stackalloc byte[SignatureBytes];
        Hash(keys[0], RunIdDomain, unit, hash);
        UInt128 bits = 0;
        foreach (var one in hash[..16]) bits = (bits << 8) | one;
        for (var i = 0; i < Assignment.RunIdLength; i++, bits >>= 5) runId[i] = "abcdefghijklmnopqrstuvwxyz234567"u8[(int)(bits & 31)];
    }

    private static void Hash(byte[] key, byte[] domain, ReadOnlySpan<byte> content, Span<byte> signature)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        hash.AppendData(domain);
        hash.AppendData(content);
        hash.GetHashAndReset(signature);
    }
}
