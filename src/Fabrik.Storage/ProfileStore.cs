using System.Text.Json;
using Dapper;
using Fabrik.Experiments;
using Fabrik.Proposals;
using Fabrik.Runs;

namespace Fabrik.Storage;

/// <summary>Profiles of what runs need, and how far they have come.</summary>
public sealed class ProfileStore(Database database)
{
    /// <summary>The last settled run that the profiles hold.</summary>
    public long Revision()
    {
        using var connection = database.Read();
        return connection.ExecuteScalar<long>("SELECT value FROM revisions WHERE name = 'profiles'");
    }

    /// <summary>Runs that were settled after a revision, in that order. The last one's revision is where to go on.</summary>
    public IReadOnlyList<(long Revision, ProfiledRun? Run)> Settled(long since, int limit)
    {
        using var connection = database.Read();
        var targets = new Dictionary<(string, string?, string?, string?), ProfileTarget?>(); // few, of many runs
        return [.. connection.Query<Row>(
            """
            SELECT used.revision, runs.id, namespace, owner, spec_type AS SpecType, spec_id AS SpecId, arm, containers, created_at AS CreatedAt, duration_ms AS DurationMs, outcome, oom_killed AS OomKilled,
                applied_memory_request AS AppliedMemoryRequest, applied_memory_limit AS AppliedMemoryLimit, applied_cpu_request AS AppliedCpuRequest, applied_cpu_limit AS AppliedCpuLimit,
                peak_memory AS PeakMemory, p95_cpu AS P95Cpu
            FROM run_usage AS used INDEXED BY usage_by_revision CROSS JOIN runs ON runs.id = used.run
            WHERE used.revision > @since ORDER BY used.revision LIMIT @limit
            """, new { since, limit }).Select(row => (row.Revision, row.ToRun(targets)))];
    }

    public IReadOnlyDictionary<string, SpecProfile> Load(IReadOnlyCollection<string> targets)
    {
        using var connection = database.Read();
        return targets.Chunk(500)
            .SelectMany(chunk => connection.Query<(string Target, string Profile)>("SELECT target, profile FROM profiles WHERE target IN @chunk", new { chunk }))
            .ToDictionary(row => row.Target, row => JsonSerializer.Deserialize(row.Profile, ProfileJson.Default.SpecProfile)!, StringComparer.Ordinal);
    }

    /// <summary>All of it and the revision it has come to, or, when it throws, nothing: no run is lost or taken in twice.</summary>
    public void Save(IReadOnlyDictionary<string, SpecProfile> profiles, long revision) => database.Write((connection, transaction) =>
    {
        foreach (var (target, profile) in profiles)
        {
            connection.Execute(
                "INSERT INTO profiles (target, profile, revision) VALUES (@target, @profile, @revision) ON CONFLICT (target) DO UPDATE SET profile = excluded.profile, revision = excluded.revision",
                new { target, revision, profile = JsonSerializer.Serialize(profile, ProfileJson.Default.SpecProfile) },
                transaction);
        }

        return connection.Execute("UPDATE revisions SET value = @revision WHERE name = 'profiles'", new { revision }, transaction);
    });

    /// <summary>Profiles that have changed since proposals were made of them, and the revision up to which these are.</summary>
    public (IReadOnlyList<SpecProfile> Profiles, long Revision) Changed()
    {
        using var connection = database.Read();
        var revision = connection.ExecuteScalar<long>("SELECT value FROM revisions WHERE name = 'profiles'");
        var changed = connection.Query<string>("SELECT profile FROM profiles WHERE revision > (SELECT value FROM revisions WHERE name = 'proposals') AND revision <= @revision", new { revision });
        return ([.. changed.Select(profile => JsonSerializer.Deserialize(profile, ProfileJson.Default.SpecProfile)!)], revision);
    }

    /// <summary>Whatever there was to propose of them has been proposed.</summary>
    public void Proposed(long revision) => database.Write((connection, transaction) => connection.Execute("UPDATE revisions SET value = @revision WHERE name = 'proposals'", new { revision }, transaction));

    private sealed class Row : ResourceRow
    {
        public long Revision { get; set; }
        public string Id { get; set; } = "";
        public string Namespace { get; set; } = "";
        public string? Owner { get; set; }
        public string? SpecType { get; set; }
        public string? SpecId { get; set; }
        public string Arm { get; set; } = "";
        public int? Containers { get; set; }
        public long CreatedAt { get; set; }
        public long DurationMs { get; set; }
        public string Outcome { get; set; } = "";
        public bool OomKilled { get; set; }
        public long? PeakMemory { get; set; }
        public long? P95Cpu { get; set; }

        /// <summary>Null for a run that belongs to no target.</summary>
        public ProfiledRun? ToRun(Dictionary<(string, string?, string?, string?), ProfileTarget?> targets)
        {
            var named = (Namespace, Owner, SpecType, SpecId);
            if (!targets.TryGetValue(named, out var target)) targets[named] = target = ProfileTarget.Of(Namespace, Owner, SpecType, SpecId);
            return target is null ? null : ToRun(target);
        }

        private ProfiledRun ToRun(ProfileTarget target) => new(
            Id, target, WireNames.Parse<Arm>(Arm), Containers, Applied, DateTimeOffset.FromUnixTimeMilliseconds(CreatedAt), DurationMs < 0 ? null : DurationMs / 1000.0, WireNames.Parse<Outcome>(Outcome), OomKilled,
            PeakMemory, P95Cpu);
    }
}
