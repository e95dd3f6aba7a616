using System.Text.Json.Nodes;

namespace Fabrik.Installation;

/// <summary>
/// Renders a directory as kustomize does, for what Fabrik's manifests use: resources, components, images, replicas, labels, patches that are files of strategic merges, and configurations that say where else images stand.
/// Anything else is refused rather than left out.
/// </summary>
public static class Kustomization
{
    private const string FileName = "kustomization.yaml";
    private const int MaximumDepth = 16;
    private static readonly string[] Known = ["apiVersion", "kind", "resources", "components", "images", "replicas", "labels", "patches", "configurations"];

    /// <param name="directory">With "/" between its parts, such as overlays/prod.</param>
    /// <param name="read">The documents of a file, by its path from the same root.</param>
    /// <exception cref="FormatException">A field that is not supported, or a patch for nothing; the message has the file.</exception>
    public static IReadOnlyList<JsonObject> Render(string directory, Func<string, IReadOnlyList<JsonObject>> read) => Render(directory, read, [], [], 0);

    /// <summary>What a kustomization names an object by.</summary>
    public static string Key(JsonObject item) => $"{Text(item["apiVersion"])} {Text(item["kind"])} {Text(item["metadata"]?["namespace"])}/{Text(item["metadata"]?["name"])}";

    /// <param name="places">Where images stand outside of containers; what a directory says of it is so for those that build on it, too.</param>
    /// <param name="items">What a component finds there, and patches; empty for anything else.</param>
    private static List<JsonObject> Render(string directory, Func<string, IReadOnlyList<JsonObject>> read, List<JsonObject> items, List<ImagePlace> places, int depth)
    {
        var file = $"{directory}/{FileName}";
        if (depth > MaximumDepth) throw new FormatException($"{file}: resources lead back to themselves");
        var documents = read(file);
        if (documents.Count != 1) throw new FormatException($"{file}: one document was expected, not {documents.Count}");
        var settings = documents[0];
        if (settings.Select(field => field.Key).Except(Known, StringComparer.Ordinal).FirstOrDefault() is { } foreign) throw new FormatException($"{file}: the field {foreign} is not supported");

        foreach (var resource in Texts(settings["resources"]))
        {
            var path = Resolve(directory, resource);
            items.AddRange(IsFile(path) ? read(path).Select(item => (JsonObject)item.DeepClone()) : Render(path, read, [], places, depth + 1));
        }

        foreach (var component in Texts(settings["components"])) Render(Resolve(directory, component), read, items, places, depth + 1);

        foreach (var configuration in Texts(settings["configurations"]).Select(one => Resolve(directory, one)))
            foreach (var document in read(configuration)) places.AddRange(ImagePlace.Read(document, configuration));
        foreach (var patch in Objects(settings["patches"]))
        {
            if (patch.Count != 1 || patch["path"] is null) throw new FormatException($"{file}: a patch must be a path and nothing else");
            foreach (var change in read(Resolve(directory, Text(patch["path"])))) Patch(items, change, file);
        }

        foreach (var labels in Objects(settings["labels"])) Label(items, labels, file);
        foreach (var replicas in Objects(settings["replicas"])) Scale(items, Text(replicas["name"]), replicas["count"]!, file);
        foreach (var image in Objects(settings["images"]))
        {
            foreach (var item in items)
            {
                Rename(item, image);
                foreach (var place in places) place.Change(item, text => Renamed(text, image));
            }
        }

        return items;
    }

    private static void Patch(List<JsonObject> items, JsonObject change, string file)
    {
        var key = Key(change);
        var at = items.FindIndex(item => Key(item) == key);
        if (at < 0) throw new FormatException($"{file}: there is no {key} to patch");
        if (StrategicMerge.Apply(items[at], change) is { } patched) items[at] = patched;
        else items.RemoveAt(at);
    }

    private static void Label(List<JsonObject> items, JsonObject labels, string file)
    {
        if (labels.Any(field => field.Key is not ("pairs" or "includeTemplates" or "includeSelectors")) || IsTrue(labels["includeSelectors"])) throw new FormatException($"{file}: labels may have pairs and includeTemplates alone");
        foreach (var (name, value) in labels["pairs"] as JsonObject ?? [])
        {
            foreach (var item in items)
            {
                Child(Child(item, "metadata"), "labels")[name] = value?.DeepClone();
                if (IsTrue(labels["includeTemplates"]) && item["spec"]?["template"] is JsonObject template) Child(Child(template, "metadata"), "labels")[name] = value?.DeepClone();
            }
        }
    }

    private static void Scale(List<JsonObject> items, string name, JsonNode count, string file)
    {
        var found = items.Where(item => Text(item["kind"]) is "Deployment" or "StatefulSet" or "ReplicaSet" && Text(item["metadata"]?["name"]) == name).ToList();
        if (found.Count == 0) throw new FormatException($"{file}: there is nothing named {name} whose replicas could be set");
        foreach (var item in found) Child(item, "spec")["replicas"] = count.DeepClone();
    }

    private static void Rename(JsonNode? node, JsonObject image)
    {
        switch (node)
        {
            case JsonArray list:
                foreach (var one in list) Rename(one, image);
                break;
            case JsonObject item:
                foreach (var (name, value) in item.ToList())
                {
                    if (name is not ("containers" or "initContainers") || value is not JsonArray containers)
                    {
                        Rename(value, image);
                        continue;
                    }

                    foreach (var container in containers.OfType<JsonObject>())
                        if (Renamed(Text(container["image"]), image) is { } renamed) container["image"] = renamed;
                }

                break;
        }
    }

    /// <summary>Null where the rule is for another image.</summary>
    private static string? Renamed(string image, JsonObject rule)
    {
        var name = image.Split('@')[0];
        var colon = name.LastIndexOf(':');
        var tag = colon > name.LastIndexOf('/') ? name[colon..] : "";
        name = name[..(name.Length - tag.Length)];
        if (name != Text(rule["name"])) return null;
        if (rule["newName"] is not null) name = Text(rule["newName"]);
        if (rule["digest"] is not null) return $"{name}@{Text(rule["digest"])}";
        return rule["newTag"] is not null ? $"{name}:{Text(rule["newTag"])}" : name + tag;
    }

    private static bool IsFile(string path) => path.EndsWith(".yaml", StringComparison.Ordinal) || path.EndsWith(".yml", StringComparison.Ordinal);

    private static string Resolve(string directory, string relative)
    {
        var parts = new List<string>(directory.Split('/', StringSplitOptions.RemoveEmptyEntries));
        foreach (var part in relative.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == "..")
            {
                if (parts.Count == 0) throw new FormatException($"{relative} leads out of the manifests");
                parts.RemoveAt(parts.Count - 1);
            }
            else if (part != ".") parts.Add(part);
        }

        return string.Join('/', parts);
    }

    private static JsonObject Child(JsonObject of, string name)
    {
        if (of[name] is JsonObject child) return child;
        child = [];
        of[name] = child;
        return child;
    }

    private static bool IsTrue(JsonNode? node) => node is JsonValue value && value.TryGetValue<bool>(out var yes) && yes;

    private static IEnumerable<string> Texts(JsonNode? list) => (list as JsonArray ?? []).Select(Text);

    private static IEnumerable<JsonObject> Objects(JsonNode? list) => (list as JsonArray ?? []).OfType<JsonObject>();

    private static string Text(JsonNode? node) => node is JsonValue ? node.ToString() : "";
}
