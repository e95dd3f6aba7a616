using System.Net;

namespace Fabrik.Tests.Webhook;

public sealed class BadInputTests : IAsyncLifetime
{
    private readonly HttpClient client = WebhookUnderTest.Client();
    private WebhookUnderTest webhook = null!;

    public async ValueTask InitializeAsync()
    {
        webhook = await WebhookUnderTest.StartAsync(plainPort: true);
        await webhook.ReadyAsync(client);
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await webhook.DisposeAsync();
    }

    [Theory]
    [InlineData("", 400)]
    [InlineData("{", 400)]
    [InlineData("null", 400)]
    [InlineData("[]", 400)]
    [InlineData("{}", 400)]
    [InlineData("""{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"a"}}""", 400)]
    [InlineData("""{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}""", 400)]
    [InlineData("""{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"a","kind":{"group":"","version":"v1","kind":"Pod"},"operation":"CREATE"}}""", 200)]
    public async Task What_is_no_review_is_refused_with_the_reason(string body, int status)
    {
        using var answer = await webhook.PostAsync(client, WebhookUnderTest.Json(body));
        ((int)answer.StatusCode).ShouldBe(status);
        (await answer.Content.ReadAsStringAsync()).Trim().ShouldNotBeEmpty();
    }

    [Fact]
    public async Task Another_version_is_named_in_the_reason()
    {
        using var answer = await webhook.PostAsync(client, WebhookUnderTest.Json("""{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"a"}}"""));
        (await answer.Content.ReadAsStringAsync()).ShouldContain("admission.k8s.io/v1,");
    }

    [Theory]
    [InlineData("application/json", 200)]
    [InlineData("application/json; charset=utf-8", 200)]
    [InlineData("Application/JSON", 200)]
    [InlineData("application/jsonlines", 415)]
    [InlineData("text/plain", 415)]
    [InlineData(null, 415)]
    public async Task Only_JSON_is_read(string? type, int status)
    {
        using var body = WebhookUnderTest.Json(WebhookUnderTest.Review);
        body.Headers.Remove("Content-Type");
        if (type is not null) body.Headers.TryAddWithoutValidation("Content-Type", type);
        using var answer = await webhook.PostAsync(client, body);
        ((int)answer.StatusCode).ShouldBe(status);
    }

    [Theory]
    [InlineData(3 * 1024 * 1024, false, 400)]
    [InlineData(3 * 1024 * 1024, true, 400)]
    [InlineData((3 * 1024 * 1024) + 1, false, 413)]
    [InlineData((3 * 1024 * 1024) + 1, true, 413)]
    [InlineData(4 * 1024 * 1024, true, 413)]
    public async Task More_than_three_mebibytes_are_refused_however_they_come(int bytes, bool chunked, int status)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, webhook.At(Names.Paths.MutateJobs)) { Content = WebhookUnderTest.Json(new string(' ', bytes)) };
        request.Headers.TransferEncodingChunked = chunked;
        if (chunked) request.Content.Headers.ContentLength = null;
        using var answer = await client.SendAsync(request);
        ((int)answer.StatusCode).ShouldBe(status);
    }

    [Fact]
    public async Task Other_methods_and_paths_are_no_reviews()
    {
        (await webhook.GetAsync(client, Names.Paths.MutateJobs)).Status.ShouldBe(405);
        (await webhook.GetAsync(client, "/")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task The_plain_port_has_health_and_metrics_but_answers_no_review()
    {
        using var answer = await client.PostAsync(new Uri(webhook.PlainUrl!, Names.Paths.MutateJobs), WebhookUnderTest.Json(WebhookUnderTest.Review));
        answer.StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await client.GetStringAsync(new Uri(webhook.PlainUrl!, Names.Paths.Ready))).ShouldBe("ok\n");
        (await client.GetStringAsync(new Uri(webhook.PlainUrl!, Names.Paths.Metrics))).ShouldContain("fabrik_webhook_snapshot_age_seconds");
    }

    [Fact]
    public async Task Refusals_of_one_kind_are_logged_once_a_minute_with_their_number()
    {
        for (var i = 0; i < 20; i++) (await webhook.PostAsync(client, WebhookUnderTest.Json("{"))).Dispose();
        webhook.Log.Lines.Count(line => line.Contains("refused with 400", StringComparison.Ordinal)).ShouldBe(1);
        webhook.Clock.Advance(TimeSpan.FromMinutes(1));
        (await webhook.PostAsync(client, WebhookUnderTest.Json("{"))).Dispose();
        webhook.Log.Lines.Last(line => line.Contains("refused with 400", StringComparison.Ordinal)).ShouldContain("19 like it");
    }

    [Fact]
    public async Task Many_callers_at_once_all_get_their_own_answer()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(async i =>
        {
            var review = WebhookUnderTest.Review.Replace("3bd65474-765d-4672-b390-3af803ef1a7c", $"unit-{i}", StringComparison.Ordinal);
            using var answer = await webhook.PostAsync(client, WebhookUnderTest.Json(review));
            return (i, await answer.Content.ReadAsStringAsync());
        }));
        foreach (var (i, answer) in answers) answer.ShouldContain($"\"uid\":\"unit-{i}\"");
    }
}
