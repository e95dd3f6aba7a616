using System.Buffers;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace Fabrik.Sandbox.Schema;

/// <summary>An amount as Kubernetes writes it, exact in billionths; keeps which of the three suffix families it was written in.</summary>
public readonly record struct Quantity(BigInteger Billionths, Quantity.Family Suffixes) : IComparable<Quantity>
{
    public enum Family { Decimal, Binary, Exponent }

    private const string Expression = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789.");
    private static readonly BigInteger One = 1_000_000_000;
    private static readonly string[] DecimalSuffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    private static readonly string[] BinarySuffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

    public int CompareTo(Quantity other) => Billionths.CompareTo(other.Billionths);

    public static bool operator <(Quantity left, Quantity right) => left.CompareTo(right) < 0;

    public static bool operator >(Quantity left, Quantity right) => left.CompareTo(right) > 0;

    public static bool operator <=(Quantity left, Quantity right) => left.CompareTo(right) <= 0;

    public static bool operator >=(Quantity left, Quantity right) => left.CompareTo(right) >= 0;

    public bool IsWhole => (Billionths % One).IsZero;

    /// <summary>Rounded up.</summary>
    public long Value
    {
        get
        {
            var whole = BigInteger.DivRem(Billionths, One, out var rest);
            if (rest.Sign > 0) whole++;
            return whole > long.MaxValue ? long.MaxValue : whole < long.MinValue ? long.MinValue : (long)whole;
        }
    }

    public static bool TryParse(string text, out Quantity quantity, out string error)
    {
        quantity = default;
        error = Expression;
        var rest = text.AsSpan();
        var negative = rest.StartsWith('-');
        if (negative || rest.StartsWith('+')) rest = rest[1..];
        var end = rest.IndexOfAnyExcept(Digits);
        var number = end < 0 ? rest : rest[..end];
        var suffix = end < 0 ? [] : rest[end..];
        var point = number.IndexOf('.');
        var whole = point < 0 ? number : number[..point];
        var fraction = point < 0 ? [] : number[(point + 1)..];
        if (whole.Length + fraction.Length is 0 or > 60 || fraction.Contains('.')) return false;
        if (Scale(suffix) is not var (factor, exponent, family))
        {
            if (IsSuffix(suffix)) error = "unable to parse quantity's suffix";
            return false;
        }

        var digits = BigInteger.Parse(string.Concat(whole, fraction), NumberStyles.None, CultureInfo.InvariantCulture) * factor;
        exponent += 9 - fraction.Length;
        if (exponent >= 0) digits *= BigInteger.Pow(10, exponent);
        else
        {
            digits = BigInteger.DivRem(digits, BigInteger.Pow(10, -exponent), out var lost);
            if (!lost.IsZero) digits++;
        }

        quantity = new(negative ? -digits : digits, family);
        return true;
    }

    /// <summary>The canonical form: the largest suffix that needs no fraction.</summary>
    public override string ToString()
    {
        if (Billionths.IsZero) return "0";
        if (Suffixes == Family.Binary && IsWhole && BigInteger.Abs(Billionths) >= 1024 * One)
        {
            var (value, power) = (Billionths / One, 0);
            while (power < BinarySuffixes.Length - 1 && (value % 1024).IsZero) (value, power) = (value / 1024, power + 1);
            return value.ToString(CultureInfo.InvariantCulture) + BinarySuffixes[power];
        }

        var (amount, thousands) = (Billionths, 0);
        while (thousands < DecimalSuffixes.Length - 1 && (amount % 1000).IsZero) (amount, thousands) = (amount / 1000, thousands + 1);
        var result = new StringBuilder(amount.ToString(CultureInfo.InvariantCulture));
        if (Suffixes != Family.Exponent) return result.Append(DecimalSuffixes[thousands]).ToString();
        var exponent = (thousands - 3) * 3;
        return exponent == 0 ? result.ToString() : result.Append('e').Append(exponent).ToString();
    }

    // By the expression: letters of suffixes, a sign, digits.
    private static bool IsSuffix(ReadOnlySpan<char> suffix)
    {
        suffix = suffix.TrimStart("eEinumkKMGTP");
        if (suffix is ['+' or '-', ..]) suffix = suffix[1..];
        return suffix.Trim("0123456789").IsEmpty;
    }

    private static (BigInteger Factor, int Exponent, Family Family)? Scale(ReadOnlySpan<char> suffix)
    {
        var at = Array.IndexOf(DecimalSuffixes, suffix.ToString());
        if (at >= 0) return (1, (at - 3) * 3, Family.Decimal);
        at = Array.IndexOf(BinarySuffixes, suffix.ToString());
        if (at >= 0) return (BigInteger.Pow(1024, at), 0, Family.Binary);
        return suffix[0] is 'e' or 'E' && int.TryParse(suffix[1..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var exponent)
            && Math.Abs(exponent) <= 64
            ? (1, exponent, Family.Exponent)
            : null;
    }
}
