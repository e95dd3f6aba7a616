using System.Diagnostics;

namespace Fabrik.Tests.Surviving;

/// <summary>A small file system of its own that can be filled, and taken away: what a volume is to a Pod. Mounting takes root, by sudo where it has to be.</summary>
internal sealed class Volume : IDisposable
{
    private readonly DirectoryInfo home = Directory.CreateTempSubdirectory("fabrik-volume-");
    private bool mounted;

    private Volume()
    {
    }

    public string Path => System.IO.Path.Combine(home.FullName, "volume");

    private string Filler => System.IO.Path.Combine(Path, "filler");

    /// <summary>Whether this machine lets the tests mount anything: Linux, and root or sudo without a password.</summary>
    public static bool CanBeMounted { get; } = OperatingSystem.IsLinux() && (Environment.IsPrivilegedProcess || Try("true"));

    public static Volume InMemory(int megabytes)
    {
        var volume = new Volume();
        Directory.CreateDirectory(volume.Path);
        volume.Mounted("-t", "tmpfs", "-o", $"size={megabytes}m,mode=1777", "tmpfs", volume.Path);
        return volume;
    }

    /// <summary>ext4 in a file, which becomes read-only after a fault as it does on a node.</summary>
    public static Volume OnDisk(int megabytes)
    {
        var volume = new Volume();
        Directory.CreateDirectory(volume.Path);
        using (var image = File.Create(volume.Image)) image.SetLength((long)megabytes << 20);
        Run("mkfs.ext4", "-q", "-F", "-m", "0", volume.Image);
        volume.Mount();
        return volume;
    }

    private string Image => System.IO.Path.Combine(home.FullName, "image");

    public void Mount()
    {
        Mounted("-o", "loop,errors=remount-ro", Image, Path);
        Run("chmod", "1777", Path);
    }

    public void Unmount()
    {
        Run("umount", Path);
        mounted = false;
    }

    /// <summary>As the kernel does it itself when the disk below fails.</summary>
    public void Fail() => Run("mount", "-o", "remount,abort", Path);

    public void Remount(string how) => Run("mount", "-o", $"remount,{how}", Path);

    /// <summary>To the last byte.</summary>
    public void Fill()
    {
        using var filler = new FileStream(Filler, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        var block = new byte[1 << 20];
        for (var size = block.Length; size > 0;)
        {
            try
            {
                filler.Write(block, 0, size);
            }
            catch (IOException)
            {
                size /= 2;
            }
        }
    }

    public void MakeRoom() => File.Delete(Filler);

    public void Dispose()
    {
        if (mounted) Try("umount", "-l", Path); // a test that failed may still use it
        home.Delete(recursive: true);
    }

    private void Mounted(params string[] arguments)
    {
        Run("mount", arguments);
        mounted = true;
    }

    private static void Run(string program, params string[] arguments) => Try(program, arguments).ShouldBeTrue($"{program} {string.Join(' ', arguments)}");

    private static bool Try(string program, params string[] arguments)
    {
        string[] all = Environment.IsPrivilegedProcess ? [program, .. arguments] : ["sudo", "-n", program, .. arguments];
        using var process = Process.Start(new ProcessStartInfo(all[0], all[1..]) { RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false })!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
