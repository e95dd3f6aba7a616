using System.Security.Cryptography;

namespace Fabrik.Experiments;

/// <summary>Keys that sign assignments: the current one signs, every one verifies, so a key can be replaced while signed Jobs live on.</summary>
public sealed class AssignmentKeys
{
    public const int MinimumBytes = KeyFile.MinimumBytes;
    private readonly byte[][] signing;
    private readonly byte[] naming;

    /// <exception cref="ArgumentException">A key is shorter than 32 bytes.</exception>
    public AssignmentKeys(ReadOnlySpan<byte> current, params IEnumerable<ReadOnlyMemory<byte>> previous)
    {
        byte[][] keys = [current.ToArray(), .. previous.Select(one => one.ToArray())];
        if (Array.Exists(keys, key => key.Length < MinimumBytes))
            throw new ArgumentException($"an assignment key must have at least {MinimumBytes} bytes; write 32 random bytes to its file or Secret", nameof(current));

        // One key per use, derived: no signature of one kind is ever one of another.
        signing = [.. keys.Select(key => HMACSHA256.HashData(key, "fabrik.dev/assignment/v1"u8))];
        naming = HMACSHA256.HashData(keys[0], "fabrik.dev/run-id/v1"u8);
    }

    internal const int SignatureBytes = HMACSHA256.HashSizeInBytes;

    internal void Sign(ReadOnlySpan<byte> content, Span<byte> signature) => HMACSHA256.HashData(signing[0], content, signature);

    /// <summary>In a time that does not depend on the signature.</summary>
    internal bool Verifies(ReadOnlySpan<byte> content, ReadOnlySpan<byte> signature)
    {
        Span<byte> expected = stackalloc byte[SignatureBytes];
        var valid = false;
        foreach (var key in signing)
        {
            HMACSHA256.HashData(key, content, expected);
            valid |= CryptographicOperations.FixedTimeEquals(expected, signature);
        }

        return valid;
    }

    /// <summary>26 lower-case base-32 characters that nobody without the key can guess; one admission request always gets the same.</summary>
    internal void RunId(ReadOnlySpan<byte> unit, Span<byte> runId)
    {
        Span<byte> hash = stackalloc byte[SignatureBytes];
        HMACSHA256.HashData(naming, unit, hash);
        UInt128 bits = 0;
        foreach (var one in hash[..16]) bits = (bits << 8) | one;
        for (var i = 0; i < Assignment.RunIdLength; i++, bits >>= 5) runId[i] = "abcdefghijklmnopqrstuvwxyz234567"u8[(int)(bits & 31)];
    }
}
