using Dapper;
using Fabrik.Experiments;
using Fabrik.Runs;

namespace Fabrik.Storage;

/// <summary>
/// The runs that count for a change, as an analysis reads them. Both ways stream from one snapshot and hold a connection until they are
/// enumerated to the end or given up, so what is done with a member should not take long.
/// </summary>
public sealed class MemberReader(Database database)
{
    public const int DefaultLimit = 100_000;

    /// <summary>Where updates stand now. Ask before the first <see cref="InOrder"/>, so that nothing falls between it and the first <see cref="Updated"/>.</summary>
    public long Revision()
    {
        using var connection = database.Read();
        return connection.ExecuteScalar<long>("SELECT value FROM revisions WHERE name = 'run_experiments'");
    }

    /// <summary>In the order of creation, beyond a member; those whose outcome is still open too.</summary>
    /// <remarks>A Job that is observed late takes its place by its creation, which may be before the cursor: <see cref="Updated"/> has it.</remarks>
    public IEnumerable<Member> InOrder(string change, MemberCursor? after = null, int limit = DefaultLimit) => Read(
        "members_by_created", "member.role <> 'withdrawn' AND (member.created_at, member.run) > (@value, @seq)", "member.created_at, member.run",
        new { change, value = after?.CreatedAt.ToUnixTimeMilliseconds() ?? long.MinValue, seq = after?.Seq ?? 0, limit });

    /// <summary>
    /// All that was written since a revision, each member once as it is now, by revision: new ones, outcomes that came, and, with role withdrawn,
    /// runs that do not count any more. The last one's revision is where to go on.
    /// </summary>
    public IEnumerable<Member> Updated(string change, long since, int limit = DefaultLimit) => Read(
        "members_by_revision", "member.revision > @since", "member.revision",
        new { change, since, limit });

    private IEnumerable<Member> Read(string index, string which, string order, object parameters)
    {
        using var connection = database.Read();
        foreach (var row in connection.Query<Row>(
            $"""
            SELECT runs.seq, id, run_id AS RunId, stratum, role, arm, runs.change_name AS ArmChange, runs.created_at AS CreatedAt, started_at AS StartedAt, runs.finished_at AS FinishedAt,
                outcome, oom_killed AS OomKilled, reason, runs.duration_ms AS DurationMs, attempts, revision,
                {ResourceRow.Resources}
            FROM run_experiments AS member INDEXED BY {index} CROSS JOIN runs ON runs.seq = member.run
            WHERE member.change_name = @change AND {which} ORDER BY {order} LIMIT @limit
            """, parameters, buffered: false)) yield return row.ToMember();
    }

    private sealed class Row : ResourceRow
    {
        public long Seq { get; set; }
        public string Id { get; set; } = "";
        public string? RunId { get; set; }
        public string Stratum { get; set; } = "";
        public string Role { get; set; } = "";
        public string Arm { get; set; } = "";
        public string? ArmChange { get; set; }
        public long CreatedAt { get; set; }
        public long StartedAt { get; set; }
        public long FinishedAt { get; set; }
        public string Outcome { get; set; } = "";
        public bool OomKilled { get; set; }
        public string? Reason { get; set; }
        public long DurationMs { get; set; }
        public int Attempts { get; set; }
        public long Revision { get; set; }

        public Member ToMember() => new(
            Seq, Id, RunId, Stratum, WireNames.Parse<MemberRole>(Role), WireNames.Parse<Arm>(Arm), ArmChange,
            DateTimeOffset.FromUnixTimeMilliseconds(CreatedAt), RunRow.Time(StartedAt), RunRow.Time(FinishedAt),
            WireNames.Parse<Outcome>(Outcome), OomKilled, Reason, DurationMs < 0 ? null : DurationMs / 1000.0, Attempts, Requested, Applied, Revision);
    }
}

/// <summary>A place in the order of creation.</summary>
public sealed record MemberCursor(DateTimeOffset CreatedAt, long Seq)
{
    public static MemberCursor Of(Member member) => new(member.CreatedAt, member.Seq);
}
