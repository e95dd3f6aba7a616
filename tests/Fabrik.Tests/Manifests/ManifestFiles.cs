using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Manifests;

/// <summary>The objects of the folder manifests/, as they stand there and as kubectl puts them together.</summary>
internal static class ManifestFiles
{
    public static readonly string Folder = Path.Combine(TestData.Checkout, "manifests");

    /// <summary>Every overlay, and the base.</summary>
    public static IReadOnlyList<string> Kustomizations { get; } =
        [.. Directory.GetFiles(Folder, "kustomization.yaml", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Folder, Path.GetDirectoryName(file)!).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    /// <summary>The base without kustomize: it only lists files.</summary>
    public static IReadOnlyList<JsonObject> Base { get; } = [.. Listed(Path.Combine(Folder, "base"))];

    public static JsonObject Find(string kind, string name, string? ns = null) => Base.Single(item => Kind(item) == kind && Name(item) == name && (ns is null || Namespace(item) == ns));

    /// <summary>Deployments and StatefulSets.</summary>
    public static IEnumerable<JsonObject> Workloads => Base.Where(item => Kind(item) is "Deployment" or "StatefulSet");

    /// <summary>Each container with the workload it is of.</summary>
    public static IEnumerable<(JsonObject Workload, JsonObject Container)> Containers =>
        Workloads.SelectMany(workload => Pod(workload)["containers"]!.AsArray().Select(container => (workload, container!.AsObject())));

    public static JsonObject Container(string name) => Containers.Single(one => Name(one.Container) == name).Container;

    /// <summary>The spec of its Pods.</summary>
    public static JsonObject Pod(JsonObject workload) => workload["spec"]!["template"]!["spec"]!.AsObject();

    public static IReadOnlyDictionary<string, string> Environment(JsonObject container) =>
        container["env"]!.AsArray().ToDictionary(one => (string)one!["name"]!, one => (string)one!["value"]!, StringComparer.Ordinal);

    public static string Kind(JsonObject item) => (string)item["kind"]!;

    public static string Name(JsonObject item) => (string?)item["name"] ?? (string)item["metadata"]!["name"]!;

    public static string? Namespace(JsonObject item) => (string?)item["metadata"]!["namespace"];

    /// <summary>A name for messages.</summary>
    public static string Said(JsonObject item) => $"{Kind(item)} {Namespace(item)}/{Name(item)}";

    /// <summary>How the API server's path names it.</summary>
    public static ResourceKind Type(JsonObject item)
    {
        var (version, kind) = ((string)item["apiVersion"]!, Kind(item));
        var slash = version.IndexOf('/', StringComparison.Ordinal);
        var word = kind.ToLowerInvariant();
        var plural = word.EndsWith('s') ? word + "es" : word.EndsWith('y') ? word[..^1] + "ies" : word + "s";
        return new ResourceKind(slash < 0 ? "" : version[..slash], version[(slash + 1)..], plural, kind, Namespace(item) is not null);
    }

    private static IEnumerable<JsonObject> Listed(string folder)
    {
        var kustomization = Manifest.Read(File.ReadAllText(Path.Combine(folder, "kustomization.yaml"))).Single();
        foreach (var resource in kustomization["resources"]!.AsArray().Select(one => Path.Combine(folder, (string)one!)))
        {
            foreach (var item in Directory.Exists(resource) ? Listed(resource) : Manifest.Read(File.ReadAllText(resource))) yield return item;
        }
    }
}
