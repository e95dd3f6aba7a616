namespace Fabrik.Storage;

/// <summary>Whether a directory can hold a database that survives: a local disk with room.</summary>
internal static class Preflight
{
    /// <summary>Bytes; with less the first burst of runs would end in half-written pages.</summary>
    internal const long LeastFree = 64L << 20;

    public static void Check(string directory)
    {
        if (MountInfo() is { } mounts && Remote(mounts, directory) is { } type)
        {
            throw new StorageException(
                $"{directory} is on {type}, which is a network or user-space file system: SQLite's write-ahead log gets corrupted there. Use a local disk or a block volume (ReadWriteOnce), and set {Names.Variables.DataDirectory} to it");
        }

        var free = new DriveInfo(directory).AvailableFreeSpace;
        if (free < LeastFree) throw new StorageException($"{directory} has {free >> 20} MiB free, the database needs at least {LeastFree >> 20}. Make room or use a larger volume");
    }

    /// <summary>Null where the operating system has none.</summary>
    internal static string? MountInfo() => OperatingSystem.IsLinux() && File.Exists("/proc/self/mountinfo") ? File.ReadAllText("/proc/self/mountinfo") : null;

    /// <summary>The type of the file system a path is on where it is one that SQLite must not be used on, else null.</summary>
    /// <param name="mountInfo">As /proc/self/mountinfo has it.</param>
    internal static string? Remote(string mountInfo, string path)
    {
        var found = FileSystem(mountInfo, path);

        // The layers of rootless containers are FUSE, too, but local.
        return found switch
        {
            "fuse.fuse-overlayfs" or "fuseblk" => null,
            "nfs" or "nfs4" or "cifs" or "smb3" or "smbfs" or "afs" or "ceph" or "glusterfs" or "lustre" or "ncpfs" => found,
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
            var mount = fields[4].Replace("\\040", " ", StringComparison.Ordinal).TrimEnd('/');

            // The last of several mounts on one point is the one on top.
            if (mount.Length < longest || (path != mount && !path.StartsWith(mount + "/", StringComparison.Ordinal))) continue;
            (longest, found) = (mount.Length, fields[dash + 1]);
        }

        return found;
    }
}
