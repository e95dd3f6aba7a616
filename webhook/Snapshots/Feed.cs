using Fabrik.Kubernetes;

namespace Fabrik.Webhook.Snapshots;

/// <summary>One watched collection.</summary>
/// <param name="DecidesArms">Arms must not outlive its silence.</param>
internal sealed record Feed(ResourceKind Kind, Informer Informer, bool DecidesArms)
{
    /// <summary>Null once there was a whole snapshot.</summary>
    public string? Missing => Informer.Synchronised ? null
        : Informer.LastError is { } error ? $"{Kind.Plural}: {error.Message}"
        : $"{Kind.Plural} are not read yet";
}
