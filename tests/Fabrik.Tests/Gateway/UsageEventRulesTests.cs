using Fabrik.Gateway;

namespace Fabrik.Tests.Gateway;

public class UsageEventRulesTests
{
    private static readonly DateTimeOffset Now = Attempts.Start.AddMinutes(5);

    private static readonly Dictionary<string, UsageEvent> Bad = new(StringComparer.Ordinal)
    {
        ["id is"] = Attempts.Of(1) with { Id = "1" },
        ["id is not a UUID in lower case"] = Attempts.Of(1) with { Id = "0193ABCD-0000-7000-8000-000000000001" },
        ["operationId"] = Attempts.Of(1) with { OperationId = "{01930001-0000-7000-8000-000000000001}" },
        ["startedAt is in the future"] = Attempts.Of(1) with { StartedAt = Now.AddMinutes(11) },
        ["startedAt is more than"] = Attempts.Of(1) with { StartedAt = Now.AddDays(-401) },
        ["exactly one of"] = Attempts.Of(1) with { RunId = null },
        ["exactly one of runId and keyId"] = Attempts.Of(1) with { KeyId = "k" },
        ["namespace is missing"] = Attempts.Of(1) with { Namespace = null },
        ["runId is longer"] = Attempts.Of(1) with { RunId = new string('r', 64) },
        ["project is empty"] = Attempts.Of(1) with { Project = "" },
        ["sentModel is longer"] = Attempts.Of(1) with { SentModel = new string('m', 513) },
        ["error is longer"] = Attempts.Of(1) with { Error = new string('e', 513) },
        ["provider is null"] = Attempts.Of(1) with { Provider = null! },
        ["requestedModel is null"] = Attempts.Of(1) with { RequestedModel = null! },
        ["currency"] = Attempts.Of(1) with { Currency = "usd" },
        ["currency is"] = Attempts.Of(1) with { Currency = null! },
        ["operation is"] = Attempts.Of(1) with { Operation = (Operation)99 },
        ["outcome is"] = Attempts.Of(1) with { Outcome = (AttemptOutcome)(-1) },
        ["tokens.input"] = Attempts.Of(1) with { Tokens = new TokenCounts(-1, 0, 0, 0, 0, 0, 0) },
        ["tokens.webSearches"] = Attempts.Of(1) with { Tokens = new TokenCounts(0, 0, 0, 0, 0, 0, 1_000_000_001) },
        ["costMicros"] = Attempts.Of(1) with { CostMicros = -1 },
        ["costMicros is"] = Attempts.Of(1) with { CostMicros = long.MaxValue },
        ["latencyMs"] = Attempts.Of(1) with { LatencyMs = double.NaN },
        ["firstByteMs"] = Attempts.Of(1) with { FirstByteMs = -1 },
        ["status"] = Attempts.Of(1) with { Status = 7 },
    };

    public static TheoryData<string> Reasons => [.. Bad.Keys];

    [Theory]
    [MemberData(nameof(Reasons))]
    public void What_cannot_be_is_refused_with_the_field_and_never_with_its_value(string reason)
    {
        var wrong = UsageEventRules.Wrong(Bad[reason], Now).ShouldNotBeNull();
        wrong.ShouldStartWith(reason);
        wrong.ShouldNotContain("rrrr");
    }

    [Fact]
    public void What_a_job_may_name_is_taken_however_odd_so_that_nobody_calls_for_nothing()
    {
        UsageEventRules.Wrong(Attempts.Of(1), Now).ShouldBeNull();
        UsageEventRules.Wrong(Attempts.Of(1) with { RequestedModel = "a\0\e[31m\n", SentModel = "", ServedModel = "", Error = "" }, Now).ShouldBeNull();
        UsageEventRules.Wrong(Attempts.Of(1) with { RunId = null, KeyId = "laptop", Namespace = null, Project = null, Status = null, FirstByteMs = null, StartedAt = Now.AddMinutes(9) }, Now).ShouldBeNull();
    }
}
