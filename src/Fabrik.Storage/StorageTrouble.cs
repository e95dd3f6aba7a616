using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>Why nothing can be written.</summary>
/// <param name="Reason">One word for programs: <see cref="DiskFull"/>, <see cref="ReadOnly"/> or <see cref="DiskFault"/>.</param>
/// <param name="Why">For people, with what to do.</param>
/// <param name="Since">UTC, of the first write that failed.</param>
public sealed record StorageTrouble(string Reason, string Why, DateTimeOffset Since)
{
    public const string DiskFull = "DiskFull";
    public const string ReadOnly = "ReadOnly";
    public const string DiskFault = "DiskFault";

    /// <returns>Null for what is no fault of the disk: busy, a wrong statement, a broken constraint.</returns>
    internal static StorageTrouble? Of(SqliteException e, DateTimeOffset now) => e.SqliteErrorCode switch
    {
        13 => Full(now),
        8 => new(ReadOnly, "the volume of the control database has become read-only, as file systems do after a fault of the disk: look at the node's kernel log, repair the volume and start the Pod anew", now),
        10 or 14 => new(DiskFault, $"the disk of the control database does not take what is written ({e.Message}): look at the node's kernel log", now),
        _ => null,
    };

    internal static StorageTrouble Full(DateTimeOffset now) => new(DiskFull, "the disk of the control database is full: make room on its volume, or enlarge it", now);
}
