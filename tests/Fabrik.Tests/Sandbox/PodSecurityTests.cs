using System.Text.Json.Nodes;
using Fabrik.Sandbox.Admission;
using Fabrik.Sandbox.Server;

namespace Fabrik.Tests.Sandbox;

/// <summary>What namespaces' labels ask of Pods, in the words of the real server.</summary>
public sealed class PodSecurityTests
{
    private const string Safe = """
        "securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}}
        """;

    [Theory]
    [InlineData("restricted", """{"containers":[{"name":"a",SAFE}]}""", null)]
    [InlineData("restricted", """{"securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"Localhost"}},"containers":[{"name":"a","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"],"add":["NET_BIND_SERVICE"]}}}],"volumes":[{"name":"v","emptyDir":{}},{"name":"p","persistentVolumeClaim":{"claimName":"c"}}]}""", null)]
    [InlineData("baseline", """{"containers":[{"name":"a"}]}""", null)]
    [InlineData("privileged", """{"hostNetwork":true,"containers":[{"name":"a","securityContext":{"privileged":true}}]}""", null)]
    [InlineData("baseline", """{"hostNetwork":true,"hostPID":true,"containers":[{"name":"a"}]}""", "host namespaces (hostNetwork=true, hostPID=true)")]
    [InlineData("baseline", """{"containers":[{"name":"a","securityContext":{"privileged":true}}]}""", "privileged (container \"a\" must not set securityContext.privileged=true)")]
    [InlineData("baseline", """{"containers":[{"name":"a","securityContext":{"capabilities":{"add":["NET_ADMIN"]}}}]}""", "non-default capabilities")]
    [InlineData("baseline", """{"containers":[{"name":"a"}],"volumes":[{"name":"v","hostPath":{"path":"/"}}]}""", "hostPath volumes")]
    [InlineData("baseline", """{"containers":[{"name":"a","ports":[{"containerPort":1,"hostPort":80}]}]}""", "hostPort")]
    [InlineData("restricted", """{"initContainers":[{"name":"i"}],"containers":[{"name":"a"}]}""", "allowPrivilegeEscalation != false (containers \"i\", \"a\" must set securityContext.allowPrivilegeEscalation=false)")]
    [InlineData("restricted", """{"containers":[{"name":"a"}]}""", "unrestricted capabilities (container \"a\" must set securityContext.capabilities.drop=[\"ALL\"])")]
    [InlineData("restricted", """{"containers":[{"name":"a"}]}""", "runAsNonRoot != true")]
    [InlineData("restricted", """{"containers":[{"name":"a","securityContext":{"runAsUser":0}}]}""", "runAsUser=0")]
    [InlineData("restricted", """{"containers":[{"name":"a"}]}""", "seccompProfile (container \"a\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")")]
    [InlineData("restricted", """{"containers":[{"name":"a",SAFE}],"volumes":[{"name":"v","nfs":{"server":"s","path":"/"}}]}""", "restricted volume types (volume \"v\" uses a restricted volume type)")]
    public void A_pod_is_refused_by_the_level_of_its_namespace_with_what_is_wrong_with_it(string level, string spec, string? violation)
    {
        var labels = new Dictionary<string, string> { ["pod-security.kubernetes.io/enforce"] = level };
        var pod = new JsonObject { ["metadata"] = new JsonObject { ["name"] = "p" }, ["spec"] = JsonNode.Parse(spec.Replace("SAFE", Safe, StringComparison.Ordinal)) };
        if (violation is null) PodSecurity.Check(labels, pod);
        else Should.Throw<ApiException>(() => PodSecurity.Check(labels, pod)).Message.ShouldSatisfyAllConditions(
            message => message.ShouldContain($"violates PodSecurity \"{level}:latest\""), message => message.ShouldContain(violation));
    }

    [Fact]
    public void Without_a_level_everything_is_let_in() =>
        PodSecurity.Check(new Dictionary<string, string>(), new JsonObject { ["spec"] = JsonNode.Parse("""{"hostPID":true,"containers":[{"name":"a"}]}""") });
}
