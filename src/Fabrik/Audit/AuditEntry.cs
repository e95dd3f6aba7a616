using System.Text.Json.Serialization;

namespace Fabrik.Audit;

/// <summary>What somebody did, before it is chained.</summary>
/// <param name="At">UTC, whole milliseconds.</param>
/// <param name="Actor">The scheduler (<see cref="Names.FieldManager"/>), or a person's name as an approval has it. Null: only the API server's own audit log knows.</param>
/// <param name="Action">As <see cref="AuditActions"/> has it.</param>
/// <param name="Request">Of the step, where it is one of a change; null else.</param>
/// <param name="Details">In words, never a secret.</param>
public sealed record AuditEntry(DateTimeOffset At, string? Actor, string Action, AuditObject? Object, string? Request, IReadOnlyDictionary<string, string> Details);

/// <param name="ResourceVersion">Of the object as it was seen; null where nobody saw it.</param>
public sealed record AuditObject(string Kind, string? Namespace, string Name, string? Uid, string? ResourceVersion);

/// <summary>An entry in its place of the chain.</summary>
/// <param name="Seq">From 1, without gaps.</param>
/// <param name="Previous">Hash of the row before; <see cref="AuditChain.Genesis"/> for the first.</param>
/// <param name="Hash">Of this row, as <see cref="AuditChain.HashOf"/> makes it.</param>
public sealed record AuditRow(long Seq, DateTimeOffset At, string? Actor, string Action, AuditObject? Object, string? Request, IReadOnlyDictionary<string, string> Details, string Previous, string Hash);

/// <summary>A place of the chain: the last row that is gone, or the last there is.</summary>
/// <param name="Seq">0: none.</param>
public sealed record AuditPlace(long Seq, string Hash);

/// <summary>Rows, and between which places they stand.</summary>
/// <param name="Anchor">What was before the first row that is kept.</param>
/// <param name="Head">The last row at the time of the answer.</param>
/// <param name="Next">Value for the parameter cursor that gives the next page; absent at the end.</param>
public sealed record AuditList(IReadOnlyList<AuditRow> Items, AuditPlace Anchor, AuditPlace Head, string? Next);

/// <summary>What can have been done. Details beside each.</summary>
public static class AuditActions
{
    /// <summary>A step of a change, before it is written: from, to, reasons, and incident where it is an emergency.</summary>
    public const string StepIntended = "step.intended";

    /// <summary>What became of it: result, message.</summary>
    public const string StepEnded = "step.ended";

    /// <summary>A phase that others wrote, a change that is new, or gone: from, to, reasons.</summary>
    public const string StepSeen = "step.seen";
    public const string IncidentReviewed = "incident.reviewed";

    /// <summary>What people decide, as the watch has it: each field that is another, from and to; and which client wrote it.</summary>
    public const string ChangeCreated = "change.created";
    public const string ChangeEdited = "change.edited";
    public const string ChangeApproved = "change.approved";
    public const string ChangeRefused = "change.refused";
    public const string ChangeDeleted = "change.deleted";
    public const string PolicyCreated = "policy.created";
    public const string PolicyEdited = "policy.edited";
    public const string PolicyDeleted = "policy.deleted";
    public const string KeyCreated = "key.created";
    public const string KeyRevoked = "key.revoked";
    public const string KeyRemoved = "key.removed";

    /// <summary>A part of a budget is used up: percent, limit, period.</summary>
    public const string BudgetReached = "budget.reached";

    /// <summary>A volume for a Job that asks for one: size.</summary>
    public const string VolumeCreated = "volume.created";

    /// <summary>Rows that were old are gone: upto, hash, rows.</summary>
    public const string Retention = "audit.retention";
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(AuditList))]
[JsonSerializable(typeof(AuditRow))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, string>))]
public sealed partial class AuditJson : JsonSerializerContext;
