using System.Buffers;
using System.Globalization;
using System.Numerics;

namespace Fabrik.Experiments;

/// <summary>An amount written as a Kubernetes quantity, exact in units of one billionth, rounded up as an API server does.</summary>
internal readonly record struct QuantityValue(BigInteger Billionths) : IComparable<QuantityValue>
{
    private const int MaximumExponent = 64;
    private static readonly SearchValues<char> NumberCharacters = SearchValues.Create("0123456789.");

    public bool IsPositive => Billionths.Sign > 0;

    public int CompareTo(QuantityValue other) => Billionths.CompareTo(other.Billionths);

    public static bool operator <=(QuantityValue left, QuantityValue right) => left.CompareTo(right) <= 0;

    public static bool operator >=(QuantityValue left, QuantityValue right) => left.CompareTo(right) >= 0;

    public static bool operator <(QuantityValue left, QuantityValue right) => left.CompareTo(right) < 0;

    public static bool operator >(QuantityValue left, QuantityValue right) => left.CompareTo(right) > 0;

    public static bool TryParse(string text, out QuantityValue value)
    {
        value = default;
        var rest = text.AsSpan();
        var negative = rest.StartsWith('-');
        if (negative || rest.StartsWith('+')) rest = rest[1..];
        var end = rest.IndexOfAnyExcept(NumberCharacters);
        var number = end < 0 ? rest : rest[..end];
        var suffix = end < 0 ? [] : rest[end..];
        var point = number.IndexOf('.');
        var whole = point < 0 ? number : number[..point];
        var fraction = point < 0 ? [] : number[(point + 1)..];
        if (whole.Length + fraction.Length is 0 or > 40 || fraction.Contains('.') || Scale(suffix) is not var (factor, exponent)) return false;

        var digits = BigInteger.Parse(string.Concat(whole, fraction), NumberStyles.None, CultureInfo.InvariantCulture) * factor;
        exponent += 9 - fraction.Length;
        if (exponent >= 0) digits *= BigInteger.Pow(10, exponent);
        else
        {
            digits = BigInteger.DivRem(digits, BigInteger.Pow(10, -exponent), out var lost);
            if (!lost.IsZero) digits++;
        }

        value = new QuantityValue(negative ? -digits : digits);
        return true;
    }

    private static (BigInteger Factor, int Exponent)? Scale(ReadOnlySpan<char> suffix)
    {
        switch (suffix)
        {
            case "": return (1, 0);
            case "n": return (1, -9);
            case "u": return (1, -6);
            case "m": return (1, -3);
            case "k": return (1, 3);
            case "M": return (1, 6);
            case "G": return (1, 9);
            case "T": return (1, 12);
            case "P": return (1, 15);
            case "E": return (1, 18);
        }

        if (suffix is [var unit, 'i'] && "KMGTPE".IndexOf(unit, StringComparison.Ordinal) is >= 0 and var power) return (BigInteger.Pow(1024, power + 1), 0);
        return suffix[0] is 'e' or 'E' && int.TryParse(suffix[1..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var exponent)
            && Math.Abs(exponent) <= MaximumExponent ? (1, exponent) : null;
    }
}
