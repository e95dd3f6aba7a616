using System.Text.Json.Nodes;
using Fabrik.Cli.Installing;
using Fabrik.Kubernetes;
using Fabrik.Tests.EndToEnd;

namespace Fabrik.Tests.Installation;

/// <summary>What a person types who has never seen Fabrik.</summary>
[Collection(InstallationCollection.Name)]
public sealed class InstallationTests
{
    private static readonly TimeSpan Goal = TimeSpan.FromSeconds(60);
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Init_install_run_show_upgrade_destroy_and_uninstall_as_a_new_user_types_them()
    {
        await using var cluster = await InstalledCluster.StartAsync();
        await TypeAsync(cluster);
    }

    /// <summary>From a cluster without Fabrik to one without Fabrik.</summary>
    internal static async Task TypeAsync(InstalledCluster cluster)
    {
        await cluster.ReadyAsync();
        var settings = Path.Combine(cluster.Home, "fabrik.yaml");

        var init = await cluster.FabrikAsync("init", "--file", settings, "--profile", "dev");
        init.Code.ShouldBe(0, init.Error);

        var began = TimeProvider.System.GetTimestamp();
        var install = await cluster.FabrikAsync("install", "--file", settings, "--timeout", "240");
        install.Code.ShouldBe(0, install.Error);
        install.Error.TrimEnd().Split('\n')[^1].ShouldStartWith("next: fabrik run");

        var run = await cluster.FabrikAsync("run", "--image", "busybox", "--name", "hello", "--", "echo", "hello");
        var took = TimeProvider.System.GetElapsedTime(began);
        run.Code.ShouldBe(0, run.Error);
        run.Error.ShouldContain("run/hello succeeded");
        var job = await cluster.Client.GetAsync(Kinds.Job, Names.RunsNamespace, "hello", TestContext.Current.CancellationToken);
        job.Annotation(Names.Annotations.Assignment).ShouldNotBeNull();
        TestContext.Current.TestOutputHelper?.WriteLine($"from install to the end of the first mutated Job: {took.TotalSeconds:0.0} s (aim: {Goal.TotalSeconds:0} s on a quiet machine)");

        await CheckAsync(cluster);

        var show = await cluster.FabrikAsync("show", "hello");
        show.Code.ShouldBe(0, show.Error);
        show.Out.ShouldContain("succeeded");

        await UpgradeAsync(cluster, settings);

        var destroy = await cluster.FabrikAsync("destroy", "hello");
        destroy.Code.ShouldBe(0, destroy.Error);
        (await cluster.FabrikAsync("show", job.Uid!)).Out.ShouldContain("succeeded");

        var uninstall = await cluster.FabrikAsync("uninstall", "--yes", "--timeout", "120");
        uninstall.Code.ShouldBe(0, uninstall.Error);
        uninstall.Out.Trim().ShouldBe("0 objects left");
    }

    /// <summary>Where Pods are played, there are no canaries to try anything: that is QuickstartTests'.</summary>
    private static async Task CheckAsync(InstalledCluster cluster)
    {
        if (cluster.Played) return;
        var check = await cluster.FabrikAsync("check", "--wait", "20s", "--output", "json");
        var results = JsonNode.Parse(check.Out)!["checks"]!.AsArray().ToDictionary(one => (string)one!["id"]!, one => (string)one!["status"]!, StringComparer.Ordinal);
        results.Where(one => one.Value == "failed").Select(one => one.Key).ShouldBeEmpty(check.Out);
        if (!cluster.Contained) return;
        foreach (var isolation in new[] { "FAB-3251", "FAB-3252", "FAB-3253" }) results[isolation].ShouldBe("passed", check.Out);
    }

    /// <summary>Every Pod is replaced; Jobs that are created meanwhile are all admitted and all mutated.</summary>
    private static async Task UpgradeAsync(InstalledCluster cluster, string settings)
    {
        await cluster.DivertAsync();
        await new Readiness(cluster.Client, TimeProvider.System).WaitAsync(InstalledCluster.Workloads, TimeSpan.FromMinutes(4), _ => { }, None);
        var before = await PodsAsync(cluster);
        var (created, untouched) = await CreatingAsync(cluster, async () =>
        {
            var upgrade = await cluster.UpgradeAsync(settings);
            upgrade.Code.ShouldBe(0, upgrade.Error);
        });

        created.ShouldBeGreaterThan(20);
        untouched.ShouldBeEmpty();
        var after = await PodsAsync(cluster);
        after.Count.ShouldBe(before.Count);
        after.Intersect(before).ShouldBeEmpty();
        if (cluster.Played) (await cluster.Client.GetAsync(Kinds.Deployment, Names.SystemNamespace, Names.Objects.Webhook, None)).Json.ToString().ShouldContain($"{InstalledCluster.Mirror}/fabrik-webhook");
    }

    /// <summary>Those that are to stay, by uid.</summary>
    private static async Task<HashSet<string>> PodsAsync(InstalledCluster cluster)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (_, ns, name) in InstalledCluster.Workloads)
            await foreach (var pod in cluster.Client.ListAsync(Kinds.Pod, ns, None, new ListOptions { LabelSelector = $"{Names.Labels.Name}={name}" }))
                if (pod.DeletionTimestamp is null) found.Add(pod.Uid!);
        return found;
    }

    /// <summary>Creates Jobs, which are not stored, while something is done: how many, and the names of those that came back as they went.</summary>
    internal static async Task<(int Created, IReadOnlyList<string> Untouched)> CreatingAsync(InstalledCluster cluster, Func<Task> work)
    {
        using var stop = new CancellationTokenSource();
        var (created, untouched) = (0, new List<string>());
        var creating = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    var job = await cluster.Client.CreateAsync(Kinds.Job, Names.RunsNamespace, Jobs.Named($"during-{created}"), None, new WriteOptions { DryRun = true });
                    created++;
                    if (job.Annotation(Names.Annotations.Assignment) is null) untouched.Add(job.Name);
                }
                catch (KubernetesException e)
                {
                    // Without what the webhook fills in, policies of this namespace refuse it.
                    untouched.Add(e.Message);
                }

                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, None);
            }
        });

        try
        {
            await work();
        }
        finally
        {
            await stop.CancelAsync();
            await creating;
        }

        return (created, untouched);
    }
}
