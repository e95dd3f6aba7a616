using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Api;
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

    [Theory]
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

    private async Task<int> DeliverAsync(string url, string ns, string account, byte[] batch)
    {
        var request = new JsonObject
        {
            ["apiVersion"] = "authentication.k8s.io/v1",
            ["kind"] = "TokenRequest",
            ["spec"] = new JsonObject { ["audiences"] = new JsonArray(Names.Audience) },
        };
        var made = await cluster.Client.CreateAsync(Kinds.ServiceAccount, ns, request, TestContext.Current.CancellationToken, new WriteOptions { Name = account, Subresource = "token" });
        using var http = new HttpClient { BaseAddress = new Uri(url) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", made.Json.GetProperty("status").GetProperty("token").GetString());
        using var answer = await http.PostAsync(Names.Paths.Usage, new ByteArrayContent(batch) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } }, TestContext.Current.CancellationToken);
        return (int)answer.StatusCode;
    }
}
