using System.Text.Json.Nodes;
using Fabrik.Cli;
using Fabrik.Cli.Connections;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Cli;

public sealed class PodTunnelTests : IAsyncLifetime
{
    private readonly ClusterOfObjects cluster = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => cluster.InitializeAsync();

    public ValueTask DisposeAsync() => cluster.DisposeAsync();

    [Theory]
    [InlineData(true, false, "FAB-1113")] // a connection was tried, and nobody runs the Pod here
    [InlineData(false, true, "FAB-1114")]
    public async Task A_container_that_is_ready_is_connected_to_whatever_the_one_beside_it_is(bool api, bool scheduler, string code)
    {
        var pod = JsonNode.Parse("""
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"fabrik-control-0","labels":{"app.kubernetes.io/name":"fabrik-control"}},
             "spec":{"containers":[{"name":"api","image":"a","ports":[{"name":"https","containerPort":8443}]},{"name":"scheduler","image":"b"}]}}
            """)!;
        await cluster.Client.CreateAsync(Kinds.Pod, Names.SystemNamespace, pod, Cancel);
        var status = new JsonObject
        {
            ["status"] = new JsonObject
            {
                ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "False" }),
                ["containerStatuses"] = new JsonArray(Status("api", api), Status("scheduler", scheduler)),
            },
        };
        await cluster.Client.PatchAsync(Kinds.Pod, Names.SystemNamespace, "fabrik-control-0", PatchType.Merge, status, Cancel, new WriteOptions { Subresource = "status" });

        (await Should.ThrowAsync<CommandException>(async () => await new PodTunnel(cluster.Client, Names.SystemNamespace, Names.Objects.Control, "https").OpenAsync(Cancel))).Id.ShouldBe(code);

        static JsonNode Status(string name, bool ready) => new JsonObject { ["name"] = name, ["ready"] = ready, ["image"] = "x", ["imageID"] = "", ["restartCount"] = 0 };
    }
}
