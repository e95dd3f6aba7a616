using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Fabrik.Sandbox.Models;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.Proxy;

public sealed class OtlpTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_collector_that_is_named_is_sent_the_metrics_and_nothing_of_calls_or_keys()
    {
        await using var collector = await FakeProvider.StartAsync(Cancel); // any server that keeps what it is sent
        var sent = new ConcurrentQueue<(string Path, string Type, string Body)>();
        collector.Fault = (http, body) =>
        {
            sent.Enqueue((http.Request.Path, http.Request.ContentType ?? "", Encoding.Latin1.GetString(body)));
            return Task.FromResult(true);
        };
        await using var bench = await GatewayBench.StartAsync();
        await bench.StopGatewayAsync();
        bench.Otlp = collector.Address;
        await bench.StartGatewayAsync();
        using (var answer = await bench.ChatAsync()) answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        await bench.LedgerAsync(1);
        await bench.StopGatewayAsync();

        sent.ShouldNotBeEmpty();
        sent.ShouldAllBe(one => one.Path == "/v1/metrics" && one.Type == "application/x-protobuf");
        var all = string.Concat(sent.Select(one => one.Body));
        foreach (var name in (string[])["gen_ai.client.token.usage", "gen_ai.client.operation.duration", Names.Metrics.GatewayAttempts, Names.Metrics.GatewayCost, Names.Objects.Gateway]) all.ShouldContain(name);
        foreach (var secret in (string[])["sk-", "fbk-run", "say some words"]) all.ShouldNotContain(secret);
    }

    [Fact]
    public async Task A_collector_that_is_away_or_refuses_troubles_no_call()
    {
        await using var collector = await FakeProvider.StartAsync(Cancel);
        collector.Fault = (http, _) =>
        {
            http.Response.StatusCode = 500;
            return Task.FromResult(true);
        };
        await using var bench = await GatewayBench.StartAsync();
        foreach (var address in (Uri[])[collector.Address, new Uri("http://127.0.0.1:9")])
        {
            await bench.StopGatewayAsync();
            bench.Otlp = address;
            await bench.StartGatewayAsync();
            using var answer = await bench.ChatAsync();
            answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        }
    }
}
