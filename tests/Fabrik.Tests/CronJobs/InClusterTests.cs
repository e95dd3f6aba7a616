using System.Text.Json;
using Fabrik.Admission;
using Fabrik.CronJobs;
using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Configuration;
using Fabrik.Tests.Cli;
using Fabrik.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Quartz;

namespace Fabrik.Tests.CronJobs;

/// <summary>The scheduler with nothing but what Kubernetes mounts into its Pod.</summary>
public sealed class InClusterTests : IAsyncLifetime
{
    private readonly ClusterOfObjects cluster = new();
    private readonly string home = Directory.CreateTempSubdirectory("fabrik-pod-").FullName;
    private WebApplication app = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Checklist_37_the_scheduler_leads_with_the_service_account_of_its_pod_and_nothing_from_outside()
    {
        var lease = await LeaseAsync();
        lease.GetProperty("spec").GetProperty("holderIdentity").GetString().ShouldBe(app.Services.GetRequiredService<CronJobsOptions>().Identity);
    }

    [Theory]
    [InlineData(typeof(ProposeChanges), 300)]
    [InlineData(typeof(DecideExperiments), 900)]
    [InlineData(typeof(AnalyseExperiments), 20)]
    [InlineData(typeof(StartExperiments), 60)]
    [InlineData(typeof(ApplyDecisions), 60)]
    public async Task Checklist_61_proposals_are_made_every_5_minutes_and_decisions_every_15(Type task, int seconds)
    {
        var scheduler = await app.Services.GetRequiredService<ISchedulerFactory>().GetScheduler(Cancel);
        var trigger = (await scheduler.GetTrigger(new TriggerKey(task.Name), Cancel)).ShouldBeAssignableTo<ISimpleTrigger>().ShouldNotBeNull();
        trigger.RepeatInterval.ShouldBe(TimeSpan.FromSeconds(seconds));
    }

    [Fact]
    public async Task Checklist_61_what_the_optimizer_keeps_is_in_its_own_namespace_and_jobs_of_that_namespace_are_never_its_subject()
    {
        (await LeaseAsync()).GetProperty("metadata").GetProperty("namespace").GetString().ShouldBe(Names.SystemNamespace);
        foreach (var entry in WebhookRegistration.Configuration([])["webhooks"]!.AsArray())
        {
            var excluded = entry!["namespaceSelector"]!["matchExpressions"]!.AsArray().Single(one => (string?)one!["key"] == Names.Labels.NamespaceName)!;
            ((string?)excluded["operator"]).ShouldBe("NotIn");
            excluded["values"]!.AsArray().Select(one => (string?)one).ShouldContain(Names.SystemNamespace);
        }
    }

    public async ValueTask InitializeAsync()
    {
        await cluster.InitializeAsync();
        var server = ClusterConfig.FromKubeconfig(cluster.Kubeconfig);
        var mount = Directory.CreateDirectory(Path.Combine(home, "serviceaccount")).FullName;
        await File.WriteAllTextAsync(Path.Combine(mount, "token"), server.Token, Cancel);
        await File.WriteAllTextAsync(Path.Combine(mount, "ca.crt"), server.CertificateAuthority, Cancel);
        await File.WriteAllTextAsync(Path.Combine(mount, "namespace"), Names.SystemNamespace, Cancel);
        var pod = ServiceAccountMount.Read(mount, name => name switch
        {
            Names.Variables.KubernetesServiceHost => server.Server.Host,
            Names.Variables.KubernetesServicePort => $"{server.Server.Port}",
            _ => null,
        });
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddFabrikCronJobs(new CronJobsOptions { Cluster = pod, DataDirectory = Path.Combine(home, "data"), LoopbackOnly = true, MetricsPort = 0 });
        app = builder.Build();
        app.MapFabrikCronJobs();
        await app.StartAsync(Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync(CancellationToken.None);
        await app.DisposeAsync();
        await cluster.DisposeAsync();
        Directory.Delete(home, recursive: true);
    }

    /// <summary>Once somebody leads.</summary>
    private async Task<JsonElement> LeaseAsync() => (await Wait.ForAsync("the Lease", async () =>
    {
        try
        {
            return await cluster.Client.GetAsync(Kinds.Lease, Names.SystemNamespace, Names.Objects.Leader, Cancel);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    })).Json;
}
