using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.OpenApi;

/// <summary>
/// The OpenAPI v3 document of one group and version, as <c>/openapi/v3/apis/GROUP/VERSION</c> answers. The index, with a hash of each
/// document in its address, is the server's: kubectl asks for a document again when the hash has changed.
/// </summary>
public static class OpenApiDocuments
{
    /// <param name="resources">All served resources of this group and version.</param>
    public static JsonObject Document(string group, string version, IEnumerable<ServedResource> resources)
    {
        var served = resources.ToArray();
        var schemas = new SchemaDocuments(group, version);
        var paths = new JsonObject();
        var root = group.Length == 0 ? $"/api/{version}/" : $"/apis/{group}/{version}/";
        paths[root] = PathDocuments.Discovery(group, version, schemas);
        foreach (var resource in served.OrderBy(resource => resource.Plural, StringComparer.Ordinal)) PathDocuments.Add(paths, root, resource, schemas);
        return new()
        {
            ["openapi"] = "3.0.0",
            ["info"] = new JsonObject { ["title"] = "Kubernetes", ["version"] = "1.36" },
            ["paths"] = paths,
            ["components"] = new JsonObject
            {
                ["schemas"] = schemas.Finish(),
                ["securitySchemes"] = new JsonObject
                {
                    ["BearerToken"] = new JsonObject { ["type"] = "apiKey", ["description"] = "Bearer token", ["name"] = "authorization", ["in"] = "header" },
                },
            },
        };
    }
}
