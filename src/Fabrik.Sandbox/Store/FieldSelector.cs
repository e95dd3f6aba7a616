using Fabrik.Sandbox.Discovery;

namespace Fabrik.Sandbox.Store;

/// <summary>A field selector: <c>metadata.name=x,status.phase!=Failed</c>. Which fields a kind knows is Kubernetes' own list.</summary>
public sealed record FieldSelector(IReadOnlyList<FieldSelector.Term> Terms)
{
    private static readonly Dictionary<string, string[]> Known = new(StringComparer.Ordinal)
    {
        ["pods"] = ["spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"],
        ["events"] = ["involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type"],
        ["namespaces"] = ["status.phase"],
        ["nodes"] = ["spec.unschedulable"],
        ["jobs.batch"] = ["status.successful"],
        ["secrets"] = ["type"],
    };

    public static readonly FieldSelector Everything = new([]);

    public bool Matches(StoredObject stored)
    {
        foreach (var term in Terms)
        {
            if (string.Equals(stored.Field(term.Path), term.Value, StringComparison.Ordinal) == term.Negated) return false;
        }

        return true;
    }

    /// <summary>The one name the selector allows, so that a single object need not be searched for.</summary>
    public string? Name => Terms.FirstOrDefault(term => term is { Path: "metadata.name", Negated: false })?.Value;

    /// <summary>Throws <see cref="FormatException"/> when the text is no selector or the kind does not know the field.</summary>
    public static FieldSelector Parse(string? text, ResourceType type)
    {
        if (string.IsNullOrWhiteSpace(text)) return Everything;
        var terms = new List<Term>();
        foreach (var part in text.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var negated = part.Contains("!=", StringComparison.Ordinal);
            var sign = negated ? "!=" : part.Contains("==", StringComparison.Ordinal) ? "==" : "=";
            var at = part.IndexOf(sign, StringComparison.Ordinal);
            if (at < 0) throw new FormatException($"invalid selector: '{text}'; can't understand '{part}'");
            terms.Add(new(Path(part[..at].Trim(), type), part[(at + sign.Length)..].Trim(), negated));
        }

        return new(terms);
    }

    private static string Path(string path, ResourceType type)
    {
        if (path == "metadata.name" || (path == "metadata.namespace" && type.Namespaced)) return path;
        if (Known.TryGetValue(type.Storage, out var fields) && fields.Contains(path)) return path switch
        {
            "source" => "source.component",
            "status.successful" => "status.succeeded",
            _ => path,
        };
        if (type.Custom?.SelectableFields.Contains("." + path) == true) return path;
        throw new FormatException(type.Storage switch
        {
            "jobs.batch" => $"field label \"{path}\" not supported for Job",
            var storage when Known.ContainsKey(storage) => $"field label not supported: {path}",
            _ => $"\"{path}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        });
    }

    public sealed record Term(string Path, string Value, bool Negated);
}
