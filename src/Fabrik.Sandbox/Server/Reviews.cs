using System.Text.Json.Nodes;
using Fabrik.Sandbox.Access;

namespace Fabrik.Sandbox.Server;

/// <summary>Requests that are answered and not stored: tokens, token reviews, access reviews.</summary>
public sealed class Reviews(Cluster cluster, Authenticator authenticator)
{
    public JsonObject Answer(ApiRequest request, byte[] bytes, string media, RequestContext context)
    {
        _ = (cluster, authenticator);
        throw ApiException.MethodNotAllowed();
    }
}
