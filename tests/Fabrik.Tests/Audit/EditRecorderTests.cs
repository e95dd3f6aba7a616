using System.Text.Json.Nodes;
using Fabrik.Audit;
using Fabrik.CronJobs.Audit;
using Fabrik.CronJobs.Hosting;
using Fabrik.Gateway;
using Fabrik.Kubernetes;
using Fabrik.Storage;
using Fabrik.Tests.Cli;
using Fabrik.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Tests.Audit;

/// <summary>What people do with kubectl and the command, from the API server's watches to the record; the recorder ends and starts again between.</summary>
public sealed class EditRecorderTests : IAsyncLifetime
{
    private readonly ClusterOfObjects cluster = new();
    private readonly TemporaryDatabase database = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private AuditStore Store => new(database.Database);

    [Fact]
    public async Task What_people_write_is_recorded_once_with_what_was_another_and_who_as_far_as_it_can_be_told()
    {
        await using (Watch())
        {
            await cluster.ChangeAsync("more-memory", "experiment_running");
            (await cluster.FabrikAsync("optimizer", "changes", "reject", "more-memory", "--reason", "not now")).Code.ShouldBe(0);
            (await cluster.FabrikAsync("optimizer", "pause", "--reason", "a release")).Code.ShouldBe(0);
            await ThereAsync(AuditActions.PolicyCreated);
            await ThereAsync(AuditActions.ChangeRefused);
        }

        var created = One(AuditActions.ChangeCreated);
        created.Object.ShouldNotBeNull().ShouldSatisfyAllConditions(
            one => (one.Kind, one.Namespace, one.Name).ShouldBe(("OptimizationChange", Names.SystemNamespace, "more-memory")),
            one => one.Uid.ShouldNotBeNullOrEmpty(),
            one => one.ResourceVersion.ShouldNotBeNullOrEmpty());
        created.Details["change.memoryLimit"].ShouldBe("- -> 4Gi");
        created.Actor.ShouldBeNull();
        var refused = One(AuditActions.ChangeRefused);
        refused.Actor.ShouldNotBeNullOrEmpty();
        (refused.Details["approval.reason"], refused.Details["approval.approved"], refused.Details["client"]).ShouldBe(("- -> not now", "- -> false", "fabrik-cli"));
        One(AuditActions.PolicyCreated).Details["pauseReason"].ShouldBe("- -> a release");
        Store.Verify().ShouldBeNull();
    }

    [Fact]
    public async Task What_happened_while_nobody_watched_is_recorded_at_the_next_start_and_what_did_not_is_not()
    {
        await cluster.ChangeAsync("one");
        await cluster.ChangeAsync("two");
        await using (Watch()) await Wait.UntilAsync("both", () => Task.FromResult(All(AuditActions.ChangeCreated).Count == 2));
        await cluster.Client.DeleteAsync(Kinds.OptimizationChange, Names.SystemNamespace, "one", Cancel);
        foreach (var risk in (string[])["medium", "high"])
            await cluster.Client.PatchAsync(Kinds.OptimizationChange, Names.SystemNamespace, "two", PatchType.Merge, new JsonObject { ["spec"] = new JsonObject { ["rationale"] = $"another {risk}" } }, Cancel);
        await using (Watch())
        {
            await ThereAsync(AuditActions.ChangeDeleted);
            await ThereAsync(AuditActions.ChangeEdited);
        }

        await using (Watch())
        {
            await cluster.ChangeAsync("three");
            await Wait.UntilAsync("the third", () => Task.FromResult(All(AuditActions.ChangeCreated).Count == 3));
        }

        One(AuditActions.ChangeDeleted).Object!.Name.ShouldBe("one");
        var edited = One(AuditActions.ChangeEdited);
        edited.Details["rationale"].ShouldEndWith("-> another high");
        edited.Details["edits"].ShouldStartWith("2, of which");
        Store.Verify().ShouldBeNull();
    }

    [Fact]
    public async Task Virtual_keys_are_recorded_when_they_are_made_revoked_and_removed_and_never_with_their_hash()
    {
        await using (Watch())
        {
            (await cluster.FabrikAsync("gateway", "keys", "create", "--project", "search", "--description", "the pipeline")).Code.ShouldBe(0);
            await ThereAsync(AuditActions.KeyCreated);
            var id = One(AuditActions.KeyCreated).Object!.Name;
            (await cluster.FabrikAsync("gateway", "keys", "revoke", id)).Code.ShouldBe(0);
            await ThereAsync(AuditActions.KeyRevoked);
        }

        await cluster.Client.DeleteAsync(Kinds.Secret, Names.GatewayNamespace, Names.Objects.VirtualKeySecret, Cancel);
        await using (Watch()) await ThereAsync(AuditActions.KeyRemoved);
        (One(AuditActions.KeyCreated).Details["project"], One(AuditActions.KeyCreated).Details["description"]).ShouldBe(("search", "the pipeline"));
        var bytes = string.Concat(new[] { "", "-wal" }.Select(end => Encoded(database.File + end)));
        bytes.ShouldContain("the pipeline");
        bytes.ShouldNotContain(VirtualKey.Prefix);
        Hash.ShouldNotBeNull();
        bytes.ShouldNotContain(Hash);
    }

    [Fact]
    public void Values_of_environment_variables_are_not_kept()
    {
        var edit = SpecEdit.Of(null, System.Text.Json.JsonDocument.Parse("""{"change":{"environment":{"TOKEN":"secret"}}}""").RootElement);
        edit["change.environment.TOKEN"].ShouldNotContain("secret");
    }

    public async ValueTask InitializeAsync()
    {
        await cluster.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await cluster.DisposeAsync();
        database.Dispose();
    }

    private string? Hash { get; set; }

    private static string Encoded(string path)
    {
        if (!File.Exists(path)) return "";
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(file, System.Text.Encoding.Latin1);
        return reader.ReadToEnd();
    }

    private async Task ThereAsync(string action)
    {
        if (action == AuditActions.KeyCreated)
            await Wait.UntilAsync("the Secret", async () =>
            {
                var secret = await cluster.Client.GetAsync(Kinds.Secret, Names.GatewayNamespace, Names.Objects.VirtualKeySecret, Cancel);
                Hash = VirtualKeys.Parse(secret.Json.GetProperty("data").GetProperty(Names.Objects.VirtualKeyFile).GetBytesFromBase64()).All.Single().Hash;
                return true;
            });
        await Wait.UntilAsync(action, () => Task.FromResult(All(action).Count > 0));
    }

    private IReadOnlyList<AuditRow> All(string action) => Store.List(new AuditQuery(Action: action, Limit: 1000)).Items;

    private AuditRow One(string action) => All(action).ShouldHaveSingleItem();

    private Running Watch() => new(cluster.Client, database.Database);

    private sealed class Running : IAsyncDisposable
    {
        private readonly CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        private readonly SchedulerMetrics metrics;
        private readonly Task running;

        public Running(KubernetesClient client, Database database)
        {
            metrics = new SchedulerMetrics(TimeProvider.System, database);
            running = new EditRecorder(client, new AuditStore(database), metrics, TimeProvider.System, NullLogger<EditRecorder>.Instance).RunAsync(stop.Token);
        }

        public async ValueTask DisposeAsync()
        {
            await stop.CancelAsync();
            await running;
            stop.Dispose();
            metrics.Dispose();
        }
    }
}
