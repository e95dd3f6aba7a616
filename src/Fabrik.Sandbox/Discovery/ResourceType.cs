namespace Fabrik.Sandbox.Discovery;

/// <summary>One served resource: how a path names it, what its objects are called and which verbs it answers.</summary>
public sealed record ResourceType(string Group, string Version, string Plural, string Kind, bool Namespaced)
{
    public static readonly string[] AllVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    public static readonly string[] StatusVerbs = ["get", "patch", "update"];

    public string Singular { get; init; } = Kind.ToLowerInvariant();

    public string ListKind { get; init; } = Kind + "List";

    public string[] ShortNames { get; init; } = [];

    public string[] Categories { get; init; } = [];

    public string[] Verbs { get; init; } = AllVerbs;

    public SubresourceType[] Subresources { get; init; } = [];

    /// <summary>The finished deletion answers with the object instead of a Status.</summary>
    public bool ReturnsDeleted { get; init; }

    /// <summary>A PUT may leave the resource version out, and then replaces whatever is there; of the others who writes must have read. AllowUnconditionalUpdate of Kubernetes 1.36.</summary>
    public bool TakesBlindUpdates => Custom is null && (Group, Plural) is not (("admissionregistration.k8s.io" or "apiextensions.k8s.io" or "apiregistration.k8s.io" or "node.k8s.io", _)
        or ("coordination.k8s.io", "leases") or ("policy", "poddisruptionbudgets") or ("storage.k8s.io", "csidrivers" or "csinodes" or "volumeattachments"));

    /// <summary>A PUT of an object that does not exist creates it.</summary>
    public bool CreateOnUpdate { get; init; }

    /// <summary>Versions and views of one kind share one storage, named by this key.</summary>
    public string Storage { get; init; } = Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    /// <summary>The definition of a custom resource (the CRD object), else null.</summary>
    public CustomType? Custom { get; init; }

    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    public string GroupResource => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    /// <summary>As Kubernetes names a kind in messages: Job.batch, Pod.</summary>
    public string GroupKind => Group.Length == 0 ? Kind : $"{Kind}.{Group}";

    public bool HasStatus => Subresource("status") is not null;

    /// <summary>Answers reviews and the like; nothing is stored.</summary>
    public bool IsVirtual => !Verbs.Contains("get");

    public SubresourceType? Subresource(string name) => Array.Find(Subresources, sub => sub.Name == name);
}

/// <summary>A path below an object, such as status or log, with the kind it answers.</summary>
public sealed record SubresourceType(string Name, string Group, string Version, string Kind, string[] Verbs);
