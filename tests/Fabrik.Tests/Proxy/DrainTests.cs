using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Dapper;
using Fabrik.Sandbox.Models;
using Fabrik.Tests.Api;
using Microsoft.Data.Sqlite;

namespace Fabrik.Tests.Proxy;

/// <summary>A shipped gateway that is told to stop as the kubelet does it, before the real API.</summary>
public sealed class DrainTests
{
    private const string Chat = """{"model":"gpt-4o-mini","max_tokens":MOST,"messages":[{"role":"user","content":"say some words"}],"stream":true}""";
    private const string Responses = """{"model":"gpt-4o-mini","max_output_tokens":MOST,"input":"say some words","stream":true}""";
    private const string Messages = """{"model":"claude-haiku-4-5","max_tokens":MOST,"messages":[{"role":"user","content":"say some words"}],"stream":true}""";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task On_SIGTERM_readiness_goes_calls_are_taken_for_the_drain_open_streams_end_whole_and_then_nobody_is_let_in()
    {
        await using var api = await ApiHost.StartAsync();
        await using var provider = await FakeProvider.StartAsync(Cancel);
        provider.Pace = TimeSpan.FromMilliseconds(100);
        using var home = new GatewayHome("{}", ("first", provider.Address));
        await using var gateway = await ShippedGateway.StartAsync(home.Directory, api.Url, "gateway-0", (Names.Variables.DrainSeconds, "1"), (Names.Variables.StreamSeconds, "30"));
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
        (await http.GetAsync(new Uri(gateway.Address, Names.Paths.Ready), Cancel)).StatusCode.ShouldBe(HttpStatusCode.OK);
        using var chat = await SendAsync(http, gateway, "/openai/v1/chat/completions", Chat, 50);
        using var messages = await SendAsync(http, gateway, "/anthropic/v1/messages", Messages, 50);
        gateway.Terminate();

        await Wait.UntilAsync("readiness to go", async () => (await http.GetAsync(new Uri(gateway.Address, Names.Paths.Ready), Cancel)).StatusCode == HttpStatusCode.ServiceUnavailable);
        using (var late = await SendAsync(http, gateway, "/openai/v1/chat/completions", Chat, 1)) (await late.Content.ReadAsStringAsync(Cancel)).ShouldEndWith("data: [DONE]\n\n");
        await Wait.UntilAsync("the port to close", async () =>
        {
            using var stranger = new HttpClient();
            try
            {
                using var answer = await stranger.GetAsync(new Uri(gateway.Address, Names.Paths.Live), Cancel);
                return false;
            }
            catch (HttpRequestException)
            {
                return true;
            }
        });

        var (said, told) = (await chat.Content.ReadAsStringAsync(Cancel), await messages.Content.ReadAsStringAsync(Cancel));
        said.ShouldContain("word50 ");
        said.ShouldEndWith("data: [DONE]\n\n");
        told.ShouldEndWith("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
        (await gateway.EndAsync()).ShouldBe(0, gateway.Output);
        Rows(api).ShouldBe([("completed", null, false, 1), ("completed", null, false, 50), ("completed", null, false, 50)]);
    }

    [Fact]
    public async Task At_the_end_of_the_grace_what_is_open_ends_with_an_error_in_its_stream_and_all_of_it_is_in_the_ledger()
    {
        await using var api = await ApiHost.StartAsync();
        await using var provider = await FakeProvider.StartAsync(Cancel);
        provider.Pace = TimeSpan.FromMilliseconds(50);
        provider.Fault = async (request, _) =>
        {
            if (!request.Request.Headers.ContainsKey("X-Silent")) return false;
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, request.RequestAborted);
            return true;
        };
        using var home = new GatewayHome("{}", ("first", provider.Address));
        await using var gateway = await ShippedGateway.StartAsync(home.Directory, api.Url, "gateway-0", (Names.Variables.StreamSeconds, "1"));
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
        using var chat = await SendAsync(http, gateway, "/openai/v1/chat/completions", Chat, 9000);
        using var responses = await SendAsync(http, gateway, "/openai/v1/responses", Responses, 9000);
        using var messages = await SendAsync(http, gateway, "/anthropic/v1/messages", Messages, 9000);
        var silent = SendAsync(http, gateway, "/openai/v1/chat/completions", Chat, 9, ("X-Silent", "1"));
        await Wait.UntilAsync("the last call to reach the provider", () => Task.FromResult(provider.Requests == 4));
        gateway.Terminate();

        var texts = await Task.WhenAll(new[] { chat, responses, messages }.Select(answer => answer.Content.ReadAsStringAsync(Cancel)));
        foreach (var text in texts)
        {
            var events = text.Split("\n\n");
            events[^1].ShouldBeEmpty();
            events[^2].ShouldContain("gateway_stopped");
            events[..^2].ShouldAllBe(one => !one.Contains("error\":{", StringComparison.Ordinal));
        }

        texts[2].ShouldContain("\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"");
        using (var refused = await silent)
        {
            refused.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
            (await refused.Content.ReadAsStringAsync(Cancel)).ShouldContain("gateway_stopped");
        }

        (await gateway.EndAsync()).ShouldBe(0, gateway.Output);
        var rows = Rows(api);
        rows.Select(row => (row.Outcome, row.Error, row.Estimated)).ShouldBe([("failed", "gateway_stopped", true), ("interrupted", "gateway_stopped", true), ("interrupted", "gateway_stopped", true), ("interrupted", "gateway_stopped", true)]);
        await Wait.UntilAsync("the provider to stop", () => Task.FromResult(provider.Bill.Count == 3));
        provider.Bill.ShouldAllBe(bill => bill.Output < 200);
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient http, ShippedGateway gateway, string path, string body, int most, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(gateway.Address, path)) { Content = new StringContent(body.Replace("MOST", most.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal), Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", GatewayBench.Token());
        foreach (var (name, value) in headers) request.Headers.Add(name, value);
        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
    }

    private static List<(string Outcome, string? Error, bool Estimated, long Output)> Rows(ApiHost api)
    {
        using var connection = new SqliteConnection($"Data Source={api.Database.File};Mode=ReadOnly;Pooling=False");
        return [.. connection.Query<(string, string?, bool, long)>("SELECT outcome, error, estimated, output_tokens FROM model_calls ORDER BY outcome, output_tokens")];
    }
}
