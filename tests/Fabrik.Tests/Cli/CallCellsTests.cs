using Fabrik.Cli.Output;
using Fabrik.Gateway;

namespace Fabrik.Tests.Cli;

public class CallCellsTests
{
    private static readonly CallTotal Mini = new() { Key = "gpt-5.4-mini", Calls = 11, Attempts = 13, Tokens = new TokenCounts(500_000, 700_000, 50_000, 0, 9_999, 0, 0), Costs = [new CallCost("USD", 12_345_678)] };
    private static readonly CallTotal Odd = new() { Key = "\e[31m\n", Calls = 1, Attempts = 1, Tokens = default, Costs = [new CallCost("USD", 1200)], Estimated = true };

    [Fact]
    public void A_run_shows_its_calls_what_failed_over_tokens_and_cost_and_a_row_for_each_model()
    {
        var all = new CallTotal { Calls = 12, Attempts = 14, Tokens = Mini.Tokens, Costs = [new CallCost("USD", 12_346_878)], Estimated = true, PriceUnknown = true, Models = [Mini, Odd] };
        CallCells.Section(all).Split('\n').ShouldBe(
        [
            "12, and 2 attempts that failed over",
            "tokens: 1.25M input (700k cached), 9999 output",
            "cost: 12.35 USD, estimated, price not known",
            "MODEL         CALLS  INPUT  CACHED  OUTPUT        COST",
            "gpt-5.4-mini     11  1.25M    700k    9999   12.35 USD",
            " [31m             1      0       0       0  0.0012 USD",
        ]);
    }

    [Fact]
    public void A_model_that_was_called_for_another_says_so_and_names_three_at_most()
    {
        Shown(["gpt-5.6"]).ShouldStartWith("gpt-5.4-mini (named gpt-5.6)  ");
        Shown(["a", "b", "c", "d"]).ShouldStartWith("gpt-5.4-mini (named a, b, c, ...)  ");

        static string Shown(string[] named) => CallCells.Section(Mini with { Models = [Mini with { NamedAs = named }] }).Split('\n')[^1];
    }

    [Theory]
    [InlineData(0, "0.00 USD")]
    [InlineData(1, "0.000001 USD")]
    [InlineData(999_999, "0.999999 USD")]
    [InlineData(1_000_000, "1.00 USD")]
    [InlineData(long.MaxValue, "9223372036854.78 USD")]
    public void Little_money_is_shown_with_all_its_digits(long micros, string shown) => CallCells.Cost(Mini with { Costs = [new CallCost("USD", micros)] }).ShouldBe(shown);

    [Theory]
    [InlineData(9_999, "9999")]
    [InlineData(10_000, "10k")]
    [InlineData(999_999, "999.9k")]
    [InlineData(1_999_999, "1.99M")]
    [InlineData(12_345_678_901, "12.34G")]
    public void Many_tokens_are_shortened_and_never_rounded_up(long count, string shown) => CallCells.Count(count).ShouldBe(shown);

    [Fact]
    public void A_share_is_drawn_in_one_currency_alone()
    {
        var all = Mini with { Costs = [new CallCost("USD", 40_000)] };
        CallCells.Share(Mini with { Costs = [new CallCost("USD", 10_000)] }, all).ShouldBe("█████░░░░░░░░░░░░░░░ 25 %");
        CallCells.Share(all, all).ShouldBe("████████████████████ 100 %");
        CallCells.Share(all, all with { Costs = [new CallCost("EUR", 1), new CallCost("USD", 1)] }).ShouldBeNull();
        CallCells.Share(all, all with { Costs = [new CallCost("USD", 0)] }).ShouldBeNull();
    }
}
