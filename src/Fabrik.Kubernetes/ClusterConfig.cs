using Fabrik.Kubernetes.Configuration;

namespace Fabrik.Kubernetes;

/// <summary>Where an API server is, how it is recognised and who calls. Files are read again as they change.</summary>
public sealed record ClusterConfig
{
    public required Uri Server { get; init; }

    /// <summary>The namespace that commands use when none is given.</summary>
    public string Namespace { get; init; } = "default";

    /// <summary>PEM, one or more certificates. With neither this nor the file the operating system's roots count.</summary>
    public string? CertificateAuthority { get; init; }

    public string? CertificateAuthorityFile { get; init; }

    /// <summary>Name expected in the server's certificate instead of the host of <see cref="Server"/>.</summary>
    public string? TlsServerName { get; init; }

    public bool InsecureSkipTlsVerify { get; init; }

    public Uri? ProxyUrl { get; init; }

    public string? Token { get; init; }

    /// <summary>Goes before <see cref="Token"/>.</summary>
    public string? TokenFile { get; init; }

    /// <summary>PEM, the leaf first.</summary>
    public string? ClientCertificate { get; init; }

    /// <summary>PEM.</summary>
    public string? ClientKey { get; init; }

    public string? ClientCertificateFile { get; init; }

    public string? ClientKeyFile { get; init; }

    public string? Username { get; init; }

    public string? Password { get; init; }

    public ExecPlugin? Exec { get; init; }

    public Impersonation? Impersonate { get; init; }

    /// <summary>From one kubeconfig file, else the files of KUBECONFIG, else ~/.kube/config; from its current context unless one is named.</summary>
    /// <exception cref="KubeconfigException">What is wrong with which file, and what to do.</exception>
    public static ClusterConfig FromKubeconfig(string? path = null, string? context = null) => Kubeconfig.Load(path, context).Resolve(context);

    /// <summary>The contexts of the same files, and the current one.</summary>
    public static (IReadOnlyList<string> Names, string? Current) Contexts(string? path = null)
    {
        var config = Kubeconfig.Load(path, null);
        return (config.Contexts, config.Current);
    }

    /// <summary>From the ServiceAccount mounted into every Pod.</summary>
    public static ClusterConfig InCluster() => ServiceAccountMount.Read(Names.Paths.ServiceAccount, Environment.GetEnvironmentVariable);

    /// <summary>A KUBECONFIG that is set counts; else the mounted ServiceAccount; else ~/.kube/config.</summary>
    public static ClusterConfig Default() =>
        string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Names.Variables.Kubeconfig)) && ServiceAccountMount.Exists(Names.Paths.ServiceAccount, Environment.GetEnvironmentVariable)
            ? InCluster()
            : FromKubeconfig();

    /// <summary>Without secrets: safe to log.</summary>
    public override string ToString() => $"{Server} (namespace {Namespace})";
}

/// <summary>Requests are made as this user; the caller needs the permission to impersonate. The client can send one group and one value for each extra key.</summary>
public sealed record Impersonation(string User, string? Uid, IReadOnlyList<string> Groups, IReadOnlyDictionary<string, IReadOnlyList<string>> Extra);

/// <summary>A command that prints credentials (client.authentication.k8s.io).</summary>
public sealed record ExecPlugin
{
    public required string Command { get; init; }
    public required string ApiVersion { get; init; }
    public IReadOnlyList<string> Arguments { get; init; } = [];
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    public string? InstallHint { get; init; }
    public bool ProvideClusterInfo { get; init; }

    /// <summary>Never, IfAvailable or Always: whether it may ask the user on the terminal.</summary>
    public string InteractiveMode { get; init; } = "IfAvailable";

    /// <summary>JSON of the cluster's extension client.authentication.k8s.io/exec, passed on with the cluster.</summary>
    public string? ClusterExtension { get; init; }

    public override string ToString() => Command;
}
