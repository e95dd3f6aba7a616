using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fabrik.Api;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Kubernetes;
using Fabrik.Tests.Api;
using Fabrik.Tests.Runs;
using Fabrik.Tests.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fabrik.Tests.Cli;

/// <summary>The command and the gateway's ServiceAccount against the API and its database, with the permissions that an installation gives.</summary>
public sealed class GatewayUsageTests(ClusterOfObjects cluster) : IClassFixture<ClusterOfObjects>
{
    [Fact]
    public async Task What_the_gateway_delivered_is_added_up_and_shown_with_its_run()
    {
        using var database = new TemporaryDatabase();
        await using var api = await StartAsync(database);
        var url = api.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        UsageStoreTests.Put(database, Some.Run("5b1c0000-0000-4000-8000-000000000001") with { RunId = "run-a" });
        var failed = UsageApiTests.Event(3);
        (failed["operationId"], failed["costMicros"]) = (UsageApiTests.Event(1)["operationId"]!.DeepClone(), 0);
        var other = UsageApiTests.Event(2);
        (other["runId"], other["project"], other["costMicros"], other["estimated"]) = ("run-b", "lab", 500, true);
        (await DeliverAsync(url, Names.SystemNamespace, Names.Objects.Reader, UsageApiTests.Batch(failed))).ShouldBe(403);
        (await DeliverAsync(url, Names.GatewayNamespace, Names.Objects.Gateway, UsageApiTests.Batch(UsageApiTests.Event(1), other, failed))).ShouldBe(200);

        var table = await cluster.FabrikAsync("gateway", "usage", "--server", url);
        table.Code.ShouldBe(0, table.Error);
        table.Out.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries).ShouldBe(
        [
            "PROJECT   CALLS   INPUT   CACHED   OUTPUT   COST         SHARE                       NOTE",
            "shop      1       294     80       40       0.0015 USD   ███████████████░░░░░ 75 %   -",
            "lab       1       147     40       20       0.0005 USD   █████░░░░░░░░░░░░░░░ 25 %   estimated",
        ]);
        table.Error.ShouldContain("Together: 2 calls, 0.002 USD");
        (await cluster.FabrikAsync("gateway", "usage", "--by", "run", "--since", "1h", "--project", "lab", "-o", "name", "--server", url)).Out.Trim().ShouldBe("run/run-b");
        var json = JsonDocument.Parse((await cluster.FabrikAsync("gateway", "usage", "--by", "day", "-o", "json", "--server", url)).Out).RootElement;
        json.GetProperty("total").GetProperty("attempts").GetInt32().ShouldBe(3);

        var shown = await cluster.FabrikAsync("runs", "show", "5b1c0000-0000-4000-8000-000000000001", "--server", url);
        shown.Code.ShouldBe(0, shown.Error);
        shown.Out.ShouldContain("Model calls:  1, and 1 attempt that failed over");
        shown.Out.ShouldContain("cost: 0.0015 USD");
        shown.Out.ShouldContain("gpt-5.4-mini");
        var listed = await cluster.FabrikAsync("runs", "list", "-A", "-o", "wide", "--server", url);
        listed.Out.ShouldContain("0.0015 USD");
        JsonDocument.Parse((await cluster.FabrikAsync("runs", "list", "-A", "-o", "json", "--server", url)).Out).RootElement
            .GetProperty("items")[0].GetProperty("modelCalls").GetProperty("costs")[0].GetProperty("micros").GetInt32().ShouldBe(1500);
    }

    [Fact]
    public async Task Budgets_are_shown_with_what_is_used_and_left_of_each_and_when_they_begin_anew()
    {
        using var database = new TemporaryDatabase();
        await PolicyAsync(
            new JsonObject { ["name"] = "all", ["period"] = "total", ["limit"] = "1.00", ["currency"] = "USD" },
            new JsonObject { ["name"] = "each", ["scope"] = "project", ["period"] = "month", ["limit"] = "0.001", ["hard"] = true },
            new JsonObject { ["name"] = "calls", ["scope"] = "project/shop", ["unit"] = "requests", ["limit"] = "600", ["hard"] = true },
            new JsonObject { ["name"] = "read", ["scope"] = "run", ["unit"] = "tokens", ["period"] = "week", ["limit"] = "1000000", ["hard"] = true },
            new JsonObject { ["name"] = "ns", ["scope"] = "namespace/ci", ["period"] = "day", ["limit"] = "0.004", ["hard"] = true },
            new JsonObject { ["name"] = "lost", ["scope"] = "everybody", ["limit"] = "5" });
        await using var api = await StartAsync(database);
        var url = api.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        var other = UsageApiTests.Event(2);
        (other["runId"], other["project"], other["costMicros"]) = ("run-b", "lab", 500);
        (await DeliverAsync(url, Names.GatewayNamespace, Names.Objects.Gateway, UsageApiTests.Batch(UsageApiTests.Event(1), other))).ShouldBe(200);
        var wishes = new LeaseRequest("one", "1", 1, [new LeaseWish("calls/shop", 150, 0, 30, 0, false), new LeaseWish("ns/ci", 0, 0, 3_000, 0, false)]);
        (await DeliverAsync(url, Names.GatewayNamespace, Names.Objects.Gateway, JsonSerializer.SerializeToUtf8Bytes(wishes, GatewayJson.Default.LeaseRequest), Names.Paths.Leases)).ShouldBe(200);

        var table = await cluster.FabrikAsync("gateway", "budgets", "--server", url);
        table.Code.ShouldBe(0, table.Error);
        var lines = table.Out.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries).Select(line => Regex.Replace(line, "in [0-9dhms]+", "in SPAN", RegexOptions.None, TimeSpan.FromSeconds(1)).Replace("   ", "|").Split('|', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).ToArray();
        lines.Select(line => string.Join(" | ", line)).ShouldBe(
        [
            "BUDGET | FOR | USED | LIMIT | LEFT | RESETS | USE | NOTE",
            "all | cluster | 0.002 USD | 1.00 USD | 0.998 USD | never | ░░░░░░░░░░ 0 % | calls are not refused",
            "each | project/shop | 0.0015 USD | 0.001 USD a month | 0.00 USD | in SPAN | ██████████ 100 % | spent: calls are refused",
            "each | project/lab | 0.0005 USD | 0.001 USD a month | 0.0005 USD | in SPAN | █████░░░░░ 50 % | -",
            "calls | project/shop | 150 requests | 600 requests a minute | 450 requests | any minute | ██░░░░░░░░ 25 % | -",
            "read | run/run-a | 167 tokens | 1M tokens a week | 999.8k tokens | in SPAN | ░░░░░░░░░░ 0 % | -",
            "read | run/run-b | 167 tokens | 1M tokens a week | 999.8k tokens | in SPAN | ░░░░░░░░░░ 0 % | -",
            "ns | namespace/ci | 0.002 USD | 0.004 USD a day | 0.002 USD | in SPAN | █████░░░░░ 50 % | refused calls that may take more than is left",
        ]);
        table.Error.ShouldContain("warning: budget lost of the policy bounds nothing");

        var first = await cluster.FabrikAsync("gateway", "budgets", "--limit", "1", "-o", "name", "--server", url);
        first.Out.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries).ShouldBe(["budget/all", "budget/each", "budget/calls", "budget/read", "budget/ns"]);
        first.Error.ShouldContain("there are more than 1: --limit");
        var json = JsonDocument.Parse((await cluster.FabrikAsync("gateway", "budgets", "-o", "json", "--server", url)).Out).RootElement;
        json.GetProperty("items")[3].GetProperty("held").GetInt32().ShouldBe(262, "150 that are used and a quarter of what is free");
    }

    [Theory]
    [InlineData("gateway budgets --limit many")]
    [InlineData("gateway usage --by mood")]
    [InlineData("gateway usage --since yesterdayish --kubeconfig /nonexistent")]
    [InlineData("gateway")]
    public async Task A_wrong_call_ends_with_2_or_1_and_prints_nothing_as_data(string line)
    {
        var run = await Command.RunAsync(line.Split(' '));
        run.Code.ShouldBeInRange(1, 2);
        if (line != "gateway") run.Out.ShouldBeEmpty();
    }

    private async Task<WebApplication> StartAsync(TemporaryDatabase database)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Services.AddFabrikApi(new ApiOptions { Cluster = ClusterConfig.FromKubeconfig(cluster.Kubeconfig), DataDirectory = database.Path, LoopbackOnly = true, Port = 0 });
        var api = builder.Build();
        api.MapFabrikApi();
        await api.StartAsync(TestContext.Current.CancellationToken);
        return api;
    }

    private Task PolicyAsync(params JsonObject[] budgets) => cluster.Client.PatchAsync(
        Kinds.OptimizerPolicy, null, Names.PolicyName, PatchType.Apply,
        new JsonObject
        {
            ["apiVersion"] = Names.ApiVersion,
            ["kind"] = Kinds.OptimizerPolicy.Kind,
            ["metadata"] = new JsonObject { ["name"] = Names.PolicyName },
            ["spec"] = new JsonObject { ["budgets"] = new JsonArray([.. budgets]) },
        },
        TestContext.Current.CancellationToken, new WriteOptions { FieldManager = "test", Force = true });

    private async Task<int> DeliverAsync(string url, string ns, string account, byte[] batch, string path = Names.Paths.Usage)
    {
        var token = await cluster.Client.TokenAsync(ns, account, TestContext.Current.CancellationToken, Names.Audience);
        using var http = new HttpClient { BaseAddress = new Uri(url) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var answer = await http.PostAsync(path, new ByteArrayContent(batch) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } }, TestContext.Current.CancellationToken);
        return (int)answer.StatusCode;
    }
}
