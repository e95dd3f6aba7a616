using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;

namespace Fabrik.Quantities;

/// <summary>
/// A Kubernetes resource.Quantity: exact in units of one billionth, finer values rounded away from zero as an API server does.
/// Equality and order are those of the amount alone; the format only decides how it is written.
/// </summary>
[StructLayout(LayoutKind.Auto)]
public readonly struct Quantity : IEquatable<Quantity>, IComparable<Quantity>
{
    private const int MaximumDigits = 40;
    private const int MaximumExponent = 64;
    private static readonly Int128 One = 1_000_000_000;

    private Quantity(Int128 billionths, QuantityFormat format) => (Billionths, Format) = (billionths, format);

    /// <summary>One billionth.</summary>
    public static Quantity Smallest => new(1, QuantityFormat.DecimalSI);

    public Int128 Billionths { get; }

    public QuantityFormat Format { get; }

    public bool IsZero => Billionths == 0;

    public bool IsPositive => Billionths > 0;

    /// <summary>Whole units (bytes, cores), rounded up; the ends of long where it does not fit.</summary>
    public long RoundUp() => Saturate(Ceiling(Billionths, One));

    /// <summary>Thousandths, rounded up; the ends of long where it does not fit.</summary>
    public long RoundUpToMillis() => Saturate(Ceiling(Billionths, 1_000_000));

    public static Quantity FromUnits(long units, QuantityFormat format = QuantityFormat.BinarySI) => new(units * One, format);

    public static Quantity FromMillis(long millis) => new((Int128)millis * 1_000_000, QuantityFormat.DecimalSI);

    public static Quantity operator +(Quantity left, Quantity right) => new(left.Billionths + right.Billionths, left.Format);

    public static Quantity operator -(Quantity left, Quantity right) => new(left.Billionths - right.Billionths, left.Format);

    /// <summary>This amount times numerator over denominator, rounded down to a multiple of <paramref name="step"/>.</summary>
    public Quantity Scale(Quantity numerator, Quantity denominator, Quantity step)
    {
        var product = (BigInteger)Billionths * (BigInteger)numerator.Billionths / (BigInteger)denominator.Billionths;
        var exact = product > (BigInteger)Int128.MaxValue ? Int128.MaxValue : (Int128)product;
        return new(exact - (exact % step.Billionths), Format);
    }

    public int CompareTo(Quantity other) => Billionths.CompareTo(other.Billionths);

    public bool Equals(Quantity other) => Billionths == other.Billionths;

    public override bool Equals(object? obj) => obj is Quantity other && Equals(other);

    public override int GetHashCode() => Billionths.GetHashCode();

    public static bool operator ==(Quantity left, Quantity right) => left.Billionths == right.Billionths;

    public static bool operator !=(Quantity left, Quantity right) => left.Billionths != right.Billionths;

    public static bool operator <(Quantity left, Quantity right) => left.Billionths < right.Billionths;

    public static bool operator >(Quantity left, Quantity right) => left.Billionths > right.Billionths;

    public static bool operator <=(Quantity left, Quantity right) => left.Billionths <= right.Billionths;

    public static bool operator >=(Quantity left, Quantity right) => left.Billionths >= right.Billionths;

    public static Quantity Min(Quantity left, Quantity right) => left <= right ? left : right;

    public static Quantity Max(Quantity left, Quantity right) => left >= right ? left : right;

    public static bool TryParse(string? text, out Quantity value)
    {
        value = default;
        if (text is null || text.Length > 2 * MaximumDigits) return false;
        Span<byte> ascii = stackalloc byte[text.Length];
        return Encoding.ASCII.TryGetBytes(text, ascii, out var length) && TryParse(ascii[..length], out value);
    }

    /// <summary>False for anything an API server would not take, more than 40 digits, or an amount beyond 1e29.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out Quantity value)
    {
        value = default;
        var negative = text.Length > 0 && text[0] == '-';
        if (negative || (text.Length > 0 && text[0] == '+')) text = text[1..];
        long small = 0;
        var (digits, fraction, point, at) = (0, 0, false, 0);
        for (; at < text.Length; at++)
        {
            var one = text[at];
            if (one == '.' && !point) point = true;
            else if (char.IsAsciiDigit((char)one))
            {
                digits++;
                if (point) fraction++;
                if (digits <= 18) small = (small * 10) + (one - '0');
            }
            else break;
        }

        if (digits is 0 or > MaximumDigits || !TrySuffix(text[at..], out var shift, out var exponent, out var format)) return false;
        if (digits <= 18 && fraction == 0 && exponent is >= -9 and <= 0 && shift <= 60)
        {
            // 10^18 * 2^60 * 10^9 needs 150 bits: only what certainly fits takes the fast way.
            if (shift <= 30 || small < 1L << 30)
            {
                value = Limit(((Int128)small << shift) * Power(9 + exponent), negative, format);
                return true;
            }
        }

        return TryExact(text[..at], fraction, shift, exponent, negative, format, out value);
    }

    private static bool TryExact(ReadOnlySpan<byte> number, int fraction, int shift, int exponent, bool negative, QuantityFormat format, out Quantity value)
    {
        value = default;
        var mantissa = BigInteger.Zero;
        foreach (var one in number)
            if (one != '.') mantissa = (mantissa * 10) + (one - '0');
        mantissa <<= shift;
        var power = exponent + 9 - fraction;
        if (power >= 0) mantissa *= BigInteger.Pow(10, power);
        else
        {
            mantissa = BigInteger.DivRem(mantissa, BigInteger.Pow(10, -power), out var lost);
            if (!lost.IsZero) mantissa++;
        }

        if (format == QuantityFormat.BinarySI) mantissa = BigInteger.Min(mantissa, (BigInteger)long.MaxValue * 1_000_000_000);
        if (mantissa > BigInteger.Pow(10, 38)) return false;
        value = Limit((Int128)mantissa, negative, format);
        return true;
    }

    private static Quantity Limit(Int128 billionths, bool negative, QuantityFormat format)
    {
        if (format == QuantityFormat.BinarySI && billionths > long.MaxValue * One) billionths = long.MaxValue * One;
        return new(negative ? -billionths : billionths, format);
    }

    private static bool TrySuffix(ReadOnlySpan<byte> suffix, out int shift, out int exponent, out QuantityFormat format)
    {
        (shift, exponent, format) = (0, 0, QuantityFormat.DecimalSI);
        if (suffix.Length == 0) return true;
        if (suffix.Length == 2 && suffix[1] == 'i')
        {
            shift = 10 * ("KMGTPE"u8.IndexOf(suffix[0]) + 1);
            format = QuantityFormat.BinarySI;
            return shift > 0;
        }

        if (suffix.Length == 1)
        {
            var place = "num kMGTPE"u8.IndexOf(suffix[0]);
            exponent = (3 * place) - 9;
            return place >= 0 && suffix[0] != ' ';
        }

        format = QuantityFormat.DecimalExponent;
        if (suffix[0] is not ((byte)'e' or (byte)'E')) return false;
        suffix = suffix[1..];
        var negative = suffix[0] == '-';
        if (suffix[0] is (byte)'-' or (byte)'+') suffix = suffix[1..];
        if (suffix.Length is 0 or > 4) return false;
        foreach (var one in suffix)
        {
            if (!char.IsAsciiDigit((char)one)) return false;
            exponent = (exponent * 10) + (one - '0');
        }

        if (negative) exponent = -exponent;
        return exponent is >= -MaximumExponent and <= MaximumExponent;
    }

    /// <summary>The canonical form, as an API server writes it back.</summary>
    public override string ToString()
    {
        if (Billionths == 0) return "0";
        var size = Int128.Abs(Billionths);
        if (Format == QuantityFormat.BinarySI && size >= 1024 * One && size % One == 0) return Binary(Billionths / One);

        var (mantissa, exponent) = (Billionths, -9);
        while (exponent < 18 && mantissa % 1000 == 0) (mantissa, exponent) = (mantissa / 1000, exponent + 3);
        var number = mantissa.ToString(CultureInfo.InvariantCulture);
        if (exponent == 0) return number;
        return Format == QuantityFormat.DecimalExponent
            ? number + "e" + exponent.ToString(CultureInfo.InvariantCulture)
            : number + "num kMGTPE"[(exponent + 9) / 3];
    }

    private static string Binary(Int128 units)
    {
        var power = 0;
        for (; power < 6 && units % 1024 == 0; power++) units /= 1024;
        var number = units.ToString(CultureInfo.InvariantCulture);
        return power == 0 ? number : $"{number}{"KMGTPE"[power - 1]}i";
    }

    private static Int128 Power(int exponent)
    {
        Int128 power = 1;
        for (; exponent > 0; exponent--) power *= 10;
        return power;
    }

    private static Int128 Ceiling(Int128 value, Int128 unit) => value > 0 ? (value + unit - 1) / unit : value / unit;

    private static long Saturate(Int128 value) => value > long.MaxValue ? long.MaxValue : value < long.MinValue ? long.MinValue : (long)value;
}
