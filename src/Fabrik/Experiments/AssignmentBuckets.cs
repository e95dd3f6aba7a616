using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Fabrik.Experiments;

/// <summary>
/// One space of 10,000 buckets: three slots of 1,900 for experiments, seven of 500 that an applied change may leave out for a while, 300 that
/// only ever are control, and the last 500 as permanent holdout.
/// </summary>
public static class AssignmentBuckets
{
    public const int Count = 10_000;
    public const int Slots = 3;
    public const int SlotSize = 1_900;
    public const int HoldbackFrom = Slots * SlotSize;
    public const int Holdbacks = 7;
    public const int HoldbackSize = 500;
    public const int HoldoutFrom = 9_500;

    /// <summary>floor(first 64 bits, big-endian, of SHA-256(salt, newline, unit) * 10000 / 2^64).</summary>
    public static int Bucket(string salt, string unit) => Bucket(Encoding.UTF8.GetBytes(salt), Encoding.UTF8.GetBytes(unit));

    /// <summary>As above, on UTF-8.</summary>
    public static int Bucket(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> unit)
    {
        var length = salt.Length + 1 + unit.Length;
        byte[]? rented = null;
        var input = length <= 512 ? stackalloc byte[length] : (rented = ArrayPool<byte>.Shared.Rent(length)).AsSpan(0, length);
        salt.CopyTo(input);
        input[salt.Length] = (byte)'\n';
        unit.CopyTo(input[(salt.Length + 1)..]);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(input, hash);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        return (int)(((UInt128)BinaryPrimitives.ReadUInt64BigEndian(hash) * Count) >> 64);
    }

    public static bool IsHoldout(int bucket) => bucket >= HoldoutFrom;

    /// <summary>Buckets that go on without an applied change while it is still compared: 5 % of all.</summary>
    public static bool IsHeldBack(int bucket, int holdback) => bucket >= HoldbackFrom + (holdback * HoldbackSize) && bucket < HoldbackFrom + ((holdback + 1) * HoldbackSize);

    /// <summary>Treated buckets of the experiment in a slot: a larger share only ever adds buckets.</summary>
    public static bool IsTreated(int bucket, int slot, double share) => bucket >= slot * SlotSize && bucket < (slot * SlotSize) + Width(share);

    /// <summary>Buckets that a share takes, at most the whole slot.</summary>
    public static int Width(double share) => double.IsNaN(share) ? 0 : (int)Math.Clamp(Math.Round(share * Count, MidpointRounding.AwayFromZero), 0, SlotSize);
}
