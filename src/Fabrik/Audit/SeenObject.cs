using System.Text.Json;
using Fabrik.Experiments;
using Fabrik.Gateway;

namespace Fabrik.Audit;

/// <summary>An object as it was last seen, as far as people write it.</summary>
/// <param name="Spec">What people decide, as JSON text.</param>
public sealed record SeenObject(string Kind, string Uid, string? Namespace, string Name, string? ResourceVersion, long Generation, string Spec);

/// <summary>What became of an object between two looks: entries for the record, none where nothing that people decide is another.</summary>
public static class ObjectEdits
{
    /// <param name="before">Null: it is new.</param>
    /// <param name="managedFields">As the object has them; tells which client wrote last, not which person.</param>
    public static IReadOnlyList<AuditEntry> Of(SeenObject? before, SeenObject now, JsonElement? managedFields, DateTimeOffset at)
    {
        if (now.Kind == KeyKind) return [];
        if (before is not null && before.Spec == now.Spec) return [];
        using var old = before is null ? null : JsonDocument.Parse(before.Spec);
        using var spec = JsonDocument.Parse(now.Spec);
        var details = new Dictionary<string, string>(SpecEdit.Of(old?.RootElement, spec.RootElement), StringComparer.Ordinal);
        if (details.Count == 0) return [];
        var client = Client(managedFields);
        if (client is not null) details["client"] = client;
        if (before is not null && now.Generation > before.Generation + 1) details["edits"] = $"{now.Generation - before.Generation}, of which only the sum was seen";
        var word = now.Kind == ChangeKind ? Word(old?.RootElement, spec.RootElement) : null;
        var action = now.Kind switch
        {
            ChangeKind when before is null => AuditActions.ChangeCreated,
            ChangeKind => word is { } said ? said.Approved ? AuditActions.ChangeApproved : AuditActions.ChangeRefused : AuditActions.ChangeEdited,
            _ => before is null ? AuditActions.PolicyCreated : AuditActions.PolicyEdited,
        };

        // Which client wrote is its own word: nobody is named by it.
        return [new AuditEntry(at, word?.By, action, Ref(now), null, details)];
    }

    public static AuditEntry Gone(SeenObject before, DateTimeOffset at) => new(at, null, before.Kind switch
    {
        ChangeKind => AuditActions.ChangeDeleted,
        KeyKind => AuditActions.KeyRemoved,
        _ => AuditActions.PolicyDeleted,
    }, Ref(before), null, new Dictionary<string, string>());

    /// <summary>A virtual key; its hash is not among what is told.</summary>
    public static SeenObject Seen(VirtualKey key, string? resourceVersion) =>
        new(KeyKind, key.Id, Names.GatewayNamespace, key.Id, resourceVersion, 0, JsonSerializer.Serialize(key with { Hash = "" }, GatewayJson.Default.VirtualKey));

    public static IReadOnlyList<AuditEntry> Of(SeenObject? before, VirtualKey key, SeenObject now, DateTimeOffset at)
    {
        var details = new Dictionary<string, string>(StringComparer.Ordinal) { ["project"] = key.Project };
        if (key.Description is { } text) details["description"] = text.Length <= 200 ? text : text[..200];
        if (key.ExpiresAt is { } end) details["expiresAt"] = $"{end.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}";
        var entries = new List<AuditEntry>();
        if (before is null) entries.Add(new AuditEntry(at, null, AuditActions.KeyCreated, Ref(now), null, Stamped(key.CreatedAt)));
        var wasRevoked = before is not null && JsonSerializer.Deserialize(before.Spec, GatewayJson.Default.VirtualKey)?.RevokedAt is not null;
        if (key.RevokedAt is { } revoked && !wasRevoked) entries.Add(new AuditEntry(at, null, AuditActions.KeyRevoked, Ref(now), null, Stamped(revoked)));
        return entries;

        Dictionary<string, string> Stamped(DateTimeOffset when) => new(details, StringComparer.Ordinal) { ["at"] = $"{when.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}" };
    }

    public const string ChangeKind = "OptimizationChange";
    public const string PolicyKind = "OptimizerPolicy";
    public const string KeyKind = "VirtualKey";

    /// <summary>The word of a person that the edit gave; null where it gave none.</summary>
    private static Approval? Word(JsonElement? before, JsonElement after)
    {
        var (old, now) = (Approval(before), Approval(after));
        return now is not null && now != old ? now : null;
    }

    private static Approval? Approval(JsonElement? spec)
    {
        try
        {
            return spec is { ValueKind: JsonValueKind.Object } one && one.TryGetProperty("approval", out var approval) ? approval.Deserialize(ObjectJson.Default.Approval) : null;
        }
        catch (JsonException)
        {
            return null; // the server's schema does not admit it; told as an edit
        }
    }

    /// <summary>Who wrote the spec last, by what the server notes of each client.</summary>
    private static string? Client(JsonElement? managedFields)
    {
        if (managedFields is not { ValueKind: JsonValueKind.Array } all) return null;
        (string? Name, string Time) last = (null, "");
        foreach (var one in all.EnumerateArray())
        {
            if (one.ValueKind != JsonValueKind.Object || Text(one, "subresource") is { Length: > 0 } || Text(one, "manager") is not { } name) continue;
            if (!one.TryGetProperty("fieldsV1", out var fields) || fields.ValueKind != JsonValueKind.Object || !fields.TryGetProperty("f:spec", out _)) continue;
            if (string.CompareOrdinal(Text(one, "time") ?? "", last.Time) >= 0) last = (name, Text(one, "time") ?? "");
        }

        return last.Name;
    }

    private static string? Text(JsonElement one, string name) => one.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static AuditObject Ref(SeenObject one) => new(one.Kind, one.Namespace, one.Name, one.Kind == KeyKind ? null : one.Uid, one.ResourceVersion);
}
