using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Server;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Admission;

/// <summary>
/// The Pod Security Standards as a namespace's label asks for them (<c>pod-security.kubernetes.io/enforce</c>): Pods alone are refused, as by the real server. What concerns
/// Windows, AppArmor, SELinux, sysctls and proc mounts is not looked at; warnings and audit annotations are not made.
/// </summary>
public static class PodSecurity
{
    private const string Enforce = "pod-security.kubernetes.io/enforce";

    private static readonly string[] BaselineCapabilities =
    [
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    ];

    private static readonly string[] RestrictedVolumes = ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"];

    /// <exception cref="ApiException">The Pod violates the level.</exception>
    public static void Check(IReadOnlyDictionary<string, string> namespaceLabels, JsonObject pod)
    {
        if (namespaceLabels.GetValueOrDefault(Enforce) is not ("baseline" or "restricted") || Violations(pod, namespaceLabels[Enforce]).ToList() is not { Count: > 0 } found) return;
        var version = namespaceLabels.GetValueOrDefault(Enforce + "-version") ?? "latest";
        throw ApiException.Forbidden(BuiltInTypes.Pod, pod.Text("metadata", "name") ?? "", $"violates PodSecurity \"{namespaceLabels[Enforce]}:{version}\": {string.Join(", ", found)}");
    }

    private static IEnumerable<string> Violations(JsonObject pod, string level)
    {
        var spec = pod["spec"] as JsonObject ?? [];
        JsonObject[] containers = [.. ((string[])["initContainers", "containers", "ephemeralContainers"]).SelectMany(list => spec.Items(list)).OfType<JsonObject>()];
        string? Of(string what, Func<JsonObject, bool> violates) => containers.Where(violates).Select(container => $"\"{container.Text("name")}\"").ToList() is { Count: > 0 } named
            ? $"{(named.Count > 1 ? "containers" : "container")} {string.Join(", ", named)} {what}" : null;

        var all = level == "restricted" ? Baseline(spec, Of).Concat(Restricted(spec, Of)) : Baseline(spec, Of);
        return all.OfType<string>();
    }

    private static IEnumerable<string?> Baseline(JsonObject spec, Func<string, Func<JsonObject, bool>, string?> of)
    {
        var host = ((string[])["hostNetwork", "hostPID", "hostIPC"]).Where(field => spec.Flag(field) == true).ToList();
        yield return host.Count > 0 ? $"host namespaces ({string.Join(", ", host.Select(field => $"{field}=true"))})" : null;
        yield return Named("privileged", of("must not set securityContext.privileged=true", container => Security(container).Flag("privileged") == true));
        yield return Named("non-default capabilities", of("must not include other than the baseline's in securityContext.capabilities.add", container => Added(container).Except(BaselineCapabilities, StringComparer.Ordinal).Any()));
        yield return spec.Items("volumes").Any(volume => volume is JsonObject one && one.ContainsKey("hostPath")) ? "hostPath volumes" : null;
        yield return Named("hostPort", of("uses a hostPort", container => container.Items("ports").Any(port => port.Number("hostPort") > 0)));
        yield return spec.Text("securityContext", "seccompProfile", "type") == "Unconfined" ? "seccompProfile (pod must not set securityContext.seccompProfile.type to \"Unconfined\")"
            : Named("seccompProfile", of("must not set securityContext.seccompProfile.type to \"Unconfined\"", container => Security(container).Text("seccompProfile", "type") == "Unconfined"));
    }

    private static IEnumerable<string?> Restricted(JsonObject spec, Func<string, Func<JsonObject, bool>, string?> of)
    {
        yield return Named("allowPrivilegeEscalation != false", of("must set securityContext.allowPrivilegeEscalation=false", container => Security(container).Flag("allowPrivilegeEscalation") != false));
        yield return Named("unrestricted capabilities", of(
            "must set securityContext.capabilities.drop=[\"ALL\"]",
            container => Security(container).Items("capabilities", "drop").All(one => one?.ToString() != "ALL") || Added(container).Any(one => one != "NET_BIND_SERVICE")));
        var volumes = spec.Items("volumes").OfType<JsonObject>().Where(volume => volume.Any(field => field.Key != "name" && !RestrictedVolumes.Contains(field.Key))).Select(volume => $"\"{volume.Text("name")}\"").ToList();
        yield return volumes.Count > 0 ? $"restricted volume types (volume {string.Join(", ", volumes)} uses a restricted volume type)" : null;
        var nonRoot = spec.Flag("securityContext", "runAsNonRoot");
        yield return Named("runAsNonRoot != true", of("must set securityContext.runAsNonRoot=true", container => (Security(container).Flag("runAsNonRoot") ?? nonRoot) != true));
        yield return spec.Number("securityContext", "runAsUser") == 0 ? "runAsUser=0 (pod must not set runAsUser=0)" : Named("runAsUser=0", of("must not set runAsUser=0", container => Security(container).Number("runAsUser") == 0));
        var seccomp = spec.Text("securityContext", "seccompProfile", "type");
        yield return Named("seccompProfile", of(
            "must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"", container => (Security(container).Text("seccompProfile", "type") ?? seccomp) is not ("RuntimeDefault" or "Localhost")));
    }

    private static string? Named(string what, string? who) => who is null ? null : $"{what} ({who})";

    private static JsonObject Security(JsonObject container) => container["securityContext"] as JsonObject ?? [];

    private static IEnumerable<string> Added(JsonObject container) => Security(container).Items("capabilities", "add").Select(one => one?.ToString() ?? "");
}
