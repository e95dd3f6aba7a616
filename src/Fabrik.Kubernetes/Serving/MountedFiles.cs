namespace Fabrik.Kubernetes.Serving;

/// <summary>Files of a Secret or a ConfigMap, which a Pod may mount before it is filled.</summary>
public static class MountedFiles
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Returns when every file is there and has something in it; tells once for each what is waited for. What lies in no directory is mounted from nowhere: it is not
    /// waited for, and whoever reads it says what is wrong.
    /// </summary>
    /// <param name="files">With the variable that names each; a null path needs no file.</param>
    public static async Task ArriveAsync(IEnumerable<(string? Path, string Variable)> files, TimeProvider clock, Action<string> tell, CancellationToken ct)
    {
        foreach (var (path, variable) in files)
        {
            if (path is null || !IsMissing(path) || !Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(path)))) continue;
            tell($"waits for {path}: it is not there yet, or empty ({variable} names it)");
            while (IsMissing(path)) await Task.Delay(Pause, clock, ct);
        }
    }

    internal static bool IsMissing(string path) => new FileInfo(path) is not { Exists: true, Length: > 0 };
}
