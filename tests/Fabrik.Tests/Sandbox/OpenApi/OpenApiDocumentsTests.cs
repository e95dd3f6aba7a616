using System.Text.Json.Nodes;
using Fabrik.Sandbox.OpenApi;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Tests.Sandbox.OpenApi;

public class OpenApiDocumentsTests
{
    private static readonly string[] All = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    private static readonly string[] Compared =
    [
        "type", "format", "allOf", "$ref", "items", "additionalProperties", "default", "enum",
        "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-patch-merge-key", "x-kubernetes-patch-strategy", "x-kubernetes-map-type",
    ];

    [Theory]
    [InlineData("batch", "batch-v1", "jobs Job,cronjobs CronJob")]
    [InlineData("", "core-v1", "pods Pod,namespaces Namespace,nodes Node,events Event,configmaps ConfigMap,secrets Secret,serviceaccounts ServiceAccount,limitranges LimitRange,resourcequotas ResourceQuota,podtemplates PodTemplate,services Service,endpoints Endpoints,persistentvolumes PersistentVolume,persistentvolumeclaims PersistentVolumeClaim,replicationcontrollers ReplicationController")]
    public void Every_type_has_the_fields_of_the_recorded_document_and_no_others(string group, string file, string kinds)
    {
        var recorded = Json.File($"openapi/{file}.json")["schemas"]!.AsObject();
        var document = OpenApiDocuments.Document(group, "v1", Resources(group, kinds));
        var differences = new List<string>();
        foreach (var (name, schema) in document["components"]!["schemas"]!.AsObject())
        {
            if (recorded[name] is not JsonObject theirs)
            {
                differences.Add($"{name}: not in the recorded document");
                continue;
            }

            var (mine, known) = (schema!["properties"] as JsonObject ?? [], theirs["properties"] as JsonObject ?? []);
            foreach (var field in mine.Select(one => one.Key).Except(known.Select(one => one.Key))) differences.Add($"{name}.{field}: surplus");
            foreach (var field in known.Select(one => one.Key).Except(mine.Select(one => one.Key))) differences.Add($"{name}.{field}: missing");
            if (!Required(schema).SetEquals(Required(theirs))) differences.Add($"{name}: requires {string.Join(",", Required(schema))}, not {string.Join(",", Required(theirs))}");
            if (!JsonNode.DeepEquals(schema["x-kubernetes-map-type"], theirs["x-kubernetes-map-type"])) differences.Add($"{name}: map type");
            foreach (var (field, property) in mine)
            {
                if (known[field] is not JsonObject recordedProperty) continue;
                foreach (var aspect in Compared)
                {
                    if (!JsonNode.DeepEquals(property![aspect], recordedProperty[aspect])) differences.Add($"{name}.{field} {aspect}: {property[aspect]?.ToJsonString()} instead of {recordedProperty[aspect]?.ToJsonString()}");
                }
            }
        }

        differences.ShouldBeEmpty();
    }

    [Fact]
    public void Every_path_of_batch_has_the_verbs_and_parameters_that_kubectl_looks_for()
    {
        var recorded = Json.File("openapi/batch-v1.json")["paths"]!.AsObject();
        var paths = OpenApiDocuments.Document("batch", "v1", Resources("batch", "jobs Job,cronjobs CronJob"))["paths"]!.AsObject();
        paths.Select(path => path.Key).Order(StringComparer.Ordinal).ShouldBe(recorded.Select(path => path.Key).Order(StringComparer.Ordinal));
        foreach (var (path, operations) in recorded)
        {
            foreach (var (method, operation) in operations!.AsObject())
            {
                var mine = paths[path]![method].ShouldNotBeNull($"{method} {path}");
                mine["x-kubernetes-action"].ShouldEqual(operation!["action"], path);
                mine["x-kubernetes-group-version-kind"].ShouldEqual(operation["gvk"], path);
                if (method != "patch") continue;
                mine["parameters"]!.AsArray().Select(parameter => parameter!["name"]!.GetValue<string>()).Order(StringComparer.Ordinal)
                    .ShouldBe(operation["parameters"]!.AsArray().Select(name => name!.GetValue<string>()).Order(StringComparer.Ordinal));
            }
        }
    }

    [Fact]
    public void Every_reference_in_every_document_leads_to_a_schema()
    {
        foreach (var group in ApiTypes.All.Where(type => type.IsKind).GroupBy(type => (type.Group, type.Version)))
        {
            var resources = group.Where(type => !type.Name.EndsWith("List", StringComparison.Ordinal))
                .Select(type => new ServedResource(type.Group, type.Version, type.Name.ToLowerInvariant() + "s", type.Name, Namespaced: true, All));
            var document = OpenApiDocuments.Document(group.Key.Group, group.Key.Version, resources);
            var schemas = document["components"]!["schemas"]!.AsObject();
            foreach (var reference in References(document)) schemas.ShouldContainKey(reference["#/components/schemas/".Length..]);
        }
    }

    [Fact]
    public void A_custom_resource_is_described_by_its_definition()
    {
        var schema = Json.Object("""{"type":"object","properties":{"spec":{"type":"object","properties":{"share":{"type":"number"}}}}}""");
        var document = OpenApiDocuments.Document("fabrik.dev", "v1", [new("fabrik.dev", "v1", "changes", "Change", Namespaced: true, All) { IsCustom = true, CustomSchema = schema }]);
        var kind = document["components"]!["schemas"]!["dev.fabrik.v1.Change"]!;
        kind["properties"]!["spec"]!["properties"]!["share"]!["type"]!.GetValue<string>().ShouldBe("number");
        kind["x-kubernetes-group-version-kind"].ShouldEqual("""[{"group":"fabrik.dev","version":"v1","kind":"Change"}]""");
        document["paths"]!["/apis/fabrik.dev/v1/namespaces/{namespace}/changes/{name}"]!["patch"]!["requestBody"]!["content"]!.AsObject().ShouldNotContainKey("application/strategic-merge-patch+json");
        schema["properties"]!.AsObject().ShouldNotContainKey("metadata");
    }

    private static IEnumerable<string> References(JsonNode? node) => node switch
    {
        JsonObject map => map.SelectMany(entry => entry is { Key: "$ref", Value: JsonValue value } ? [value.GetValue<string>()] : References(entry.Value)),
        JsonArray list => list.SelectMany(References),
        _ => [],
    };

    private static HashSet<string> Required(JsonNode schema) => [.. (schema["required"] as JsonArray ?? []).Select(name => name!.GetValue<string>())];

    private static IEnumerable<ServedResource> Resources(string group, string kinds) => kinds.Split(',').Select(pair => pair.Split(' ')).Select(pair =>
        new ServedResource(group, "v1", pair[0], pair[1], pair[0] is not ("namespaces" or "nodes" or "persistentvolumes"), All)
        {
            Subresources = pair[1] is "Job" or "CronJob" ? [new("status", group, "v1", pair[1], ["get", "patch", "update"])] : [],
        });
}
