using System.Text;

namespace Fabrik.Sandbox.Protobuf;

/// <summary>Bytes that are not what they should be; the message says where reading stopped.</summary>
public sealed class ProtobufException(string message) : Exception(message);

/// <summary>Reads the protobuf wire format from a span; every length is checked against what is there.</summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> bytes)
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly ReadOnlySpan<byte> all = bytes;
    private int at;

    public readonly bool AtEnd => at >= all.Length;

    /// <summary>Field number and wire type: 0 varint, 1 fixed 64, 2 length-delimited, 5 fixed 32.</summary>
    public (int Number, int Wire) Tag()
    {
        var tag = Varint();
        if (tag >> 3 is 0 or > 536_870_911) throw new ProtobufException($"protobuf: illegal tag {tag >> 3} at byte {at}");
        return ((int)(tag >> 3), (int)(tag & 7));
    }

    public ulong Varint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            if (at >= all.Length) throw new ProtobufException("protobuf: unexpected end of the body inside a number");
            var next = all[at++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80) return value;
        }

        throw new ProtobufException($"protobuf: number too long at byte {at}");
    }

    public ReadOnlySpan<byte> Bytes()
    {
        var length = Varint();
        if (length > (ulong)(all.Length - at)) throw new ProtobufException($"protobuf: a field of {length} bytes at byte {at} is longer than what is left");
        var slice = all.Slice(at, (int)length);
        at += (int)length;
        return slice;
    }

    public string String()
    {
        try
        {
            return StrictUtf8.GetString(Bytes());
        }
        catch (DecoderFallbackException)
        {
            throw new ProtobufException($"protobuf: a string before byte {at} is not UTF-8");
        }
    }

    public ulong Fixed(int size)
    {
        if (all.Length - at < size) throw new ProtobufException("protobuf: unexpected end of the body inside a fixed number");
        var slice = all.Slice(at, size);
        at += size;
        return size == 8 ? BitConverter.ToUInt64(slice) : BitConverter.ToUInt32(slice);
    }

    public void Skip(int wire)
    {
        switch (wire)
        {
            case 0: Varint(); break;
            case 1: Fixed(8); break;
            case 2: Bytes(); break;
            case 5: Fixed(4); break;
            default: throw new ProtobufException($"protobuf: illegal wire type {wire} at byte {at}");
        }
    }
}
