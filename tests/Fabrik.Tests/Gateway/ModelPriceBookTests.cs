using System.Text;
using Fabrik.Gateway;
using Fabrik.Gateway.Prices;
using FsCheck;
using FsCheck.Fluent;

namespace Fabrik.Tests.Gateway;

public sealed class ModelPriceBookTests
{
    private static ModelPriceBook Book => ModelPriceBook.Default;

    [Theory]
    [InlineData("gpt-4o", "gpt-4o")]
    [InlineData("gpt-4o-2024-08-06", "gpt-4o")]
    [InlineData("gpt-4o-mini-2024-07-18", "gpt-4o-mini")]
    [InlineData("claude-sonnet-4-5-20250929", "claude-sonnet-4-5")]
    [InlineData("claude-haiku-4-5-latest", "claude-haiku-4-5")]
    [InlineData("gpt-4o-mini-search", null)]
    [InlineData("gpt-4", null)]
    public void A_snapshot_costs_what_its_model_costs_and_no_smaller_model_is_taken_for_a_larger(string model, string? row) => Book.Find(model)?.Name.ShouldBe(row);

    [Theory]
    [InlineData("claude-sonnet-4-6", 1_000_000, 0, 0, 0, 0, 3_000_000)]
    [InlineData("claude-sonnet-4-6", 0, 1_000_000, 0, 0, 0, 300_000)]
    [InlineData("claude-sonnet-4-6", 0, 0, 1_000_000, 0, 0, 3_750_000)]
    [InlineData("claude-sonnet-4-6", 0, 0, 0, 1_000_000, 0, 6_000_000)]
    [InlineData("claude-sonnet-4-6", 0, 0, 0, 0, 1_000_000, 15_000_000)]
    [InlineData("gpt-4o-mini", 1, 0, 0, 0, 0, 0)]
    [InlineData("gpt-4o-mini", 4, 0, 0, 0, 0, 1)]
    [InlineData("gpt-5.4", 272_000, 0, 0, 0, 0, 680_000)]
    [InlineData("gpt-5.4", 272_001, 0, 0, 0, 0, 1_360_005)]
    [InlineData("gpt-5.4", 72_001, 200_000, 0, 0, 10, 460_230)]
    public void Each_class_has_its_price_and_a_long_call_that_of_its_length(string model, long input, long read, long write, long hour, long output, long micros) =>
        ModelPriceBook.MicrosOf(Book.Find(model)!, new TokenCounts(input, read, write, hour, output, 0, 0), null).ShouldBe(micros);

    [Fact]
    public void A_model_that_nobody_knows_costs_the_dearest_of_every_class_and_never_nothing()
    {
        var price = Book.Of(null, "brand-new");
        price.IsUnknown.ShouldBeTrue();
        foreach (var known in Book.Models) ModelPriceBook.MicrosOf(price, new TokenCounts(1000, 10, 10, 10, 1000, 0, 0), null).ShouldBeGreaterThanOrEqualTo(ModelPriceBook.MicrosOf(known, new TokenCounts(1000, 10, 10, 10, 1000, 0, 0), null));
        Book.Of("brand-new", "gpt-4o").Name.ShouldBe("gpt-4o");
    }

    [Fact]
    public void An_operators_rows_come_before_and_the_version_says_so()
    {
        var own = Book.With("""{"models":[{"name":"gpt-4o","input":1,"output":2},{"name":"own","input":0,"output":0}],"unknown":{"name":"","input":7,"output":9}}"""u8);
        (own.Find("gpt-4o")!.Input, own.Find("gpt-4o-mini")!.Input, own.Of(null, "nobody").Input, own.Of(null, "own").Input).ShouldBe((1m, 0.15m, 7m, 0m));
        own.Version.ShouldMatch(@"^2026-08-21\+[0-9a-f]{8}$");
    }

    [Theory]
    [InlineData("""{"models":[{"name":"a","input":-1,"output":1}]}""", "a has a price of -1")]
    [InlineData("""{"models":[{"name":"a","input":1000001,"output":1}]}""", "a has a price of 1000001")]
    [InlineData("""{"models":[{"name":"a","input":1,"output":1},{"name":"a","input":1,"output":1}]}""", "twice")]
    [InlineData("""{"currency":"EUR","models":[]}""", "cannot hold both")]
    [InlineData("""nonsense""", "cannot be read")]
    public void Prices_that_cannot_be_are_refused_in_words(string json, string why) => Should.Throw<FormatException>(() => Book.With(Encoding.UTF8.GetBytes(json))).Message.ShouldContain(why);

    [Fact]
    public void No_call_costs_more_than_was_reserved_for_it()
    {
        var calls = from price in Gen.Elements(Book.Models.Append(Book.Of(null, "nobody")).ToArray())
                    from input in Gen.Choose(0, 600_000)
                    from read in Gen.Choose(0, input)
                    from write in Gen.Choose(0, input - read)
                    from hour in Gen.Choose(0, input - read - write)
                    from output in Gen.Choose(0, (int)Math.Min(20_000, price.MaxOutput ?? 20_000))
                    select (price, new TokenCounts(input - read - write - hour, read, write, hour, output, 0, 0));
        Prop.ForAll(calls.ToArbitrary(), one =>
            ModelPriceBook.MicrosOf(one.price, one.Item2, null) <= ModelPriceBook.MostMicros(one.price, one.Item2.AllInput, one.Item2.Output) && ModelPriceBook.MicrosOf(one.price, one.Item2, null) >= 0).QuickCheckThrowOnFailure();
    }
}
