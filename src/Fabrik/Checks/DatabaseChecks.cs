using Fabrik.Reports;

namespace Fabrik.Checks;

public sealed record DatabaseFacts(Reading<DatabaseReport> Database);

/// <summary>The control database, by the figures of the API that uses it.</summary>
public static class DatabaseChecks
{
    private const double LeastFree = 0.2;
    private const long LeastBytes = 256L << 20;
    private static readonly string[] Shared = ["nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "9p", "virtiofs"];

    public static readonly Category<DatabaseFacts> Category = new("database",
    [
        new("FAB-3211", "it is whole", facts => facts.Database.Judge(report => report.Integrity == "ok"
            ? Finding.Passed("PRAGMA quick_check")
            : Finding.Failed($"SQLite says: {report.Integrity}", $"stop {Names.Objects.Control}, keep a copy of /var/lib/fabrik, and restore a backup: {Names.Documents.Troubleshooting}#fab-3211"), () => Unknown(facts))),
        new("FAB-3212", "its schema is the one that the API knows", facts => facts.Database.Judge(report => report.Schema == report.KnownSchema
            ? Finding.Passed($"{report.Schema}")
            : Finding.Failed($"it has schema {report.Schema}, and the API knows {report.KnownSchema}: {(report.Schema > report.KnownSchema ? "a newer version wrote it" : "it was not brought up to date")}",
                report.Schema > report.KnownSchema ? "run the newer version again: fabrik upgrade" : $"kubectl -n {Names.SystemNamespace} delete pod {Names.Objects.Control}-0"), () => Unknown(facts))),
        new("FAB-3213", "its disk has room", facts => facts.Database.Judge(report => report.TotalBytes <= 0 ? Finding.Unproven("the API does not know how large its disk is")
            : report.FreeBytes < LeastBytes ? Finding.Failed($"{report.FreeBytes >> 20} MiB are free: soon runs are not recorded", "enlarge the volume: kubectl -n fabrik-system edit pvc data-fabrik-control-0")
            : (double)report.FreeBytes / report.TotalBytes < LeastFree ? Finding.Warning($"{100 * report.FreeBytes / report.TotalBytes} % are free ({report.FreeBytes >> 20} MiB)", "enlarge the volume: kubectl -n fabrik-system edit pvc data-fabrik-control-0")
            : Finding.Passed($"{100 * report.FreeBytes / report.TotalBytes} % free"), () => Unknown(facts))),
        new("FAB-3214", "it lies on a disk of its node", facts => facts.Database.Judge(report => report.FileSystem is not { } type ? Finding.Unproven("the API does not know what its files lie on")
            : Shared.Contains(type) || (type.StartsWith("fuse", StringComparison.Ordinal) && type is not ("fuseblk" or "fuse.fuse-overlayfs")) ? Finding.Failed($"it lies on {type}, which is a network or user-space file system: SQLite's log gets corrupted there", "move it to a block volume: a storageClassName in an overlay")
            : Finding.Passed(type), () => Unknown(facts))),
    ])
    { Needs = [AccessChecks.Answers, ControlChecks.Answers], Phase = CheckPhase.After };

    private static Finding Unknown(DatabaseFacts facts) => Finding.Unproven(facts.Database.Why!, "compare versions: fabrik version");
}
