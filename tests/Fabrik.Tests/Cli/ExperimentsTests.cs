using System.Text.Json;

namespace Fabrik.Tests.Cli;

public sealed class ExperimentsTests : IDisposable
{
    private readonly string file = Path.GetTempFileName();

    [Fact]
    public async Task Evaluate_answers_with_the_evidence_after_each_block_and_the_decision()
    {
        var answer = await EvaluateAsync("""{"rho":0.1,"margin":-0.05,"strata":[{"name":"s","blocks":[{"yT":1,"nT":1,"yC":6,"nC":9},{"yT":0,"nT":0,"yC":7,"nC":10},{"yT":2,"nT":2,"yC":5,"nC":8},{"yT":1,"nT":1,"yC":7,"nC":9}]}]}""");
        var json = JsonDocument.Parse(answer.Out).RootElement;
        answer.Code.ShouldBe(0);
        json.GetProperty("blocks").GetArrayLength().ShouldBe(4);
        var last = json.GetProperty("blocks")[3];
        last.GetProperty("eWin").GetDouble().ShouldBe(2.377513842, 5e-10);
        last.GetProperty("eNonInferior").GetDouble().ShouldBe(2.702403262, 5e-10);
        last.GetProperty("eHarm").GetDouble().ShouldBe(0.2627902244, 5e-11);
        json.GetProperty("decision").GetString().ShouldBe("continue");
        json.GetProperty("reasons").EnumerateArray().ShouldNotBeEmpty();
    }

    [Fact]
    public async Task Evaluate_says_rollback_for_the_harmful_treatment_of_the_reference()
    {
        var answer = await EvaluateAsync("""{"rho":0.1,"margin":-0.05,"strata":[{"name":"s","blocks":[{"yT":0,"nT":1,"yC":9,"nC":9},{"yT":1,"nT":2,"yC":8,"nC":8},{"yT":0,"nT":1,"yC":8,"nC":9}]}]}""");
        JsonDocument.Parse(answer.Out).RootElement.GetProperty("decision").GetString().ShouldBe("rollback");
        (await Command.RunAsync(["experiments", "evaluate", "-f", file])).Out.ShouldContain("rollback");
    }

    [Theory]
    [InlineData("no json", "line 1")]
    [InlineData("null", "null")]
    [InlineData("[]", "line 1")]
    [InlineData("""{"rho":0.1}""", "strata")]
    [InlineData("""{"rho":1,"strata":[{"blocks":[]}]}""", "rho")]
    [InlineData("""{"rho":"NaN","strata":[{"blocks":[]}]}""", "rho")]
    [InlineData("""{"margin":0.05,"strata":[{"blocks":[]}]}""", "margin")]
    [InlineData("""{"strata":[{"blocks":[{"yT":2,"nT":1,"yC":0,"nC":1}]}]}""", "strata[0].blocks[0]")]
    [InlineData("""{"strata":[{"blocks":[{"yT":-1,"nT":1,"yC":0,"nC":1}]}]}""", "strata[0].blocks[0]")]
    [InlineData("""{"strata":[{"blocks":[{"yT":0,"nT":1,"yC":0}]}]}""", "line 1")]
    [InlineData("""{"strata":[{"blocks":[null]}]}""", "strata[0].blocks[0]")]
    [InlineData("""{"strata":[{"name":"a","blocks":[]},{"name":"a","blocks":[]}]}""", "strata[1]")]
    [InlineData("""{"strata":[{"blocks":[{"yT":0,"nT":99999999,"yC":0,"nC":1}]}]}""", "at most")]
    public async Task What_cannot_be_judged_is_refused_with_the_place(string text, string place)
    {
        var answer = await EvaluateAsync(text);
        (answer.Code, answer.Out).ShouldBe((2, string.Empty));
        answer.Error.ShouldContain("FAB-1030");
        answer.Error.ShouldContain(place);
        answer.Error.ShouldContain("next:");
    }

    [Fact]
    public async Task Evaluate_counts_an_empty_file_as_no_evidence()
    {
        var answer = await EvaluateAsync("""{"strata":[{"blocks":[]}]}""");
        answer.Code.ShouldBe(0);
        JsonDocument.Parse(answer.Out).RootElement.GetProperty("decision").GetString().ShouldBe("continue");
    }

    [Fact]
    public async Task Plan_gives_runs_and_days_at_the_median_and_in_80_and_90_of_100_cases()
    {
        var answer = await Command.RunAsync(["experiments", "plan", "--baseline", "0.65", "--treatment", "0.95", "--share", "0.1", "--runs-per-day", "10", "-o", "json"]);
        var json = JsonDocument.Parse(answer.Out).RootElement;
        json.GetProperty("median").GetInt32().ShouldBeInRange(280, 320);
        json.GetProperty("p80").GetInt32().ShouldBeInRange(325, 375);
        json.GetProperty("p90").GetInt32().ShouldBeInRange(355, 405);
        json.GetProperty("days").GetProperty("p90").GetDouble().ShouldBe(json.GetProperty("p90").GetInt32() / 10.0, 0.051);
    }

    [Theory]
    [InlineData("--baseline", "65")]
    [InlineData("--treatment", "-0.1")]
    [InlineData("--share", "0")]
    [InlineData("--runs-per-day", "NaN")]
    public async Task Plan_refuses_what_is_no_rate(string option, string value)
    {
        var arguments = new List<string> { "experiments", "plan", "--baseline", "0.65", "--treatment", "0.95", "--share", "0.1", "--runs-per-day", "10" };
        arguments[arguments.IndexOf(option) + 1] = value;
        var answer = await Command.RunAsync([.. arguments]);
        answer.Code.ShouldBe(2);
        answer.Error.ShouldContain(option);
    }

    public void Dispose() => File.Delete(file);

    private async Task<Command> EvaluateAsync(string text)
    {
        await File.WriteAllTextAsync(file, text);
        return await Command.RunAsync(["experiments", "evaluate", "--file", file, "-o", "json"]);
    }
}
