using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Checks;

/// <summary>What the manifests of this version have, in any of their overlays.</summary>
internal static class KnownObjects
{
    private const string Prefix = "manifests/";

    public static IReadOnlySet<string> All { get; } = Read().Select(item => Key(item["kind"]!.ToString(), item["metadata"]?["namespace"]?.ToString(), item["metadata"]?["name"]?.ToString() ?? "")).ToHashSet(StringComparer.Ordinal);

    public static string Key(string kind, string? ns, string name) => $"{kind} {(ns is null ? "" : ns + "/")}{name}";

    /// <summary>Namespaces of runs that were made like the one that comes with Fabrik have the same objects.</summary>
    public static bool Has(string kind, string? ns, string name) =>
        All.Contains(Key(kind, ns, name)) || (ns is not null and not (Names.SystemNamespace or Names.GatewayNamespace) && All.Contains(Key(kind, Names.RunsNamespace, name)));

    private static IEnumerable<JsonObject> Read()
    {
        var assembly = typeof(KnownObjects).Assembly;
        foreach (var name in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && !name.EndsWith("kustomization.yaml", StringComparison.Ordinal)))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            foreach (var item in Manifest.Read(reader.ReadToEnd()))
                if (item["kind"] is not null) yield return item;
        }
    }
}
