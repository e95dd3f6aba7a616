using System.Text.Json;
using Fabrik.Runs.Usage;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Runs.Usage;

public class ClusterAnswerTests
{
    private const string Metrics = """
        {"kind":"PodMetrics","apiVersion":"metrics.k8s.io/v1beta1","metadata":{"name":"a-1","namespace":"ci","creationTimestamp":"2026-11-20T21:58:40Z"},
         "timestamp":"2026-11-20T21:58:34Z","window":"15.243s",
         "containers":[{"name":"main","usage":{"cpu":"51346679n","memory":"59120Ki"}},{"name":"side","usage":{"cpu":"0","memory":"1Mi"}}]}
        """;

    [Fact]
    public void What_a_kubelet_answered_is_understood()
    {
        var reading = KubeletSummary.Read(Element(TestData.Text("usage/stats-summary.json"))).ShouldHaveSingleItem();
        reading.ShouldBe(new ContainerReading
        {
            Namespace = "ci",
            Pod = "busy2-xmf8q",
            Container = "main",
            At = new DateTimeOffset(2026, 11, 20, 21, 58, 34, TimeSpan.Zero),
            MemoryBytes = 60538880,
            CpuCounter = 0.501342336,
            Since = new DateTimeOffset(2026, 11, 20, 21, 58, 6, TimeSpan.Zero),
        });
    }

    [Fact]
    public void What_metrics_server_answers_is_understood()
    {
        var readings = PodMetrics.Read(Element(Metrics)).ToList();
        readings.Select(reading => (reading.Container, reading.MemoryBytes, reading.CpuMillis)).ShouldBe([("main", 59120L * 1024, 51.346679), ("side", 1L << 20, 0)]);
        readings[0].Window.ShouldBe(TimeSpan.FromSeconds(15.243));
        readings[0].At.ShouldBe(new DateTimeOffset(2026, 11, 20, 21, 58, 34, TimeSpan.Zero));
    }

    /// <summary>Every value replaced by every other kind of value, and every part left out: never an exception, never a reading that is not there.</summary>
    [Fact]
    public void An_answer_of_any_other_shape_gives_fewer_readings_and_no_exception()
    {
        foreach (var text in (string[])[Metrics, TestData.Text("usage/stats-summary.json")])
        {
            var whole = Count(text);
            foreach (var changed in Mutations.Of(text)) Count(changed).ShouldBeLessThanOrEqualTo(whole, changed);
        }

        static int Count(string text) => PodMetrics.Read(Element(text)).Concat(KubeletSummary.Read(Element(text))).Select(reading => new ContainerTally().Add(reading)).Count();
    }

    private static JsonElement Element(string text) => JsonDocument.Parse(text).RootElement;
}
