using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Patches;

/// <summary>Who writes: the fieldManager parameter, or the first part of the user agent.</summary>
/// <param name="Subresource">Empty, or status.</param>
public sealed record FieldWriter(string Manager, string ApiVersion, DateTimeOffset Time, string Subresource = "")
{
    private const int MaximumName = 128;

    /// <summary>As the server names a writer who gave no name: kubectl/v1.32 becomes kubectl.</summary>
    public static string NameOf(string? fieldManager, string? userAgent)
    {
        if (!string.IsNullOrEmpty(fieldManager)) return fieldManager;
        var name = (userAgent ?? "").Split('/')[0];
        return name.Length == 0 ? "unknown" : name.Length > MaximumName ? name[..MaximumName] : name;
    }
}

/// <summary>metadata.managedFields: which manager last wrote which field.</summary>
public static class ManagedFields
{
    private static readonly ConcurrentDictionary<TypeSchema, JsonObject> Empty = new();

    // What the server writes or what names the object; nobody owns it.
    private static readonly FieldSet Unowned = FieldSet.Read(new JsonObject
    {
        ["f:apiVersion"] = new JsonObject(),
        ["f:kind"] = new JsonObject(),
        ["f:metadata"] = new JsonObject(
            new[] { ".", "f:name", "f:namespace", "f:creationTimestamp", "f:selfLink", "f:uid", "f:clusterName", "f:generation", "f:managedFields", "f:resourceVersion" }
                .Select(name => KeyValuePair.Create(name, (JsonNode?)new JsonObject()))),
    });

    /// <summary>
    /// After a create, update or patch that is not an apply: sets the object's managedFields. The fields that changed go to the writer.
    /// What a caller sent in managedFields counts as the state before; one empty entry resets them.
    /// </summary>
    /// <param name="old">The state before; null at creation.</param>
    /// <param name="obj">The state to be stored, after defaults; changed in place.</param>
    public static void Update(JsonObject? old, JsonObject obj, FieldShape shape, FieldWriter writer)
    {
        var sent = obj.At("metadata", "managedFields") as JsonArray;
        if (sent is [JsonObject { Count: 0 }])
        {
            obj["metadata"]!.AsObject().Remove("managedFields");
            return;
        }

        var entries = Entries.Read(sent is { Count: > 0 } ? sent : old?.At("metadata", "managedFields"));
        var before = old ?? EmptyLike(obj);
        var changes = OwnedFields.Compare(Plain(before), Plain(obj), shape);
        var touched = changes.Added.Union(changes.Modified);
        Entry? own = null;
        foreach (var entry in entries)
        {
            if (entry.IsBy(writer, asApply: false)) own = entry;
            else entry.Fields = entry.Fields.Except(touched).ExceptBelow(changes.Removed);
        }

        var mine = Owned((own?.Fields ?? new()).Union(touched).ExceptBelow(changes.Removed));
        if (own is null)
        {
            if (!mine.IsEmpty) entries.Add(new(writer.Manager, apply: false, writer.ApiVersion, writer.Subresource, Stamp(writer.Time), mine));
        }
        else
        {
            if (!own.Fields.SameAs(mine)) own.Time = Stamp(writer.Time);
            own.Fields = mine;
        }

        Entries.Write(obj, entries);
    }

    internal static FieldSet Owned(FieldSet set) => set.Except(Unowned);

    internal static string Stamp(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    internal static JsonObject Plain(JsonObject obj)
    {
        if (obj.At("metadata", "managedFields") is null) return obj;
        var copy = obj.DeepClone().AsObject();
        copy["metadata"]!.AsObject().Remove("managedFields");
        return copy;
    }

    /// <summary>The state that a new object is compared with, only to be read: an empty one of its type, whose parts that are always there nobody adds.</summary>
    internal static JsonObject EmptyLike(JsonObject obj)
    {
        var type = ApiTypes.Kind(obj["apiVersion"].String() ?? "", obj["kind"].String() ?? "");
        return type is null ? [] : Empty.GetOrAdd(type, static one => ObjectDecoder.FromNode([], one).Object);
    }

    internal sealed class Entry(string manager, bool apply, string apiVersion, string subresource, string? time, FieldSet fields)
    {
        public string Manager => manager;

        public bool IsApply => apply;

        public string ApiVersion { get; set; } = apiVersion;

        public string Subresource => subresource;

        public string? Time { get; set; } = time;

        public FieldSet Fields { get; set; } = fields;

        public bool IsBy(FieldWriter writer, bool asApply) =>
            apply == asApply && manager == writer.Manager && subresource == writer.Subresource && (asApply || ApiVersion == writer.ApiVersion);
    }

    internal static class Entries
    {
        public static List<Entry> Read(JsonNode? managedFields) =>
        [
            .. managedFields.Objects().Select(entry => new Entry(
                entry["manager"].String() ?? "",
                entry["operation"].String() == "Apply",
                entry["apiVersion"].String() ?? "",
                entry["subresource"].String() ?? "",
                entry["time"].String(),
                FieldSet.Read(entry["fieldsV1"]))),
        ];

        public static void Write(JsonObject obj, List<Entry> entries)
        {
            var list = new JsonArray();
            foreach (var entry in entries.Where(entry => !entry.Fields.IsEmpty)
                .OrderBy(entry => entry.IsApply ? 0 : 1).ThenBy(entry => entry.Time, StringComparer.Ordinal).ThenBy(entry => entry.Manager, StringComparer.Ordinal))
            {
                var node = new JsonObject
                {
                    ["manager"] = entry.Manager,
                    ["operation"] = entry.IsApply ? "Apply" : "Update",
                    ["apiVersion"] = entry.ApiVersion,
                };
                if (entry.Time is not null) node["time"] = entry.Time;
                node["fieldsType"] = "FieldsV1";
                node["fieldsV1"] = entry.Fields.Write();
                if (entry.Subresource.Length > 0) node["subresource"] = entry.Subresource;
                list.Add(node);
            }

            if (list.Count > 0) obj.Child("metadata")["managedFields"] = list;
            else (obj["metadata"] as JsonObject)?.Remove("managedFields");
        }
    }
}
