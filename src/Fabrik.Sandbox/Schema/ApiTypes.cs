using System.Collections.Frozen;

namespace Fabrik.Sandbox.Schema;

/// <summary>The built-in API types, read once on first use (a few milliseconds).</summary>
public static class ApiTypes
{
    private static readonly Lazy<FrozenDictionary<string, TypeSchema>> Types = new(Load);
    private static readonly Lazy<FrozenDictionary<(string Group, string Version, string Kind), TypeSchema>> Kinds = new(
        () => Types.Value.Values.Where(type => type.IsKind).ToFrozenDictionary(type => (type.Group, type.Version, type.Name)));

    public static IEnumerable<TypeSchema> All => Types.Value.Values;

    /// <summary>Null when the kind is not built in: a custom resource, or one that is stored without being known.</summary>
    public static TypeSchema? Kind(string group, string version, string kind) =>
        Kinds.Value.GetValueOrDefault((group, version, kind)) ?? (group.Length > 0 ? MetaKind(version, kind) : null);

    public static TypeSchema? Kind(string apiVersion, string kind)
    {
        var slash = apiVersion.IndexOf('/', StringComparison.Ordinal);
        return slash < 0 ? Kind("", apiVersion, kind) : Kind(apiVersion[..slash], apiVersion[(slash + 1)..], kind);
    }

    /// <summary>By full name, such as io.k8s.api.batch.v1.JobSpec.</summary>
    public static TypeSchema Named(string fullName) => Types.Value[fullName];

    public static TypeSchema ObjectMeta => Named(MetaPackage + "ObjectMeta");

    internal const string MetaPackage = "io.k8s.apimachinery.pkg.apis.meta.v1.";

    // DeleteOptions and the like may be written in any group's version.
    private static TypeSchema? MetaKind(string version, string kind) =>
        kind.EndsWith("Options", StringComparison.Ordinal) && version == "v1" ? Types.Value.GetValueOrDefault(MetaPackage + kind) : null;

    private static FrozenDictionary<string, TypeSchema> Load()
    {
        using var stream = typeof(ApiTypes).Assembly.GetManifestResourceStream("types.schema")!;
        using var reader = new StreamReader(stream);
        return SchemaFile.Read(reader).Values.ToFrozenDictionary(type => type.FullName, StringComparer.Ordinal);
    }
}
