using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Fabrik.Audit;

/// <summary>
/// Each row has the hash of the one before, so that no row can be altered, taken out, put in or moved without all after it being made anew. Whoever
/// can write the whole file can do that too: what was told outside of it, such as the head that `fabrik audit verify` prints, then shows it.
/// </summary>
public static class AuditChain
{
    /// <summary>What the first row has for the hash before it.</summary>
    public static readonly string Genesis = new('0', 64);

    /// <summary>How long rows are kept.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromDays(90);

    public static AuditPlace Beginning { get; } = new(0, Genesis);

    public static AuditRow Append(AuditPlace head, AuditEntry entry)
    {
        var at = DateTimeOffset.FromUnixTimeMilliseconds(entry.At.ToUnixTimeMilliseconds());
        var row = new AuditRow(head.Seq + 1, at, entry.Actor, entry.Action, entry.Object, entry.Request, entry.Details, head.Hash, "");
        return row with { Hash = HashOf(row) };
    }

    /// <summary>
    /// SHA-256 in hexadecimal over netstrings (bytes of UTF-8 in decimal, ':', the bytes, ','; what is not there is "-,") of: sequence, milliseconds
    /// since 1970, actor, action, kind, namespace, name, uid, resource version, request, number of details, key and value of each by ordinal order
    /// of keys, hash of the row before.
    /// </summary>
    public static string HashOf(AuditRow row)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add(Number(row.Seq));
        Add(Number(row.At.ToUnixTimeMilliseconds()));
        Add(row.Actor);
        Add(row.Action);
        Add(row.Object?.Kind);
        Add(row.Object?.Namespace);
        Add(row.Object?.Name);
        Add(row.Object?.Uid);
        Add(row.Object?.ResourceVersion);
        Add(row.Request);
        Add(Number(row.Details.Count));
        foreach (var (key, value) in row.Details.OrderBy(one => one.Key, StringComparer.Ordinal))
        {
            Add(key);
            Add(value);
        }

        Add(row.Previous);
        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void Add(string? text)
        {
            if (text is null)
            {
                hash.AppendData("-,"u8);
                return;
            }

            var bytes = Encoding.UTF8.GetBytes(text);
            hash.AppendData(Encoding.ASCII.GetBytes(Number(bytes.Length) + ":"));
            hash.AppendData(bytes);
            hash.AppendData(","u8);
        }
    }

    /// <summary>What rows say when nothing is wrong with them: by the newest retention, where there was one, all before its place is gone and it says so itself.</summary>
    public static IReadOnlyDictionary<string, string> Retained(AuditPlace upto, long rows) =>
        new Dictionary<string, string>(StringComparer.Ordinal) { ["upto"] = Number(upto.Seq), ["hash"] = upto.Hash, ["rows"] = Number(rows) };

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Takes the rows from the oldest to the newest, and finds the first link that is broken.</summary>
public sealed class AuditVerifier
{
    private readonly AuditPlace anchor;
    private readonly AuditPlace head;
    private AuditPlace last;
    private bool anchored;

    /// <param name="anchor">What was before the first.</param>
    /// <param name="head">The last that there must be.</param>
    public AuditVerifier(AuditPlace anchor, AuditPlace head) => (this.anchor, this.head, last, anchored) = (anchor, head, anchor, anchor == AuditChain.Beginning);

    /// <summary>Rows that were good.</summary>
    public long Count { get; private set; }

    /// <summary>The last that was good.</summary>
    public AuditPlace Last => last;

    /// <returns>What is wrong; null where nothing is. After something was, no further row is to be given.</returns>
    public string? Next(AuditRow row)
    {
        if (row.Seq != last.Seq + 1) return $"row {row.Seq} follows row {last.Seq}: {(row.Seq > last.Seq ? $"{row.Seq - last.Seq - 1} rows between them are missing" : "they are not in their order")}";
        if (row.Previous != last.Hash) return $"row {row.Seq} does not fit row {last.Seq}: one of them was altered or replaced";
        if (AuditChain.HashOf(row) != row.Hash) return $"row {row.Seq} was altered after it was written";
        last = new AuditPlace(row.Seq, row.Hash);
        Count++;
        anchored |= row.Action == AuditActions.Retention && row.Details.GetValueOrDefault("upto") == anchor.Seq.ToString(CultureInfo.InvariantCulture) && row.Details.GetValueOrDefault("hash") == anchor.Hash;
        return null;
    }

    /// <summary>After the last row.</summary>
    /// <returns>As above.</returns>
    public string? End() =>
        last != head ? $"the last row should be {head.Seq}, and is {last.Seq}: {(last.Seq < head.Seq ? "rows at the end are missing" : "the end was altered")}"
        : anchored ? null
        : $"rows up to {anchor.Seq} are gone, and no row says that retention removed them";
}
