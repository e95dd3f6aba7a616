using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using Dapper;
using Fabrik.Sandbox.Models;
using Fabrik.Tests.Api;
using Fabrik.Tests.Kubernetes;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Data.Sqlite;

namespace Fabrik.Tests.Proxy;

/// <summary>A shipped gateway before providers that speak HTTP/2 over TLS, or answer with more than anybody should hold.</summary>
public sealed class ProviderFaultTests
{
    private const int RefusedStream = 7, InternalError = 2, EnhanceYourCalm = 11;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Over_HTTP_2_a_reset_stream_fails_over_before_any_content_and_ends_with_an_error_after_it()
    {
        await using var setup = await Setup.StartAsync("first", "second");
        var (first, second) = (setup.Providers[0], setup.Providers[1]);
        foreach (var code in new[] { InternalError, EnhanceYourCalm })
        {
            // Whichever is asked first resets: the other one answers.
            var resets = 1;
            var protocols = new List<string>();
            first.Fault = second.Fault = (http, _) =>
            {
                lock (protocols) protocols.Add(http.Request.Protocol);
                if (Interlocked.Decrement(ref resets) < 0) return Task.FromResult(false);
                http.Features.GetRequiredFeature<IHttpResetFeature>().Reset(code);
                return Task.FromResult(true);
            };
            using var answer = await setup.ChatAsync($"reset-{code}");
            (await answer.Content.ReadAsStringAsync(Cancel)).ShouldEndWith("data: [DONE]\n\n");
            protocols.ShouldBe(["HTTP/2", "HTTP/2"]);
        }

        first.Fault = second.Fault = async (http, _) =>
        {
            http.Response.ContentType = "text/event-stream";
            await http.Response.WriteAsync("data: {\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"four\"}}]}\n\n");
            await http.Response.Body.FlushAsync();
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, http.RequestAborted);
            http.Features.GetRequiredFeature<IHttpResetFeature>().Reset(InternalError);
            return true;
        };
        using (var answer = await setup.ChatAsync("reset-late"))
        {
            var text = await answer.Content.ReadAsStringAsync(Cancel);
            text.ShouldContain("\"content\":\"four\"");
            text.ShouldContain("provider_cut");
            text.ShouldNotContain("[DONE]");
        }

        await setup.StopAsync();
        var rows = setup.Rows();
        rows.Where(row => row.Run == "reset-late").Select(row => (row.Outcome, row.Error, row.Estimated)).ShouldBe([("interrupted", "cut", true)]);
        foreach (var code in new[] { InternalError, EnhanceYourCalm }) rows.Where(row => row.Run == $"reset-{code}").Select(row => (row.Outcome, row.Error, row.Estimated)).ShouldBe([("completed", null, false), ("failed", "broken_answer", true)]);
    }

    [Fact]
    public async Task Over_HTTP_2_a_provider_that_says_goodbye_or_refuses_a_stream_costs_no_call_and_counts_none_twice()
    {
        await using var setup = await Setup.StartAsync("first");
        var provider = setup.Providers[0];
        provider.Pace = TimeSpan.FromMilliseconds(2);
        var (count, refused) = (0, 0);
        provider.Fault = (http, _) =>
        {
            var number = Interlocked.Increment(ref count);
            // GOAWAY: what is open on the connection ends, what comes goes over another one.
            if (number % 5 == 0) http.Features.GetRequiredFeature<IConnectionLifetimeNotificationFeature>().RequestClose();
            if (number % 11 != 0) return Task.FromResult(false);
            Interlocked.Increment(ref refused);
            http.Features.GetRequiredFeature<IHttpResetFeature>().Reset(RefusedStream);
            return Task.FromResult(true);
        };
        await Parallel.ForEachAsync(Enumerable.Range(0, 60), new ParallelOptions { MaxDegreeOfParallelism = 10, CancellationToken = Cancel }, async (number, ct) =>
        {
            using var answer = await setup.ChatAsync($"run-{number}");
            (await answer.Content.ReadAsStringAsync(ct)).ShouldEndWith("data: [DONE]\n\n", customMessage: $"{number}");
        });
        refused.ShouldBeGreaterThan(0);

        await setup.StopAsync();
        var rows = setup.Rows();
        rows.Count.ShouldBe(60);
        rows.ShouldAllBe(row => row.Outcome == "completed" && !row.Estimated && row.Output == 20);
        provider.Bill.Count.ShouldBe(60);
        provider.Requests.ShouldBe(60 + refused);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Sixty_four_mebibytes_of_answer_pass_and_the_gateway_does_not_hold_them(bool stream)
    {
        const int pieces = 1024, size = 64 << 10;
        await using var setup = await Setup.StartAsync("first");
        setup.Providers[0].Fault = async (http, _) =>
        {
            if (http.Request.Headers["X-Small"].Count > 0) return false;
            var text = new string('w', size);
            http.Response.ContentType = stream ? "text/event-stream" : "application/json";
            if (!stream) await http.Response.WriteAsync("{\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
            for (var piece = 0; piece < pieces; piece++) await http.Response.WriteAsync(stream ? $"data: {{\"model\":\"gpt-4o-mini\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n" : text, http.RequestAborted);
            const string usage = "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":16777216,\"total_tokens\":16777223}";
            await http.Response.WriteAsync(stream ? $"data: {{\"choices\":[],{usage}}}\n\ndata: [DONE]\n\n" : $"\"}}}}],{usage}}}");
            return true;
        };
        using (var warm = await setup.ChatAsync("warm", stream, ("X-Small", "1"))) await warm.Content.ReadAsStringAsync(Cancel);
        var before = setup.Gateway.PeakBytes;
        using (var answer = await setup.ChatAsync("large", stream))
        {
            var (source, buffer, total) = (await answer.Content.ReadAsStreamAsync(Cancel), new byte[1 << 16], 0L);
            for (int read; (read = await source.ReadAsync(buffer, Cancel)) > 0;) total += read;
            total.ShouldBeGreaterThan((long)pieces * size);
        }

        (setup.Gateway.PeakBytes - before).ShouldBeLessThan(48L << 20);
        await setup.StopAsync();

        // Of a whole answer that is too long to be read as such, a member that looks like its usage is taken for it and flagged.
        setup.Rows().Where(row => row.Run == "large").Select(row => (row.Outcome, row.Input, row.Output, row.Estimated)).ShouldBe([("completed", 7, 16777216, !stream)]);
    }

    private sealed class Setup : IAsyncDisposable
    {
        private readonly HttpClient http = new(new SocketsHttpHandler { ResponseDrainTimeout = TimeSpan.Zero }) { Timeout = TimeSpan.FromSeconds(60) };

        public required ApiHost Api { get; init; }
        public required List<FakeProvider> Providers { get; init; }
        public required GatewayHome Home { get; init; }
        public required ShippedGateway Gateway { get; init; }

        public static async Task<Setup> StartAsync(params string[] names)
        {
            var authority = new TestAuthority("providers");
            var certificate = authority.Issue("provider", dns: ["127.0.0.1"]).Certificate;
            var providers = new List<FakeProvider>();
            foreach (var _ in names) providers.Add(await FakeProvider.StartAsync(Cancel, certificate));
            var home = new GatewayHome("{\"firstByteSeconds\":20}", [.. names.Zip(providers, (name, provider) => (name, new UriBuilder(provider.Address) { Host = "127.0.0.1" }.Uri))]);
            await File.WriteAllTextAsync(Path.Combine(home.Directory, "ca.pem"), authority.Pem, Cancel);
            var api = await ApiHost.StartAsync();

            // As an operator would have it trust an authority of their own: by the variable that OpenSSL reads.
            var gateway = await ShippedGateway.StartAsync(home.Directory, api.Url, "gateway-0", ("SSL_CERT_FILE", Path.Combine(home.Directory, "ca.pem")));
            return new Setup { Api = api, Providers = providers, Home = home, Gateway = gateway };
        }

        public Task<HttpResponseMessage> ChatAsync(string run, bool stream = true, params (string Name, string Value)[] headers)
        {
            var body = $$"""{"model":"gpt-4o-mini","messages":[{"role":"user","content":"say some words"}],"stream":{{(stream ? "true" : "false")}}}""";
            var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Gateway.Address, "/openai/v1/chat/completions")) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", GatewayBench.Token(run));
            foreach (var (name, value) in headers) request.Headers.Add(name, value);
            return http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        }

        /// <summary>What it has to tell is with the API then.</summary>
        public async Task StopAsync()
        {
            Gateway.Terminate();
            (await Gateway.EndAsync()).ShouldBe(0, Gateway.Output);
        }

        public List<(string Run, string Outcome, string? Error, bool Estimated, long Input, long Output)> Rows()
        {
            using var connection = new SqliteConnection(string.Create(CultureInfo.InvariantCulture, $"Data Source={Api.Database.File};Mode=ReadOnly;Pooling=False"));
            return [.. connection.Query<(string, string, string?, bool, long, long)>("SELECT run_id, outcome, error, estimated, input_tokens, output_tokens FROM model_calls ORDER BY run_id, outcome")];
        }

        public async ValueTask DisposeAsync()
        {
            http.Dispose();
            await Gateway.DisposeAsync();
            foreach (var provider in Providers) await provider.DisposeAsync();
            await Api.DisposeAsync();
            Home.Dispose();
        }
    }
}
