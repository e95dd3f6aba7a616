using Fabrik.Metrics;
using Fabrik.Tests.Metrics;

namespace Fabrik.Tests.Webhook;

public class MetricsTests
{
    [Fact]
    public async Task Metrics_tell_what_happened_in_both_formats()
    {
        await using var webhook = await WebhookUnderTest.StartAsync();
        using var client = WebhookUnderTest.Client();
        await webhook.ReadyAsync(client);
        for (var i = 0; i < 3; i++) (await webhook.PostAsync(client, WebhookUnderTest.Json(WebhookUnderTest.Review))).Dispose();
        (await webhook.PostAsync(client, WebhookUnderTest.Json("{"))).Dispose();

        foreach (var format in new[] { ExpositionFormat.Prometheus, ExpositionFormat.OpenMetricsText })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, webhook.At(Names.Paths.Metrics));
            if (format.OpenMetrics) request.Headers.Add("Accept", "application/openmetrics-text; version=1.0.0");
            using var answer = await client.SendAsync(request);
            answer.Content.Headers.ContentType!.ToString().ShouldBe(format.ContentType);
            var samples = ExpositionParser.Parse(await answer.Content.ReadAsStringAsync(), format.OpenMetrics);
            samples["fabrik_webhook_reviews_total{result=\"patched\",reason=\"assigned\",arm=\"control\"}"].ShouldBe(3);
            samples["fabrik_webhook_review_duration_seconds_count"].ShouldBe(3);
            samples["fabrik_webhook_refused_total{status=\"400\"}"].ShouldBe(1);
            samples["fabrik_webhook_snapshot_objects{resource=\"optimizationchanges\"}"].ShouldBe(1);
            samples["fabrik_webhook_certificate_expiry_seconds"].ShouldBeInRange(1, 36000);
            samples["fabrik_webhook_snapshot_age_seconds"].ShouldBeInRange(0, 90);
            samples.Keys.ShouldContain(key => key.StartsWith("dotnet_gc_", StringComparison.Ordinal));
        }
    }
}
