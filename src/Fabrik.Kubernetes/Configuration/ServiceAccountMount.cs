using System.Net;

namespace Fabrik.Kubernetes.Configuration;

/// <summary>The ServiceAccount volume of a Pod: token, ca.crt, namespace. Token and CA are rotated under the same names.</summary>
internal static class ServiceAccountMount
{
    public static bool Exists(string directory, Func<string, string?> variable) =>
        !string.IsNullOrEmpty(variable(Names.Variables.KubernetesServiceHost)) && File.Exists(Path.Combine(directory, "token"));

    public static ClusterConfig Read(string directory, Func<string, string?> variable)
    {
        var host = variable(Names.Variables.KubernetesServiceHost);
        var port = variable(Names.Variables.KubernetesServicePort) is { Length: > 0 } value ? value : "443";
        if (string.IsNullOrEmpty(host))
            throw new KubeconfigException($"This process does not run in a cluster: {Names.Variables.KubernetesServiceHost} is not set. Outside of a cluster use a kubeconfig ({Names.Variables.Kubeconfig}).");
        var token = Path.Combine(directory, "token");
        if (!File.Exists(token))
            throw new KubeconfigException($"{token} does not exist: the Pod has no ServiceAccount token. Set automountServiceAccountToken: true, or use a kubeconfig ({Names.Variables.Kubeconfig}).");

        var authority = Path.Combine(directory, "ca.crt");
        var file = Path.Combine(directory, "namespace");
        var bracketed = IPAddress.TryParse(host, out var address) && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{host}]" : host;
        return new ClusterConfig
        {
            Server = new Uri($"https://{bracketed}:{port}"),
            CertificateAuthorityFile = File.Exists(authority) ? authority : null,
            TokenFile = token,
            Namespace = File.Exists(file) && BoundedFile.Text(file).Trim() is { Length: > 0 } ns ? ns : "default",
        };
    }
}
