using System.Net.Http.Headers;
using Fabrik.Kubernetes.Serving;
using Fabrik.Tests.Webhook;

namespace Fabrik.Tests.Api;

public sealed class TlsTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("fabrik-api-tls-").FullName;
    private readonly TestClock clock = new(TimeProvider.System.GetUtcNow());

    [Fact]
    public async Task Runs_are_listed_over_TLS_and_say_so_to_browsers()
    {
        WebhookUnderTest.WriteCertificate(directory, "first");
        await using var api = await ApiHost.StartAsync(directory, clock);
        api.Url.Scheme.ShouldBe("https");
        using var client = Client();
        using var answer = await GetAsync(client, api);
        ((int)answer.StatusCode, answer.Headers.GetValues("Strict-Transport-Security").Count()).ShouldBe((200, 1));
    }

    [Fact]
    public async Task A_new_certificate_is_taken_up_under_load_without_a_failed_request()
    {
        WebhookUnderTest.WriteCertificate(directory, "0");
        await using var api = await ApiHost.StartAsync(directory, clock);
        var failed = 0;
        using var stop = new CancellationTokenSource();
        var load = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            // A connection of its own for each request: every one of them meets whatever certificate there is.
            while (!stop.IsCancellationRequested)
            {
                using var client = Client();
                using var answer = await client.GetAsync(new Uri(api.Url, Names.Paths.Live)); // no review of a caller, which the clock below would time out
                if (!answer.IsSuccessStatusCode) Interlocked.Increment(ref failed);
            }
        })).ToArray();
        for (var i = 1; i <= 10; i++)
        {
            var written = WebhookUnderTest.WriteCertificate(directory, $"{i}");
            clock.Advance(TimeSpan.FromSeconds(5));
            (await SeenAsync(api)).ShouldBe(written);
        }

        await stop.CancelAsync();
        await Task.WhenAll(load);
        failed.ShouldBe(0);
    }

    [Theory]
    [InlineData("tls.crt", "-----BEGIN CERTIFICATE-----\nhalf")]
    [InlineData("tls.crt", "")]
    [InlineData("tls.key", "no key")]
    public async Task A_half_written_pair_changes_nothing_until_it_is_whole(string file, string content)
    {
        var first = WebhookUnderTest.WriteCertificate(directory, "first");
        await using var api = await ApiHost.StartAsync(directory, clock);
        await File.WriteAllTextAsync(Path.Combine(directory, file), content);
        clock.Advance(TimeSpan.FromSeconds(30));
        (await SeenAsync(api)).ShouldBe(first);
        var second = WebhookUnderTest.WriteCertificate(directory, "second");
        clock.Advance(TimeSpan.FromSeconds(5));
        (await SeenAsync(api)).ShouldBe(second);
    }

    [Fact]
    public async Task With_a_certificate_that_cannot_be_used_it_does_not_start_and_names_the_variable()
    {
        WebhookUnderTest.WriteCertificate(directory, "a");
        await File.WriteAllTextAsync(Path.Combine(directory, "tls.key"), "no key");
        (await Should.ThrowAsync<CertificateException>(() => ApiHost.StartAsync(directory, clock))).Message.ShouldContain(Names.Variables.TlsDirectory);
    }

    [Fact]
    public async Task A_mounted_Secret_that_is_still_empty_is_waited_for()
    {
        await using var api = await ApiHost.StartAsync(directory, clock);
        await Should.ThrowAsync<HttpRequestException>(SeenAsync(api));
        var late = WebhookUnderTest.WriteCertificate(directory, "late");
        clock.Advance(TimeSpan.FromSeconds(1));
        (await SeenAsync(api)).ShouldBe(late);
    }

    public void Dispose() => Directory.Delete(directory, recursive: true);

    private static async Task<string> SeenAsync(ApiHost api)
    {
        var seen = new List<string>();
        using var client = Client(seen);
        using var answer = await client.GetAsync(new Uri(api.Url, Names.Paths.Live));
        answer.IsSuccessStatusCode.ShouldBeTrue();
        return seen.ShouldHaveSingleItem();
    }

    private static Task<HttpResponseMessage> GetAsync(HttpClient client, ApiHost api)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(api.Url, Names.Paths.Runs));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "reader");
        return client.SendAsync(request);
    }

    private static HttpClient Client(List<string>? seen = null) => WebhookUnderTest.Client(seen);
}
