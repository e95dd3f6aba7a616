namespace Fabrik.Proxy.Budgets;

/// <summary>
/// Whom budgets are leased to. It lives beside the spool: who finds what an earlier process spent goes on with what that one held, and who does
/// not, as on a new disk or as a second process on one machine, is another.
/// </summary>
internal static class ReplicaName
{
    private const string FileName = "replica";
    private const int Longest = 64;

    /// <exception cref="IOException">The directory cannot be used.</exception>
    public static string Of(string directory)
    {
        var path = Path.Combine(directory, FileName);
        if (File.Exists(path) && File.ReadAllText(path).Trim() is { Length: > 0 and <= Longest } name) return name;
        name = Guid.NewGuid().ToString("N");
        File.WriteAllText(path + ".new", name);
        File.Move(path + ".new", path, overwrite: true);
        return name;
    }
}
