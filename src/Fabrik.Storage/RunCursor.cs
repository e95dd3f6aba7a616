using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;

namespace Fabrik.Storage;

/// <summary>A place in an order: the value sorted by and the row's number. Opaque to callers; good only for the order it came from.</summary>
public readonly record struct RunCursor(RunSort Sort, bool Ascending, long Value, long Seq)
{
    private const byte Version = 1;

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[18];
        bytes[0] = Version;
        bytes[1] = (byte)(((int)Sort << 1) | (Ascending ? 1 : 0));
        BinaryPrimitives.WriteInt64BigEndian(bytes[2..], Value);
        BinaryPrimitives.WriteInt64BigEndian(bytes[10..], Seq);
        return Base64Url.EncodeToString(bytes);
    }

    public static bool TryParse(string text, out RunCursor cursor)
    {
        cursor = default;
        Span<byte> bytes = stackalloc byte[18];
        if (text.Length != 24 || Base64Url.DecodeFromChars(text, bytes, out _, out var written) != OperationStatus.Done || written != 18 || bytes[0] != Version) return false;
        var sort = (RunSort)(bytes[1] >> 1);
        if (!Enum.IsDefined(sort)) return false;
        cursor = new RunCursor(sort, (bytes[1] & 1) == 1, BinaryPrimitives.ReadInt64BigEndian(bytes[2..]), BinaryPrimitives.ReadInt64BigEndian(bytes[10..]));
        return true;
    }
}
