using System.Text;
using Fabrik.Runs;
using Fabrik.Runs.Usage;

namespace Fabrik.Tests.Runs.Usage;

public class PrometheusAnswerTests
{
    private const string Matrix = """
        {"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"container_cpu_usage_seconds_total","namespace":"ci","pod":"a-1","container":"main","id":"/kubepods/x"},
        "values":[[1795211896.464,"0.5"],[1795211926.464,"1.5"]]}]}}
        """;

    [Fact]
    public void A_matrix_and_a_vector_are_series_with_their_labels()
    {
        var series = Parse(Matrix).Series.ShouldHaveSingleItem();
        (series.Namespace, series.Pod, series.Container, series.Id).ShouldBe(("ci", "a-1", "main", "/kubepods/x"));
        series.Samples.ShouldBe([new(DateTimeOffset.FromUnixTimeMilliseconds(1795211896464), 0.5), new(DateTimeOffset.FromUnixTimeMilliseconds(1795211926464), 1.5)]);
        Parse("""{"status":"success","data":{"resultType":"vector","result":[{"metric":{"pod":"a-1"},"value":[1795211896,"7"]}]}}""").Series.Single().Samples.Single().Value.ShouldBe(7);
        Parse("""{"status":"success","data":{"resultType":"vector","result":[]}}""").Series.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("[1795211896,\"NaN\"]")]
    [InlineData("[1795211896,\"+Inf\"]")]
    [InlineData("[1795211896,\"-Inf\"]")]
    [InlineData("[1795211896,\"-5\"]")]
    [InlineData("[1795211896,\"x\"]")]
    [InlineData("[1795211896,7]")]
    [InlineData("[1e300,\"7\"]")]
    [InlineData("[-1,\"7\"]")]
    [InlineData("[1795211896]")]
    [InlineData("{}")]
    public void Samples_that_are_no_measurement_are_left_out(string sample) =>
        Parse($$$"""{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[{{{sample}}},[1795211897,"8"]]}]}}""").Series.Single().Samples.Single().Value.ShouldBe(8);

    [Fact]
    public void Warnings_are_kept_short_and_on_one_line()
    {
        var warnings = Parse($$$"""{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["a\nb",{{{string.Join(',', Enumerable.Repeat($"\"{new string('x', 5000)}\"", 50))}}}]}""").Warnings;
        warnings[0].ShouldBe("a b");
        warnings.Count.ShouldBe(10);
        warnings.ShouldAllBe(warning => warning.Length <= 300);
    }

    [Theory]
    [InlineData("""{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}""", UsageGap.TimedOut)]
    [InlineData("""{"status":"error","errorType":"unavailable","error":"not ready"}""", UsageGap.Unavailable)]
    [InlineData("""{"status":"error","errorType":"bad_data","error":"parse error"}""", UsageGap.BadAnswer)]
    [InlineData("""{"status":"success","data":{"resultType":"streams","result":[]}}""", UsageGap.BadAnswer)]
    [InlineData("""{"kind":"Status"}""", UsageGap.BadAnswer)]
    [InlineData("[]", UsageGap.BadAnswer)]
    [InlineData("", UsageGap.BadAnswer)]
    [InlineData("<html>sign in</html>", UsageGap.BadAnswer)]
    public void A_failure_or_a_foreign_answer_is_told_apart_from_an_empty_one(string text, UsageGap gap) => Should.Throw<SourceException>(() => Parse(text)).Gap.ShouldBe(gap);

    [Fact]
    public void An_answer_that_breaks_off_anywhere_is_never_taken_for_a_whole_one()
    {
        for (var length = 0; length < Matrix.TrimEnd().Length; length++) Should.Throw<SourceException>(() => Parse(Matrix[..length])).Gap.ShouldBe(UsageGap.BadAnswer);
    }

    [Fact]
    public void An_answer_of_any_other_shape_is_refused_or_gives_nothing_that_is_no_measurement()
    {
        foreach (var changed in Mutations.Of(Matrix))
        {
            try
            {
                Parse(changed).Series.SelectMany(series => series.Samples).ShouldAllBe(sample => double.IsFinite(sample.Value) && sample.Value >= 0, changed);
            }
            catch (SourceException e)
            {
                e.Gap.ShouldBe(UsageGap.BadAnswer, changed);
            }
        }
    }

    private static PrometheusAnswer Parse(string text) => PrometheusAnswer.Parse(Encoding.UTF8.GetBytes(text));
}
