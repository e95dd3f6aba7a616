using Fabrik.Gateway;

namespace Fabrik.Tests.Gateway;

/// <summary>Rows of the ledger with sane values; a test says only what matters to it.</summary>
internal static class Attempts
{
    public static readonly DateTimeOffset Start = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    /// <summary>Of a Job in namespace ci and project shop; its call is its own.</summary>
    public static UsageEvent Of(int number, int? call = null, DateTimeOffset? at = null) => new()
    {
        Id = Id(1, number),
        OperationId = Id(2, call ?? number),
        StartedAt = at ?? Start,
        RunId = "run-a",
        Namespace = "ci",
        Project = "shop",
        Operation = Operation.Chat,
        Provider = "openai",
        ProviderKey = "first",
        RequestedModel = "fast",
        SentModel = "gpt-5.4-mini",
        ServedModel = "gpt-5.4-mini-2026-03-01",
        Tokens = new TokenCounts(100, 40, 5, 2, 20, 8, 1),
        CostMicros = 1500,
        Currency = "USD",
        PriceVersion = "2026-11",
        LatencyMs = 812.5,
        FirstByteMs = 200,
        Outcome = AttemptOutcome.Completed,
        Status = 200,
    };

    public static string Id(int kind, int number) => $"0193{kind:x4}-0000-7000-8000-{number:x12}";
}
