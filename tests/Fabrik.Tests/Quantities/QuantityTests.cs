using Fabrik.Quantities;
using FsCheck;
using FsCheck.Fluent;

namespace Fabrik.Tests.Quantities;

public class QuantityTests
{
    /// <summary>What kubectl's own parser makes of them.</summary>
    [Theory]
    [InlineData("0", "0")]
    [InlineData("0Gi", "0")]
    [InlineData("1500Mi", "1500Mi")]
    [InlineData("2048Mi", "2Gi")]
    [InlineData("1.5Gi", "1536Mi")]
    [InlineData("1000Ki", "1000Ki")]
    [InlineData("0.5Ki", "512")]
    [InlineData("1023", "1023")]
    [InlineData("0.5", "500m")]
    [InlineData(".5", "500m")]
    [InlineData("5.", "5")]
    [InlineData("+5", "5")]
    [InlineData("-1Gi", "-1Gi")]
    [InlineData("-0.5", "-500m")]
    [InlineData("100000", "100k")]
    [InlineData("1500m", "1500m")]
    [InlineData("1024000m", "1024")]
    [InlineData("1.5u", "1500n")]
    [InlineData("1n", "1n")]
    [InlineData("0.1n", "1n")]
    [InlineData("1k", "1k")]
    [InlineData("1500k", "1500k")]
    [InlineData("1E", "1E")]
    [InlineData("100E", "100E")]
    [InlineData("1Ei", "1Ei")]
    [InlineData("8Ei", "9223372036854775807")]
    [InlineData("1e3", "1e3")]
    [InlineData("12E6", "12e6")]
    [InlineData("1.1e-3", "1100e-6")]
    [InlineData("1e-9", "1e-9")]
    [InlineData("1e20", "100e18")]
    [InlineData("1.0001Ki", "1024102400u")]
    [InlineData("0.1Mi", "104857600m")]
    [InlineData("0.0001Ki", "102400u")]
    [InlineData("123456789012345678901234", "123456789012345678901234")]
    public void Amounts_are_read_exactly_and_written_as_an_API_server_writes_them(string text, string canonical)
    {
        Quantity.TryParse(text, out var amount).ShouldBeTrue();
        amount.ToString().ShouldBe(canonical);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData(".")]
    [InlineData("1.2.3")]
    [InlineData("1 Gi")]
    [InlineData("Gi")]
    [InlineData("1gi")]
    [InlineData("1K")]
    [InlineData("1mi")]
    [InlineData("1e")]
    [InlineData("1e+")]
    [InlineData("1e99999")]
    [InlineData("1Gi ")]
    [InlineData("0x10")]
    [InlineData("NaN")]
    [InlineData("1\u00b5")]
    [InlineData("99999999999999999999999999999999999999999999999")]
    public void What_is_no_quantity_is_refused(string text) => Quantity.TryParse(text, out _).ShouldBeFalse();

    [Theory]
    [InlineData("1Gi", "1G", 1)]
    [InlineData("1000m", "1", 0)]
    [InlineData("1Ki", "1024", 0)]
    [InlineData("0.1", "100m", 0)]
    [InlineData("9007199254740993", "9007199254740992", 1)]
    [InlineData("-1", "1n", -1)]
    public void Comparison_is_exact(string left, string right, int sign)
    {
        Quantity.TryParse(left, out var one).ShouldBeTrue();
        Quantity.TryParse(right, out var other).ShouldBeTrue();
        Math.Sign(one.CompareTo(other)).ShouldBe(sign);
        (one == other).ShouldBe(sign == 0);
        (one < other).ShouldBe(sign < 0);
        Quantity.Max(one, other).ShouldBe(sign >= 0 ? one : other);
    }

    [Fact]
    public void Whole_units_and_thousandths_round_up()
    {
        Parse("1.5").RoundUp().ShouldBe(2);
        Parse("-1.5").RoundUp().ShouldBe(-1);
        Parse("100u").RoundUpToMillis().ShouldBe(1);
        Parse("250m").RoundUpToMillis().ShouldBe(250);
        Parse("100E").RoundUp().ShouldBe(long.MaxValue);
    }

    [Fact]
    public void Scaling_is_exact_and_rounds_down_to_the_step()
    {
        Parse("512Mi").Scale(Parse("4Gi"), Parse("2Gi"), Quantity.FromUnits(1)).ToString().ShouldBe("1Gi");
        Parse("333m").Scale(Parse("1"), Parse("3"), Quantity.FromMillis(1)).ToString().ShouldBe("111m");
        Parse("8Ei").Scale(Parse("8Ei"), Parse("1"), Quantity.FromUnits(1)).IsPositive.ShouldBeTrue();
    }

    [Fact]
    public void What_is_written_is_read_back_as_the_same_amount() => Prop.ForAll(
        Gen.Choose(0, int.MaxValue).ToArbitrary(),
        Gen.Elements("", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "e3", "e-3", "E+2").ToArbitrary(),
        Gen.Choose(0, 999).ToArbitrary(),
        (whole, suffix, thousandths) =>
        {
            var one = Parse($"{whole}.{thousandths:000}{suffix}");
            Parse(one.ToString()).ShouldBe(one);
            Parse(one.ToString()).ToString().ShouldBe(one.ToString());
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    private static Quantity Parse(string text)
    {
        Quantity.TryParse(text, out var amount).ShouldBeTrue(text);
        return amount;
    }
}
