using Fabrik.Cli;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Cli;

public sealed class FailuresTests
{
    [Fact]
    public void A_namespace_that_is_being_deleted_is_no_lack_of_permission()
    {
        var refused = new KubernetesException("apply networkpolicies: forbidden")
        {
            Code = 403,
            Reason = "Forbidden",
            StatusMessage = "networkpolicies.networking.k8s.io \"fabrik-deny\" is forbidden: unable to create new content in namespace fabrik-runs because it is being terminated",
            Causes = [new KubernetesException.Cause("NamespaceTerminating", "namespace fabrik-runs is being terminated", "metadata.namespace")],
        };

        var told = Failures.Explain(refused)!;

        told.Id.ShouldBe("FAB-1121");
        told.Next.ShouldNotContain("permission");
    }
}
