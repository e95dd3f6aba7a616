using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Server;

/// <summary>Who set which field: metadata.managedFields.</summary>
public static class Ownership
{
    /// <summary>Notes the request's manager for what the change from <paramref name="old"/> (null: nothing) to <paramref name="changed"/> set.</summary>
    public static void Track(ResourceType type, JsonObject? old, JsonObject changed, RequestContext context, string now, string subresource = "")
    {
    }
}
