namespace Fabrik.Tests.Installation;

/// <summary>Where a container engine answers: Fabrik's own images, on a Kubernetes that enforces what the sandbox can only play.</summary>
[Collection(InstallationCollection.Name)]
public sealed class K3sTests
{
    [Fact]
    public async Task Init_install_check_run_show_and_uninstall_as_a_new_user_types_them_on_k3s_with_the_images_of_the_dockerfile()
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable(Names.Variables.EndToEndKubeconfig) is { Length: > 0 }, $"{Names.Variables.EndToEndKubeconfig} names a cluster, which {nameof(InstallationTests)} use");
        await using var cluster = await InstalledCluster.OnK3sAsync();
        await InstallationTests.TypeAsync(cluster);
    }
}
