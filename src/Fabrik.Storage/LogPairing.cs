using System.Buffers.Binary;
using System.Security.Cryptography;
using Dapper;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>
/// Whether a write-ahead log is that of the file it lies beside. SQLite takes any that is whole in itself for it, and writes the pages of another database, or of
/// another time, over those that are there. So each database has an id, and each transaction a number, both in its first page (application_id, user_version);
/// a log must hold that id, and must go on from where the file is. Formats: sqlite.org/fileformat2.html, sections 1.3 and 4.
/// </summary>
internal static class LogPairing
{
    private const int FileHeader = 100;
    private const int LogHeader = 32;
    private const int FrameHeader = 24;
    private const int NumberAt = 60;
    private const int IdAt = 68;
    private const int Attempts = 20;

    /// <summary>What a log begins with: the order of bytes in its checksums.</summary>
    private const uint LittleEndian = 0x377f0682, BigEndian = 0x377f0683;

    /// <summary>Of one look at a first page.</summary>
    private sealed record Mark(int Id, int Number);

    /// <summary>Says in a transaction that it was one of this database; without it no log could be told from another.</summary>
    public static void Count(SqliteConnection connection, SqliteTransaction transaction)
    {
        var number = connection.ExecuteScalar<long>("PRAGMA user_version", transaction: transaction);
        connection.Execute($"PRAGMA user_version = {(number + 1) & int.MaxValue}", transaction: transaction);
    }

    /// <summary>Gives a new database its id, and brings it into the file itself, where a log that came from elsewhere cannot hide it.</summary>
    public static void Identify(SqliteConnection connection)
    {
        using (var transaction = connection.BeginTransaction(deferred: false))
        {
            if (connection.ExecuteScalar<long>("PRAGMA application_id", transaction: transaction) == 0)
                connection.Execute($"PRAGMA application_id = {RandomNumberGenerator.GetInt32(1, int.MaxValue)}", transaction: transaction);
            Count(connection, transaction);
            transaction.Commit();
        }

        connection.Execute("PRAGMA wal_checkpoint(PASSIVE)");
    }

    /// <summary>Reads both files and changes neither; another process may write meanwhile.</summary>
    /// <returns>What is wrong; null where the two belong together, or nothing of either says that they do not.</returns>
    public static string? Problem(string path)
    {
        for (var attempt = 0; ; attempt++)
        {
            if (File(path) is not { } file || Log(path + "-wal") is not { } log) return null;
            // A new database's first transactions come before its id, in the same log.
            var problem = log.Last.Id != file.Id || (log.First.Id != 0 && log.First.Id != file.Id) ? "of another database"
                : log.Last.Number < file.Number ? "of a time before the file's"
                : log.First.Number > file.Number + 1L ? "of a time after the file's, with others between that are in neither"
                : null;

            // A checkpoint may come between the two reads.
            if (problem is null || (attempt == Attempts) || (File(path) == file && Log(path + "-wal") == log)) return problem;
        }
    }

    /// <summary>Null where the file has no id yet.</summary>
    private static Mark? File(string path)
    {
        if (Opened(path) is not { } stream) return null;
        using (stream)
        {
            var header = new byte[FileHeader];
            return stream.ReadAtLeast(header, FileHeader, throwOnEndOfStream: false) == FileHeader && header.AsSpan().StartsWith("SQLite format 3\0"u8) && Of(header) is { Id: not 0 } mark ? mark : null;
        }
    }

    /// <summary>Of the first and the last first page that the log's transactions have; null where they have none, or there is no whole transaction.</summary>
    private static (Mark First, Mark Last)? Log(string path)
    {
        if (Opened(path) is not { } stream) return null;
        using (stream)
        {
            Span<byte> header = stackalloc byte[LogHeader], frame = stackalloc byte[FrameHeader];
            if (stream.ReadAtLeast(header, LogHeader, throwOnEndOfStream: false) < LogHeader || BinaryPrimitives.ReadUInt32BigEndian(header) is not (LittleEndian or BigEndian)) return null;
            var big = BinaryPrimitives.ReadUInt32BigEndian(header) == BigEndian;
            var page = new byte[Math.Clamp(BinaryPrimitives.ReadInt32BigEndian(header[8..]), 512, 65536)];
            var sum = Sum((0, 0), header[..24], big);
            if (sum != Read(header[24..])) return null;
            var salt = header[16..24];
            (Mark? First, Mark? Last) seen = default, whole = default;
            while (stream.ReadAtLeast(frame, FrameHeader, throwOnEndOfStream: false) == FrameHeader && frame[8..16].SequenceEqual(salt) && stream.ReadAtLeast(page, page.Length, throwOnEndOfStream: false) == page.Length)
            {
                sum = Sum(Sum(sum, frame[..8], big), page, big);
                if (sum != Read(frame[16..])) break;
                if (BinaryPrimitives.ReadInt32BigEndian(frame) == 1) seen = (seen.First ?? Of(page), Of(page));
                if (BinaryPrimitives.ReadInt32BigEndian(frame[4..]) != 0) whole = seen;
            }

            return whole is ({ } first, { } last) ? (first, last) : null;
        }
    }

    private static FileStream? Opened(string path) => System.IO.File.Exists(path) ? new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1 << 16) : null;

    private static Mark Of(ReadOnlySpan<byte> page) => new(BinaryPrimitives.ReadInt32BigEndian(page[IdAt..]), BinaryPrimitives.ReadInt32BigEndian(page[NumberAt..]));

    private static (uint, uint) Read(ReadOnlySpan<byte> sum) => (BinaryPrimitives.ReadUInt32BigEndian(sum), BinaryPrimitives.ReadUInt32BigEndian(sum[4..]));

    private static (uint, uint) Sum((uint A, uint B) sum, ReadOnlySpan<byte> bytes, bool big)
    {
        var (a, b) = sum;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            a += (big ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt32LittleEndian(bytes)) + b;
            b += (big ? BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]) : BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..])) + a;
        }

        return (a, b);
    }
}
