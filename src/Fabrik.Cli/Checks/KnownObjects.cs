using Fabrik.Cli.Installing;

namespace Fabrik.Cli.Checks;

/// <summary>What the manifests of this version have, in any of their overlays.</summary>
internal static class KnownObjects
{
    public static IReadOnlySet<string> All { get; } = ShippedManifests.All().Select(item => Key(item.Kind(), item.Namespace(), item.Name())).ToHashSet(StringComparer.Ordinal);

    public static string Key(string kind, string? ns, string name) => $"{kind} {(ns is null ? "" : ns + "/")}{name}";

    /// <summary>Namespaces of runs that were made like the one that comes with Fabrik have the same objects.</summary>
    public static bool Has(string kind, string? ns, string name) =>
        All.Contains(Key(kind, ns, name)) || (ns is not null and not (Names.SystemNamespace or Names.GatewayNamespace) && All.Contains(Key(kind, Names.RunsNamespace, name)));
}
