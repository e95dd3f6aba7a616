using System.Text.Json;
using Fabrik.Experiments;
using Fabrik.Runs;

namespace Fabrik.Storage;

/// <summary>A row of the table runs as Dapper reads it; names are those of the columns without underscores.</summary>
internal sealed class RunRow : ResourceRow
{
    public const string Columns = $"""
        seq, id, namespace, name, run_id AS RunId, change_name AS ChangeName, arm, spec_type AS SpecType, spec_id AS SpecId, stratum, project, owner, containers,
        {Resources},
        created_at AS CreatedAt, started_at AS StartedAt, finished_at AS FinishedAt, duration_ms AS DurationMs, attempts, outcome, oom_killed AS OomKilled,
        exit_code AS ExitCode, reason
        """;

    public long Seq { get; set; }
    public string Id { get; set; } = "";
    public string Namespace { get; set; } = "";
    public string Name { get; set; } = "";
    public string? RunId { get; set; }
    public string? ChangeName { get; set; }
    public string Arm { get; set; } = "";
    public string? SpecType { get; set; }
    public string? SpecId { get; set; }
    public string Stratum { get; set; } = "";
    public string? Project { get; set; }
    public string? Owner { get; set; }
    public int? Containers { get; set; }
    public long CreatedAt { get; set; }
    public long StartedAt { get; set; }
    public long FinishedAt { get; set; }
    public long DurationMs { get; set; }
    public int Attempts { get; set; }
    public string Outcome { get; set; } = "";
    public bool OomKilled { get; set; }
    public int? ExitCode { get; set; }
    public string? Reason { get; set; }

    /// <param name="members">For which changes it counts, in the run's own order.</param>
    public Run ToRun(IEnumerable<MemberRow> members) => new()
    {
        Id = Id,
        Namespace = Namespace,
        Name = Name,
        RunId = RunId,
        Change = ChangeName,
        Arm = WireNames.Parse<Arm>(Arm),
        Experiments = [.. members.Where(member => member.Role is "treatment" or "control").Select(member => member.ChangeName)],
        AppliedChanges = [.. members.Where(member => member.Role == "applied").Select(member => member.ChangeName)],
        SpecType = SpecType,
        SpecId = SpecId,
        Stratum = Stratum,
        Project = Project,
        Owner = Owner,
        Containers = Containers,
        Requested = Requested,
        Applied = Applied,
        CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(CreatedAt),
        StartedAt = Time(StartedAt),
        FinishedAt = Time(FinishedAt),
        Attempts = Attempts,
        Outcome = WireNames.Parse<Outcome>(Outcome),
        OomKilled = OomKilled,
        ExitCode = ExitCode,
        Reason = Reason,
    };

    public static long Milliseconds(double? seconds) => seconds is { } value ? (long)Math.Round(value * 1000) : -1;

    public static long Time(DateTimeOffset? time) => time?.ToUnixTimeMilliseconds() ?? -1;

    public static DateTimeOffset? Time(long milliseconds) => milliseconds < 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
}

/// <summary>A row of the table run_experiments: that a run counts for a change.</summary>
internal sealed record MemberRow(long Run, string ChangeName, string Role);
