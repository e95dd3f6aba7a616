using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.OpenApi;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Sandbox.Server;

/// <summary>Everything served that is no resource: version, health, discovery, OpenAPI.</summary>
public sealed class Documents(Cluster cluster)
{
    private const string AggregatedType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

    private readonly ConcurrentDictionary<(int Revision, string Name), (byte[] Bytes, string Hash)> made = new();

    /// <summary>False when the path is none of these.</summary>
    public async Task<bool> TryAnswerAsync(HttpContext http, string path)
    {
        var trimmed = path.Length > 1 ? path.TrimEnd('/') : path;
        if (Health(trimmed))
        {
            http.Response.ContentType = "text/plain; charset=utf-8";
            await http.Response.WriteAsync("ok");
            return true;
        }

        if (trimmed is "/api" or "/apis" && Negotiation.WantsAggregated(http.Request))
        {
            await SendAsync(http, Made("aggregated" + trimmed, () => DiscoveryDocuments.Aggregated(cluster.Catalog, core: trimmed == "/api")), AggregatedType);
            return true;
        }

        Func<JsonObject?>? make = trimmed.Split('/', StringSplitOptions.RemoveEmptyEntries) switch
        {
            ["api"] => DiscoveryDocuments.Versions,
            ["apis"] => () => DiscoveryDocuments.Groups(cluster.Catalog),
            ["apis", var group] => () => DiscoveryDocuments.Group(cluster.Catalog, group),
            ["api", var version] => () => DiscoveryDocuments.Resources(cluster.Catalog, "", version),
            ["apis", var group, var version] => () => DiscoveryDocuments.Resources(cluster.Catalog, group, version),
            ["version"] => Version,
            ["openapi", "v3"] => OpenApiIndex,
            ["openapi", "v3", "api", var version] => () => OpenApi("", version),
            ["openapi", "v3", "apis", var group, var version] => () => OpenApi(group, version),
            _ => null,
        };
        if (make is null) return false;
        if (Made(trimmed, make) is not { Bytes: not null } document) return false;
        await SendAsync(http, document, trimmed == "/openapi/v3" ? "text/plain; charset=utf-8" : "application/json");
        return true;
    }

    private static bool Health(string path) => path is "/healthz" or "/livez" or "/readyz" || path.StartsWith("/livez/", StringComparison.Ordinal) || path.StartsWith("/readyz/", StringComparison.Ordinal);

    private static JsonObject Version() => new()
    {
        ["major"] = "1",
        ["minor"] = "36",
        ["emulationMajor"] = "1",
        ["emulationMinor"] = "36",
        ["minCompatibilityMajor"] = "1",
        ["minCompatibilityMinor"] = "35",
        ["gitVersion"] = "v1.36.2+fabrik-sandbox",
        ["gitCommit"] = "unknown",
        ["gitTreeState"] = "clean",
        ["buildDate"] = "1970-01-01T00:00:00Z",
        ["goVersion"] = "none",
        ["compiler"] = "none",
        ["platform"] = "dotnet/" + Environment.Version,
    };

    private JsonObject OpenApiIndex() => new()
    {
        ["paths"] = new JsonObject(cluster.Catalog.All.Select(type => (type.Group, type.Version)).Distinct().Select(each =>
        {
            var path = each.Group.Length == 0 ? $"api/{each.Version}" : $"apis/{each.Group}/{each.Version}";
            var address = $"/openapi/v3/{path}?hash={TypesHash(each.Group, each.Version)}";
            return KeyValuePair.Create(path, (JsonNode?)new JsonObject { ["serverRelativeURL"] = address });
        })),
    };

    private JsonObject? OpenApi(string group, string version)
    {
        ServedResource[] resources = [.. cluster.Catalog.All.Where(type => type.Group == group && type.Version == version).Select(type =>
            new ServedResource(type.Group, type.Version, type.Plural, type.Kind, type.Namespaced, type.Verbs)
            {
                Subresources = [.. type.Subresources.Select(sub => new ServedSubresource(sub.Name, sub.Group, sub.Version, sub.Kind, sub.Verbs))],
                IsCustom = type.Custom is not null,
                CustomSchema = type.Custom?.Version.At("schema", "openAPIV3Schema") as JsonObject,
            })];
        return resources.Length == 0 ? null : OpenApiDocuments.Document(group, version, resources);
    }

    // Of what a document is made of, so that the index need not make them all.
    private string TypesHash(string group, string version)
    {
        var parts = cluster.Catalog.All.Where(type => type.Group == group && type.Version == version)
            .Select(type => $"{type.Plural} {type.Kind} {type.Custom?.Version.ToJsonString()}");
        return Convert.ToHexString(SHA512.HashData(Encoding.UTF8.GetBytes(typeof(Documents).Module.ModuleVersionId + string.Join('\n', parts))));
    }

    // Kept until the catalog changes; documents of older catalogs are dropped then.
    private (byte[] Bytes, string Hash) Made(string name, Func<JsonObject?> make)
    {
        var revision = cluster.Catalog.Revision;
        if (made.TryGetValue((revision, name), out var known)) return known;
        if (make() is not { } document) return default;
        var bytes = ObjectJson.Serialize(document);
        foreach (var old in made.Keys.Where(key => key.Revision != revision)) made.TryRemove(old, out _);
        return made[(revision, name)] = (bytes, Convert.ToHexString(SHA512.HashData(bytes)));
    }

    private static async Task SendAsync(HttpContext http, (byte[] Bytes, string Hash) document, string contentType)
    {
        var tag = $"\"{document.Hash}\"";
        http.Response.Headers.ETag = tag;
        http.Response.Headers.Vary = "Accept";
        http.Response.Headers.CacheControl = contentType == AggregatedType ? "public" : "no-cache, private";
        if (http.Request.Headers.IfNoneMatch == tag)
        {
            http.Response.StatusCode = 304;
            return;
        }

        http.Response.ContentType = contentType;
        http.Response.ContentLength = document.Bytes.Length;
        if (!HttpMethods.IsHead(http.Request.Method)) await http.Response.Body.WriteAsync(document.Bytes);
    }
}
