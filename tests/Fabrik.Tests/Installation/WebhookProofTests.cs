using System.Text.Json.Nodes;
using Fabrik.Cli;
using Fabrik.Cli.Installing;
using Fabrik.Kubernetes;
using Fabrik.Tests.Kubernetes;

namespace Fabrik.Tests.Installation;

public sealed class WebhookProofTests
{
    private const string Refusal = "jobs.batch \"fabrik-probe-vmg82\" is forbidden: ValidatingAdmissionPolicy 'fabrik-run-pods' with binding 'fabrik-run-pods' denied request: a run has no key to the cluster.";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_webhook_whose_first_answers_are_late_is_asked_again_whether_the_policies_take_the_job_as_it_came_or_not()
    {
        var asked = 0;
        await using var api = await FakeApiServer.StartAsync(context => ++asked switch
        {
            1 => FakeCluster.Fail(context, 403, "Forbidden", Refusal),
            2 => FakeApiServer.Reply(context, 201, Job(assigned: false)),
            _ => FakeApiServer.Reply(context, 201, Job(assigned: true)),
        });
        using var client = new KubernetesClient(api.Config, TimeProvider.System);

        await new WebhookProof(client, TimeProvider.System).RunAsync(TimeSpan.FromSeconds(30), Cancel);

        asked.ShouldBe(3);
    }

    [Fact]
    public async Task A_webhook_that_is_never_reached_is_told_as_that_and_not_as_a_missing_permission()
    {
        await using var api = await FakeApiServer.StartAsync(context => FakeCluster.Fail(context, 403, "Forbidden", Refusal));
        using var client = new KubernetesClient(api.Config, TimeProvider.System);

        var told = await Should.ThrowAsync<CommandException>(() => new WebhookProof(client, TimeProvider.System).RunAsync(TimeSpan.FromMilliseconds(300), Cancel));

        told.Id.ShouldBe("FAB-1120");
    }

    [Fact]
    public async Task A_permission_that_is_missing_is_told_at_once()
    {
        await using var api = await FakeApiServer.StartAsync(context => FakeCluster.Fail(context, 403, "Forbidden", "jobs.batch is forbidden: User \"eve\" cannot create resource \"jobs\""));
        using var client = new KubernetesClient(api.Config, TimeProvider.System);

        (await Should.ThrowAsync<KubernetesException>(() => new WebhookProof(client, TimeProvider.System).RunAsync(TimeSpan.FromSeconds(30), Cancel))).IsForbidden.ShouldBeTrue();
    }

    private static string Job(bool assigned)
    {
        var metadata = new JsonObject { ["name"] = "fabrik-probe-1" };
        if (assigned) metadata["annotations"] = new JsonObject { [Names.Annotations.Assignment] = "{}" };
        return new JsonObject { ["apiVersion"] = "batch/v1", ["kind"] = "Job", ["metadata"] = metadata }.ToJsonString();
    }
}
