using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.OpenApi;

/// <summary>The paths of one resource. kubectl looks at the kinds, the actions and the query parameters of PATCH.</summary>
internal static class PathDocuments
{
    private static readonly string[] Bodies = ["application/json", "application/vnd.kubernetes.protobuf", "application/yaml"];

    private static readonly (string Name, string Type, string Description)[] ListParameters =
    [
        ("allowWatchBookmarks", "boolean", "Watch: send bookmarks."),
        ("continue", "string", "Where the last page ended."),
        ("fieldSelector", "string", "Only objects whose fields match."),
        ("labelSelector", "string", "Only objects whose labels match."),
        ("limit", "integer", "At most so many objects a page."),
        ("resourceVersion", "string", "The state to list or to watch from."),
        ("resourceVersionMatch", "string", "How resourceVersion is meant."),
        ("sendInitialEvents", "boolean", "Watch: begin with the present state."),
        ("timeoutSeconds", "integer", "Watch: end after so many seconds."),
        ("watch", "boolean", "Stream changes instead of listing."),
    ];

    private static readonly (string Name, string Type, string Description)[] WriteParameters =
    [
        ("dryRun", "string", "All: do everything but store."),
        ("fieldManager", "string", "Who writes, for field ownership."),
        ("fieldValidation", "string", "Ignore, Warn or Strict: what becomes of unknown and doubled fields."),
    ];

    private static readonly (string Name, string Type, string Description)[] DeleteParameters =
    [
        ("dryRun", "string", "All: do everything but store."),
        ("gracePeriodSeconds", "integer", "Seconds until the object is gone."),
        ("orphanDependents", "boolean", "Deprecated: keep dependents."),
        ("propagationPolicy", "string", "Orphan, Background or Foreground: what becomes of dependents."),
    ];

    public static JsonObject Discovery(string group, string version, SchemaDocuments schemas) => new()
    {
        ["get"] = new JsonObject
        {
            ["tags"] = Tags(group, version),
            ["description"] = "Lists the resources of this version.",
            ["operationId"] = $"get{Title(group, version)}APIResources",
            ["responses"] = Responses(schemas.Meta("APIResourceList"), 200),
        },
    };

    public static void Add(JsonObject paths, string root, ServedResource resource, SchemaDocuments schemas)
    {
        var collection = resource.Namespaced ? $"{root}namespaces/{{namespace}}/{resource.Plural}" : root + resource.Plural;
        var path = new Path(resource, schemas, collection, Scope(resource));
        if (path.Any("list", "create", "deletecollection"))
        {
            paths[collection] = path.Of(
                ("get", "list", "list", "List or watch objects.", ListParameters),
                ("post", "create", "post", "Create an object.", WriteParameters),
                ("delete", "deletecollection", "deletecollection", "Delete several objects.", [.. DeleteParameters, .. ListParameters.Where(one => one.Name is not ("watch" or "allowWatchBookmarks"))]));
        }

        if (resource.Namespaced && resource.Verbs.Contains("list"))
        {
            paths[root + resource.Plural] = new Path(resource, schemas, "all", []).Of(("get", "list", "list", "List or watch objects of all namespaces.", ListParameters));
        }

        if (!path.Any("get", "update", "patch", "delete")) return;
        var item = collection + "/{name}";
        paths[item] = (path with { Parameters = [.. Scope(resource), ("name", "Name of the object.")] }).Of(
            ("get", "get", "get", "Read an object.", []),
            ("put", "update", "put", "Replace an object.", WriteParameters),
            ("delete", "delete", "delete", "Delete an object.", DeleteParameters),
            ("patch", "patch", "patch", "Change part of an object.", [.. WriteParameters, ("force", "boolean", "Apply: take fields over from other managers.")]));
        foreach (var sub in resource.Subresources)
        {
            var view = resource with { Verbs = sub.Verbs, Kind = sub.Kind, Group = sub.Group, Version = sub.Version, Plural = resource.Plural };
            paths[$"{item}/{sub.Name}"] = new Path(view, schemas, $"{item}/{sub.Name}", [.. Scope(resource), ("name", "Name of the object.")]).Of(
                ("get", "get", "get", $"Read the {sub.Name}.", []),
                ("post", "create", "post", $"Create a {sub.Name}.", WriteParameters),
                ("put", "update", "put", $"Replace the {sub.Name}.", WriteParameters),
                ("patch", "patch", "patch", $"Change part of the {sub.Name}.", [.. WriteParameters, ("force", "boolean", "Apply: take fields over from other managers.")]));
        }
    }

    private static (string Name, string Description)[] Scope(ServedResource resource) => resource.Namespaced ? [("namespace", "Namespace of the object.")] : [];

    private static JsonArray Tags(string group, string version) => [(group.Length == 0 ? "core" : group.Split('.')[0]) + "_" + version];

    private static string Title(string group, string version)
    {
        var name = group.Length == 0 ? "core" : group.Split('.')[0];
        return $"{char.ToUpperInvariant(name[0])}{name[1..]}{char.ToUpperInvariant(version[0])}{version[1..]}";
    }

    private static JsonObject Responses(JsonObject? schema, params int[] codes)
    {
        var responses = new JsonObject();
        foreach (var code in codes) responses[$"{code}"] = new JsonObject { ["description"] = code == 200 ? "OK" : code == 201 ? "Created" : "Accepted", ["content"] = Content(schema, Bodies) };
        responses["401"] = new JsonObject { ["description"] = "Unauthorized" };
        return responses;
    }

    private static JsonObject Content(JsonObject? schema, params string[] types) =>
        new(types.Select(type => KeyValuePair.Create(type, (JsonNode?)(schema is null ? new JsonObject() : new JsonObject { ["schema"] = schema.DeepClone() }))));

    private static JsonObject Parameter(string name, string place, string type, string description)
    {
        var parameter = new JsonObject { ["name"] = name, ["in"] = place, ["description"] = description, ["schema"] = new JsonObject { ["type"] = type, ["uniqueItems"] = true } };
        if (place == "path") parameter["required"] = true;
        return parameter;
    }

    private sealed record Path(ServedResource Resource, SchemaDocuments Schemas, string Id, (string Name, string Description)[] Parameters)
    {
        public bool Any(params ReadOnlySpan<string> verbs)
        {
            foreach (var verb in verbs)
            {
                if (Resource.Verbs.Contains(verb)) return true;
            }

            return false;
        }

        public JsonObject Of(params (string Method, string Verb, string Action, string Description, (string Name, string Type, string Description)[] Query)[] operations)
        {
            var result = new JsonObject();
            foreach (var (method, verb, action, description, query) in operations)
            {
                if (!Resource.Verbs.Contains(verb)) continue;
                var operation = new JsonObject
                {
                    ["tags"] = Tags(Resource.Group, Resource.Version),
                    ["description"] = description,
                    ["operationId"] = verb + Title(Resource.Group, Resource.Version) + Resource.Kind + $"{Math.Abs(StableHash(Id)):x}",
                };
                if (query.Length > 0) operation["parameters"] = new JsonArray([.. query.Select(one => Parameter(one.Name, "query", one.Type, one.Description))]);
                if (method is "post" or "put") operation["requestBody"] = new JsonObject { ["content"] = Content(Schemas.Kind(Resource), "*/*"), ["required"] = true };
                if (method == "delete") operation["requestBody"] = new JsonObject { ["content"] = Content(Schemas.Meta("DeleteOptions"), "*/*") };
                if (method == "patch")
                {
                    string[] types = ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"];
                    operation["requestBody"] = new JsonObject { ["content"] = Content(Schemas.Meta("Patch"), Resource.IsCustom ? types[..3] : types), ["required"] = true };
                }

                var answer = verb is "delete" or "deletecollection" ? Schemas.Meta("Status") : Schemas.Kind(Resource, verb == "list" ? "List" : "");
                operation["responses"] = Responses(answer, method switch { "post" => [200, 201, 202], "put" or "patch" => [200, 201], "delete" when verb == "delete" => [200, 202], _ => [200] });
                operation["x-kubernetes-action"] = action;
                operation["x-kubernetes-group-version-kind"] = SchemaDocuments.GroupVersionKind(Resource.Group, Resource.Version, Resource.Kind);
                result[method] = operation;
            }

            result["parameters"] = new JsonArray(
            [
                .. Parameters.Select(one => Parameter(one.Name, "path", "string", one.Description)),
                Parameter("pretty", "query", "string", "true: indent the answer."),
            ]);
            return result;
        }

        private static int StableHash(string text) => text.Aggregate(17, (hash, letter) => unchecked((hash * 31) + letter) & 0x7fffffff);
    }
}
