using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Server;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Admission;

/// <summary>One write on its way through admission. <see cref="Object"/> is null for a deletion, <see cref="Old"/> for a creation.</summary>
public sealed record AdmissionRequest(
    string Operation, ResourceType Type, string Subresource, string? Namespace, string Name, JsonObject? Object, StoredObject? Old, RequestContext Context)
{
    /// <summary>The options of a deletion, beyond those every request has.</summary>
    public JsonObject? DeleteOptions { get; init; }
}
