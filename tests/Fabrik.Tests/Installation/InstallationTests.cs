using System.Diagnostics;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Installation;

/// <summary>What a person types who has never seen Fabrik.</summary>
[Collection(InstallationCollection.Name)]
public sealed class InstallationTests
{
    private static readonly TimeSpan Goal = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Init_install_run_show_and_uninstall_as_a_new_user_types_them()
    {
        await using var cluster = await InstalledCluster.StartAsync();
        await cluster.ReadyAsync();
        var settings = Path.Combine(cluster.Home, "fabrik.yaml");

        var init = await cluster.FabrikAsync("init", "--file", settings, "--profile", "dev");
        init.Code.ShouldBe(0, init.Error);

        var began = Stopwatch.GetTimestamp();
        var install = await cluster.FabrikAsync("install", "--file", settings, "--timeout", "240");
        install.Code.ShouldBe(0, install.Error);
        install.Error.TrimEnd().Split('\n')[^1].ShouldStartWith("next: fabrik run");

        var run = await cluster.FabrikAsync("run", "--image", "busybox", "--name", "hello", "--", "echo", "hello");
        var took = Stopwatch.GetElapsedTime(began);
        run.Code.ShouldBe(0, run.Error);
        run.Error.ShouldContain("run/hello succeeded");
        var job = await cluster.Client.GetAsync(Kinds.Job, Names.RunsNamespace, "hello", TestContext.Current.CancellationToken);
        job.Annotation(Names.Annotations.Assignment).ShouldNotBeNull();
        TestContext.Current.TestOutputHelper?.WriteLine($"from install to the end of the first mutated Job: {took.TotalSeconds:0.0} s (aim: {Goal.TotalSeconds:0} s on a quiet machine)");

        var show = await cluster.FabrikAsync("show", "hello");
        show.Code.ShouldBe(0, show.Error);
        show.Out.ShouldContain("succeeded");

        var destroy = await cluster.FabrikAsync("destroy", "hello");
        destroy.Code.ShouldBe(0, destroy.Error);
        (await cluster.FabrikAsync("show", job.Uid!)).Out.ShouldContain("succeeded");

        var uninstall = await cluster.FabrikAsync("uninstall", "--yes", "--timeout", "120");
        uninstall.Code.ShouldBe(0, uninstall.Error);
        uninstall.Out.Trim().ShouldBe("0 objects left");
    }
}
