using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Tests.Cli;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.CronJobs.Lifecycle;

public sealed class LateLeaderTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The longest interval is 15 minutes: without this, a scheduler that restarts more often than that would never decide.</summary>
    [Fact]
    public async Task A_scheduler_that_comes_to_lead_after_its_tasks_were_due_runs_them_at_once()
    {
        await using var cluster = new ClusterOfObjects();
        await cluster.InitializeAsync();
        await cluster.Client.CreateAsync(Kinds.Lease, Names.SystemNamespace, new JsonObject
        {
            ["apiVersion"] = Kinds.Lease.ApiVersion,
            ["kind"] = Kinds.Lease.Kind,
            ["metadata"] = new JsonObject { ["name"] = Names.Objects.Leader, ["namespace"] = Names.SystemNamespace },
            ["spec"] = new JsonObject { ["holderIdentity"] = "a replica that is gone", ["leaseDurationSeconds"] = 3, ["renewTime"] = "2026-01-01T00:00:00.000000Z" },
        }, Cancel);
        var home = Directory.CreateTempSubdirectory("fabrik-late-");
        var port = FreePort();
        await using (SchedulerProcess.Start(
            home.FullName, (Names.Variables.Kubeconfig, cluster.Kubeconfig), (Names.Variables.DataDirectory, Path.Combine(home.FullName, "data")), (Names.Variables.MetricsPort, port.ToString(CultureInfo.InvariantCulture))))
        {
            using var http = new HttpClient();
            await Wait.UntilAsync("the task with the longest interval to have run", async () =>
            {
                try
                {
                    return (await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}{Names.Paths.Metrics}"), Cancel)).Contains("task=\"DecideExperiments\"", StringComparison.Ordinal);
                }
                catch (HttpRequestException)
                {
                    return false; // it does not listen yet
                }
            });
        }

        home.Delete(recursive: true);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
