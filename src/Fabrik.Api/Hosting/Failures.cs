using Fabrik.Storage;
using Microsoft.Data.Sqlite;

namespace Fabrik.Api.Hosting;

/// <summary>What a caller is told of an exception; the rest stays in the log.</summary>
internal static partial class Failures
{
    public static Problem Of(Exception e, string trace, ILogger logger)
    {
        switch (e)
        {
            case BadHttpRequestException bad:
                return Problem.BadRequest(bad.StatusCode, bad.Message);
            case SqliteException or StorageException:
                Log.Storage(logger, trace, e);
                return Problem.StorageUnavailable(e is SqliteException { SqliteErrorCode: 5 or 6 } ? "it is busy" : e is SqliteException { SqliteErrorCode: 13 } ? "its disk is full" : "the log of the API has the reason");
            default:
                Log.Unexpected(logger, trace, e);
                return Problem.Unexpected(trace);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Error, Message = "Request {Trace}: the database could not be used")]
        public static partial void Storage(ILogger logger, string trace, Exception e);

        [LoggerMessage(Level = LogLevel.Error, Message = "Request {Trace} failed")]
        public static partial void Unexpected(ILogger logger, string trace, Exception e);
    }
}
