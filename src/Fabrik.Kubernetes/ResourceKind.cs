namespace Fabrik.Kubernetes;

/// <summary>One kind of object and where it stands in the REST API. Group is "" for the core group.</summary>
public sealed record ResourceKind(string Group, string Version, string Plural, string Kind, bool Namespaced)
{
    /// <summary>As it stands in an object: "v1", "batch/v1".</summary>
    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>As the server names it in messages: "pods", "jobs.batch".</summary>
    public override string ToString() => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    /// <summary>Path of the collection; namespace null means all namespaces.</summary>
    internal string Path(string? ns)
    {
        var root = Group.Length == 0 ? $"/api/{Version}" : $"/apis/{Group}/{Version}";
        return Namespaced && ns is not null ? $"{root}/namespaces/{Segment(ns)}/{Plural}" : $"{root}/{Plural}";
    }

    internal string Path(string? ns, string name, string? subresource = null)
    {
        if (Namespaced && string.IsNullOrEmpty(ns)) throw new ArgumentException($"{this} \"{name}\" needs a namespace", nameof(ns));
        var path = $"{Path(ns)}/{Segment(name)}";
        return subresource is null ? path : $"{path}/{subresource}";
    }

    // A name comes from outside: it must stay one segment of the path.
    private static string Segment(string value) =>
        value is "" or "." or ".." || value.AsSpan().IndexOfAny('/', '%') >= 0
            ? throw new ArgumentException($"\"{value}\" cannot be the name of an object or a namespace", nameof(value))
            : Uri.EscapeDataString(value);
}
