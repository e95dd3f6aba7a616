using System.Collections.Immutable;

namespace Fabrik.Sandbox.Discovery;

/// <summary>All served resources: the built-in ones and those of the CustomResourceDefinitions. Readers see one immutable state.</summary>
public sealed class ResourceCatalog
{
    private readonly Lock gate = new();
    private volatile State state = State.Of([]);

    /// <summary>Changes with every change of the custom resources; documents made from the catalog are cached under it.</summary>
    public int Revision => state.Revision;

    public IReadOnlyList<ResourceType> All => state.All;

    public IEnumerable<ResourceType> Custom => state.All.Where(type => type.Custom is not null);

    public ResourceType? Find(string group, string version, string plural) => state.ByPath.GetValueOrDefault((group, version, plural));

    public ResourceType? FindKind(string group, string version, string kind) => state.ByKind.GetValueOrDefault((group, version, kind));

    public bool HasGroupVersion(string group, string version) => state.All.Any(type => type.Group == group && type.Version == version);

    /// <summary>Replaces the types that one CustomResourceDefinition serves, given its name (plural.group).</summary>
    public void SetCustom(string definition, IReadOnlyList<ResourceType> types)
    {
        lock (gate) state = State.Of([.. state.All.Where(type => type.Custom is not null && type.GroupResource != definition), .. types], state.Revision + 1);
    }

    private sealed record State(
        int Revision,
        ImmutableArray<ResourceType> All,
        Dictionary<(string Group, string Version, string Plural), ResourceType> ByPath,
        Dictionary<(string Group, string Version, string Kind), ResourceType> ByKind)
    {
        public static State Of(IEnumerable<ResourceType> custom, int revision = 0)
        {
            ImmutableArray<ResourceType> all = [.. BuiltInTypes.All, .. custom];
            return new(revision, all, all.ToDictionary(type => (type.Group, type.Version, type.Plural)), all.ToDictionary(type => (type.Group, type.Version, type.Kind)));
        }
    }
}
