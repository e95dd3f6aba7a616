using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Fabrik.Sandbox.Nodes;

/// <summary>Chance that comes out the same whenever the same thing is asked: a number is drawn from a name, not from a sequence.</summary>
internal static class Draw
{
    /// <summary>At least 0 and below 1.</summary>
    public static double Uniform(string key)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(key), hash);
        return (BinaryPrimitives.ReadUInt64LittleEndian(hash) >> 11) / (double)(1L << 53);
    }
}
