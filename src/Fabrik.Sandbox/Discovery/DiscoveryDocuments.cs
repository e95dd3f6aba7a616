using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.Discovery;

/// <summary>The documents by which a client learns what is served, plain and aggregated.</summary>
public static class DiscoveryDocuments
{
    public static JsonObject Versions() => new()
    {
        ["kind"] = "APIVersions",
        ["versions"] = new JsonArray("v1"),
        ["serverAddressByClientCIDRs"] = new JsonArray(new JsonObject { ["clientCIDR"] = "0.0.0.0/0", ["serverAddress"] = "127.0.0.1" }),
    };

    public static JsonObject Groups(ResourceCatalog catalog) => new()
    {
        ["kind"] = "APIGroupList",
        ["apiVersion"] = "v1",
        ["groups"] = new JsonArray([.. NamedGroups(catalog).Select(Group)]),
    };

    public static JsonObject? Group(ResourceCatalog catalog, string name)
    {
        var found = NamedGroups(catalog).FirstOrDefault(group => group.Key == name);
        if (found is null) return null;
        var answer = Group(found);
        answer["kind"] = "APIGroup";
        answer["apiVersion"] = "v1";
        return answer;
    }

    public static JsonObject? Resources(ResourceCatalog catalog, string group, string version)
    {
        var types = catalog.All.Where(type => type.Group == group && type.Version == version).ToList();
        if (types.Count == 0) return null;
        var resources = new JsonArray();
        foreach (var type in types)
        {
            var resource = new JsonObject
            {
                ["name"] = type.Plural,
                ["singularName"] = type.Singular,
                ["namespaced"] = type.Namespaced,
                ["kind"] = type.Kind,
                ["verbs"] = Array(type.Verbs),
            };
            if (type.ShortNames.Length > 0) resource["shortNames"] = Array(type.ShortNames);
            if (type.Categories.Length > 0) resource["categories"] = Array(type.Categories);
            if (!type.IsVirtual) resource["storageVersionHash"] = StorageVersionHash(type);
            resources.Add(resource);
            foreach (var sub in type.Subresources)
            {
                var entry = new JsonObject
                {
                    ["name"] = $"{type.Plural}/{sub.Name}",
                    ["singularName"] = "",
                    ["namespaced"] = type.Namespaced,
                };
                if (sub.Group != group || sub.Version != version)
                {
                    entry["group"] = sub.Group;
                    entry["version"] = sub.Version;
                }

                entry["kind"] = sub.Kind;
                entry["verbs"] = Array(sub.Verbs);
                resources.Add(entry);
            }
        }

        return new()
        {
            ["kind"] = "APIResourceList",
            ["apiVersion"] = "v1",
            ["groupVersion"] = types[0].ApiVersion,
            ["resources"] = resources,
        };
    }

    /// <summary>apidiscovery.k8s.io/v2: the core group alone (<c>/api</c>) or all named groups (<c>/apis</c>).</summary>
    public static JsonObject Aggregated(ResourceCatalog catalog, bool core) => new()
    {
        ["kind"] = "APIGroupDiscoveryList",
        ["apiVersion"] = "apidiscovery.k8s.io/v2",
        ["metadata"] = new JsonObject(),
        ["items"] = new JsonArray([.. catalog.All.Where(type => type.Group.Length == 0 == core).GroupBy(type => type.Group).Select(group => new JsonObject
        {
            ["metadata"] = core ? new JsonObject() : new JsonObject { ["name"] = group.Key },
            ["versions"] = new JsonArray([.. group.GroupBy(type => type.Version).Select(version => new JsonObject
            {
                ["version"] = version.Key,
                ["resources"] = new JsonArray([.. version.Select(AggregatedResource)]),
                ["freshness"] = "Current",
            })]),
        })]),
    };

    private static JsonObject AggregatedResource(ResourceType type)
    {
        var resource = new JsonObject
        {
            ["resource"] = type.Plural,
            ["responseKind"] = ResponseKind(type.Group, type.Version, type.Kind, type.Group, type.Version),
            ["scope"] = type.Namespaced ? "Namespaced" : "Cluster",
            ["singularResource"] = type.Singular,
            ["verbs"] = Array(type.Verbs),
        };
        if (type.ShortNames.Length > 0) resource["shortNames"] = Array(type.ShortNames);
        if (type.Categories.Length > 0) resource["categories"] = Array(type.Categories);
        if (type.Subresources.Length == 0) return resource;
        resource["subresources"] = new JsonArray([.. type.Subresources.Select(sub => new JsonObject
        {
            ["subresource"] = sub.Name,
            ["responseKind"] = ResponseKind(sub.Group, sub.Version, sub.Kind, type.Group, type.Version),
            ["verbs"] = Array(sub.Verbs),
        })]);
        return resource;
    }

    // The kind of the resource's own group and version goes without them on the wire.
    private static JsonObject ResponseKind(string group, string version, string kind, string ownGroup, string ownVersion)
    {
        var own = group == ownGroup && version == ownVersion;
        return new() { ["group"] = own ? "" : group, ["version"] = own ? "" : version, ["kind"] = kind };
    }

    private static IEnumerable<IGrouping<string, ResourceType>> NamedGroups(ResourceCatalog catalog) =>
        catalog.All.Where(type => type.Group.Length > 0).GroupBy(type => type.Group);

    private static JsonObject Group(IGrouping<string, ResourceType> group)
    {
        JsonObject[] versions = [.. group.Select(type => type.Version).Distinct().Select(version =>
            new JsonObject { ["groupVersion"] = $"{group.Key}/{version}", ["version"] = version })];
        return new()
        {
            ["name"] = group.Key,
            ["versions"] = new JsonArray([.. versions]),
            ["preferredVersion"] = versions[0].DeepClone(),
        };
    }

    private static string StorageVersionHash(ResourceType type) =>
        Convert.ToBase64String(System.Security.Cryptography.SHA256.HashData(
            System.Text.Encoding.UTF8.GetBytes($"{type.Group}/{type.Version}/{type.Kind}"))[..8]);

    private static JsonArray Array(string[] values) => [.. values.Select(value => (JsonNode)value)];
}
