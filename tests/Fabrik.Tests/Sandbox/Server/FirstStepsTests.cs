using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Server;

namespace Fabrik.Tests.Sandbox.Server;

public class FirstStepsTests
{
    [Fact]
    public async Task A_job_that_was_created_is_found_listed_and_watched_by_the_client()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var server = await SandboxServer.StartAsync(new(), ct);
        using var client = new KubernetesClient(new ClusterConfig { Server = server.Url, CertificateAuthority = server.CaPem, Token = server.AdminToken }, TimeProvider.System);
        var seen = new TaskCompletionSource<KubeObject>();
        var informer = new Informer(client, Kinds.Job, TimeProvider.System, new InformerOptions { OnEvent = change => seen.TrySetResult(change.Object) });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var running = informer.RunAsync(stop.Token);
        await informer.WaitForSyncAsync(ct);

        var created = await client.CreateAsync(Kinds.Job, "default", JsonNode.Parse("""
            {"metadata":{"generateName":"a-"},"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"a","image":"b"}]}}}}
            """)!, ct);

        created.Name.ShouldMatch("^a-[bcdfghjklmnpqrstvwxz2456789]{5}$");
        (await client.GetAsync(Kinds.Job, "default", created.Name, ct)).Uid.ShouldBe(created.Uid);
        (await seen.Task.WaitAsync(TimeSpan.FromSeconds(30), ct)).Uid.ShouldBe(created.Uid);
        await stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(30), ct).ContinueWith(_ => { }, ct, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }
}
