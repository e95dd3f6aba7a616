using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Patches;

/// <summary>Server-side apply: the caller states the fields it wants, the server merges them and remembers whose they are.</summary>
public static class ServerSideApply
{
    /// <summary>
    /// The object that results, its managedFields set; not yet decoded or given defaults: do so, and keep the managedFields. The same as the live object when nothing changes.
    /// </summary>
    /// <param name="live">The stored object; null when the apply creates it.</param>
    /// <param name="applied">The body of the request.</param>
    /// <param name="force">Takes fields over instead of refusing.</param>
    /// <exception cref="RequestException">400 for a wrong body, 409 with one cause per field that another manager owns.</exception>
    public static JsonObject Apply(JsonObject? live, JsonObject applied, FieldShape shape, FieldWriter writer, bool force)
    {
        if (string.IsNullOrEmpty(writer.Manager)) throw RequestException.Unprocessable("PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
        if (applied.At("metadata", "managedFields") is JsonArray { Count: > 0 }) throw RequestException.BadRequest("metadata.managedFields must be nil");
        applied = ManagedFields.Plain(applied);
        var entries = ManagedFields.Entries.Read(live?.At("metadata", "managedFields"));
        var own = entries.FirstOrDefault(entry => entry.IsBy(writer, asApply: true));
        var others = entries.Where(entry => entry != own).ToArray();
        var last = own?.Fields ?? new();
        var wanted = ManagedFields.Owned(OwnedFields.Of(applied, shape));

        var before = live is null ? [] : ManagedFields.Plain(live);
        var merged = (JsonObject)OwnedFields.Merge(before, applied, shape)!;
        var kept = others.Aggregate(wanted, (sum, entry) => sum.Union(entry.Fields));
        var dropped = last.WithParents(shape).Except(kept.WithParents(shape));
        var result = (JsonObject)OwnedFields.Without(merged, dropped, shape)!;

        var changes = OwnedFields.Compare(before, result, shape);
        var touched = changes.Added.Union(changes.Modified);
        var conflicts = others.Select(entry => (Entry: entry, Fields: entry.Fields.Intersect(touched))).Where(conflict => !conflict.Fields.IsEmpty).ToArray();
        if (conflicts.Length > 0 && !force) throw Conflict(conflicts);
        foreach (var (entry, fields) in conflicts) entry.Fields = entry.Fields.Except(fields);
        foreach (var entry in others) entry.Fields = entry.Fields.ExceptBelow(changes.Removed);

        if (own is null) entries.Add(new(writer.Manager, apply: true, writer.ApiVersion, writer.Subresource, ManagedFields.Stamp(writer.Time), wanted));
        else
        {
            if (!changes.None || !own.Fields.SameAs(wanted)) own.Time = ManagedFields.Stamp(writer.Time);
            own.Fields = wanted;
            own.ApiVersion = writer.ApiVersion;
        }

        ManagedFields.Entries.Write(result, entries);
        return result;
    }

    private static RequestException Conflict((ManagedFields.Entry Entry, FieldSet Fields)[] conflicts)
    {
        var causes = conflicts
            .SelectMany(conflict => conflict.Fields.Paths().Select(path => (Manager: Describe(conflict.Entry), Path: path)))
            .OrderBy(cause => cause.Manager, StringComparer.Ordinal).ToArray();
        var lines = causes.Length == 1
            ? $"conflict with {causes[0].Manager}: {causes[0].Path}"
            : string.Join("\n", causes.GroupBy(cause => cause.Manager).Select(group => $"conflicts with {group.Key}:\n{string.Join("\n", group.Select(cause => "- " + cause.Path))}"));
        return new(
            409,
            "Conflict",
            $"Apply failed with {causes.Length} conflict{(causes.Length == 1 ? "" : "s")}: {lines}",
            new JsonObject
            {
                ["causes"] = new JsonArray([.. causes.Select(cause => new JsonObject
                {
                    ["reason"] = "FieldManagerConflict",
                    ["message"] = $"conflict with {cause.Manager}",
                    ["field"] = cause.Path,
                })]),
            });
    }

    private static string Describe(ManagedFields.Entry entry)
    {
        var text = Text.Quote(entry.Manager);
        if (entry.Subresource.Length > 0) text += $" with subresource {Text.Quote(entry.Subresource)}";
        return entry.IsApply ? text : $"{text} using {entry.ApiVersion}";
    }
}
