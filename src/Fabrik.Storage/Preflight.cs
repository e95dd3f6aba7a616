namespace Fabrik.Storage;

/// <summary>Whether a directory can hold a database that survives: a local disk with room.</summary>
internal static class Preflight
{
    /// <summary>Bytes; with less the first burst of runs would end in half-written pages.</summary>
    internal const long LeastFree = 64L << 20;

    /// <summary>Bytes; with less, the next page that has no room ends a transaction in the middle of what it was for.</summary>
    internal const long LeastFreeToWrite = 4L << 20;

    /// <summary>Bytes; who could not write goes on from here, not with the first page that fits.</summary>
    internal const long LeastFreeToGoOn = 16L << 20;

    /// <summary>Of an exclusive lock that another process holds, on Linux and on macOS.</summary>
    private static readonly int[] Locked = [11, 35];

    public static void Check(string directory)
    {
        if (MountInfo() is { } mounts && Remote(mounts, Real(directory)) is { } type)
        {
            throw new StorageException(
                $"{directory} is on {type}, which is a network or user-space file system: SQLite's write-ahead log gets corrupted there. Use a local disk or a block volume (ReadWriteOncePod), and set {Names.Variables.DataDirectory} to it. See {Names.Documents.Surviving}");
        }

        var free = Free(directory);
        if (free < LeastFree) throw new StorageException($"{directory} has {free >> 20} MiB free, the database needs at least {LeastFree >> 20}. Make room or use a larger volume");
    }

    /// <summary>Null where the operating system has none.</summary>
    internal static string? MountInfo() => OperatingSystem.IsLinux() && File.Exists("/proc/self/mountinfo") ? File.ReadAllText("/proc/self/mountinfo") : null;

    public static long Free(string directory) => new DriveInfo(directory).AvailableFreeSpace;

    /// <summary>Held until it is disposed of, or the process ends in any way. Of each role one: a Pod's two containers share the volume, two Pods never do.</summary>
    /// <exception cref="StorageException">Another process of the role holds it.</exception>
    public static FileStream Alone(string database, string role)
    {
        try
        {
            return new FileStream($"{database}.{role}.lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (Locked.Contains(e.HResult))
        {
            throw new StorageException(
                $"{database} is in use by another {role}: two Pods share the volume. Stop one of them (kubectl get pods -A -l {Names.Labels.Ours}) and use a volume of access mode ReadWriteOncePod, which Kubernetes gives to one Pod at a time", e);
        }
    }

    /// <summary>Where links lead, of the whole path.</summary>
    internal static string Real(string directory)
    {
        var real = Path.GetPathRoot(directory)!;
        foreach (var part in directory[real.Length..].Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            var next = Path.Combine(real, part);
            real = Directory.ResolveLinkTarget(next, returnFinalTarget: true)?.FullName is { } target ? Real(target) : next;
        }

        return real;
    }

    /// <summary>The type of the file system a path is on where it is one that SQLite must not be used on, else null.</summary>
    /// <param name="mountInfo">As /proc/self/mountinfo has it.</param>
    internal static string? Remote(string mountInfo, string path)
    {
        var found = FileSystem(mountInfo, path);

        // The layers of rootless containers are FUSE, too, but local.
        return found switch
        {
            "fuse.fuse-overlayfs" or "fuseblk" => null,
            "nfs" or "nfs4" or "cifs" or "smb3" or "smbfs" or "afs" or "ceph" or "glusterfs" or "lustre" or "ncpfs"
                or "9p" or "virtiofs" or "beegfs" or "gpfs" or "orangefs" or "pvfs2" or "coda" or "vboxsf" or "prl_fs" or "vmhgfs" => found,
            _ when found == "fuse" || found.StartsWith("fuse.", StringComparison.Ordinal) => found,
            _ => null,
        };
    }

    /// <summary>The type of the file system a path is on; "" where that cannot be told.</summary>
    internal static string FileSystem(string mountInfo, string path)
    {
        var (longest, found) = (-1, "");
        foreach (var line in mountInfo.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw
            var fields = line.Split(' ');
            var dash = Array.IndexOf(fields, "-", Math.Min(6, fields.Length));
            if (dash < 0 || dash + 1 >= fields.Length) continue;
            var mount = fields[4].Replace("\\040", " ", StringComparison.Ordinal).Replace("\\011", "\t", StringComparison.Ordinal).Replace("\\134", "\\", StringComparison.Ordinal).TrimEnd('/');

            // The last of several mounts on one point is the one on top.
            if (mount.Length < longest || (path != mount && !path.StartsWith(mount + "/", StringComparison.Ordinal))) continue;
            (longest, found) = (mount.Length, fields[dash + 1]);
        }

        return found;
    }
}
