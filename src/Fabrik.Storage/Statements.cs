using Fabrik.Gateway;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>Statements that are prepared once and executed many times within one transaction.</summary>
internal static class Statements
{
    public static SqliteCommand Prepare(this SqliteConnection connection, SqliteTransaction transaction, string sql)
    {
        var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = sql;
        return command;
    }

    /// <summary>What an attempt, or a sum of some, is counted and billed by.</summary>
    public static void Set(this SqliteCommand command, in TokenCounts tokens, bool estimated, long costMicros, bool priceUnknown)
    {
        command.Set("@input", tokens.Input);
        command.Set("@cache_read", tokens.CacheRead);
        command.Set("@cache_write", tokens.CacheWrite);
        command.Set("@cache_write_hour", tokens.CacheWriteHour);
        command.Set("@output", tokens.Output);
        command.Set("@reasoning", tokens.Reasoning);
        command.Set("@web_searches", tokens.WebSearches);
        command.Set("@estimated", estimated ? 1 : 0);
        command.Set("@cost_micros", costMicros);
        command.Set("@price_unknown", priceUnknown ? 1 : 0);
    }

    public static void Set(this SqliteCommand command, string name, object? value)
    {
        if (command.Parameters.Contains(name)) command.Parameters[name].Value = value ?? DBNull.Value;
        else command.Parameters.AddWithValue(name, value ?? DBNull.Value);
    }
}
