using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Tables;

internal static class Jobs
{
    private static readonly string[] Ends = ["Complete", "Failed"];
    private static readonly string[] States = ["Suspended", "FailureTarget", "SuccessCriteriaMet"];

    public static string Status(JsonObject job)
    {
        bool Is(string type) => job.At("status", "conditions").Objects().Any(condition => condition["type"].String() == type && condition["status"].String() == "True");
        return Array.Find(Ends, Is) ?? (job.At("metadata", "deletionTimestamp") is not null ? "Terminating" : Array.Find(States, Is) ?? "Running");
    }

    public static string Completions(JsonObject job)
    {
        var succeeded = job.At("status", "succeeded").Long() ?? 0;
        if (job.At("spec", "completions").Long() is { } wanted) return $"{succeeded}/{wanted}";
        return job.At("spec", "parallelism").Long() is > 1 and var parallel ? $"{succeeded}/1 of {parallel}" : $"{succeeded}/1";
    }

    public static string Duration(JsonObject job, DateTimeOffset now) =>
        Ages.Read(job.At("status", "startTime")) is { } start ? Ages.Print((Ages.Read(job.At("status", "completionTime")) ?? now) - start) : "";
}
