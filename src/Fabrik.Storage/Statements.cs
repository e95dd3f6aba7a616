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

    public static void Set(this SqliteCommand command, string name, object? value)
    {
        if (command.Parameters.Contains(name)) command.Parameters[name].Value = value ?? DBNull.Value;
        else command.Parameters.AddWithValue(name, value ?? DBNull.Value);
    }
}
