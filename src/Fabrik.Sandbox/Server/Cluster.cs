using System.Security.Cryptography;
using Fabrik.Sandbox.Access;
using Fabrik.Sandbox.Admission;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Server;

/// <summary>What the parts of one running server share.</summary>
public sealed class Cluster
{
    // Kubernetes leaves out vowels and look-alikes, so that no generated name is a word.
    private const string NameAlphabet = "bcdfghjklmnpqrstvwxz2456789";

    public Cluster(SandboxServerOptions options, string caPem)
    {
        Options = options;
        CaPem = caPem;
        Store = new(options.EventWindow);
        // Whoever holds a token lives in real time, however fast the simulated one runs.
        Tokens = new(Store, TimeProvider.System);
        Authorizer = new(Store);
        Admission = new(this);
        Objects = new(this);
        Deletions = new(this);
    }

    public SandboxServerOptions Options { get; }

    public TimeProvider Clock => Options.Clock;

    /// <summary>The certificate authority of the server's own certificate.</summary>
    public string CaPem { get; }

    public ResourceCatalog Catalog { get; } = new();

    public ObjectStore Store { get; }

    public PodLogs Logs { get; } = new();

    /// <summary>Whoever samples lives in real time, however fast the simulated one runs.</summary>
    public PodUsage Usage { get; } = new(TimeProvider.System);

    public Tokens Tokens { get; }

    public Authorizer Authorizer { get; }

    public AdmissionChain Admission { get; }

    public ObjectWriter Objects { get; }

    public ObjectDeleter Deletions { get; }

    public string Now() => ObjectJson.Time(Clock.GetUtcNow());

    public static string RandomSuffix() => RandomNumberGenerator.GetString(NameAlphabet, 5);
}
