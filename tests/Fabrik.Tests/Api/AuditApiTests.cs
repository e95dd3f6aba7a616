using System.Text.Json;
using Fabrik.Audit;
using Fabrik.Storage;

namespace Fabrik.Tests.Api;

public sealed class AuditApiTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task The_record_is_told_a_page_at_a_time_in_either_order_and_what_is_read_verifies()
    {
        await using var host = await StartAsync();
        var (rows, cursor, verifier) = (new List<AuditRow>(), (string?)null, (AuditVerifier?)null);
        do
        {
            var page = (await host.JsonAsync($"{Names.Paths.Audit}?order=asc&limit=3{(cursor is null ? "" : $"&cursor={cursor}")}")).Deserialize(AuditJson.Default.AuditList)!;
            verifier ??= new AuditVerifier(page.Anchor, page.Head);
            foreach (var row in page.Items) verifier.Next(row).ShouldBeNull();
            rows.AddRange(page.Items);
            cursor = page.Next;
        }
        while (cursor is not null);
        verifier.End().ShouldBeNull();
        rows.Count.ShouldBe(10);
        (await SequencesAsync(host, "limit=2")).ShouldBe([10, 9]);
    }

    [Theory]
    [InlineData("actor=alice", new long[] { 9, 6, 3 })]
    [InlineData("object=more-memory", new long[] { 10, 8, 6, 4, 2 })]
    [InlineData("object=OptimizerPolicy/default", new long[] { 9, 7, 5, 3, 1 })]
    [InlineData("object=OptimizerPolicy/more-memory", new long[0])]
    [InlineData("since=2026-11-20T12:09:00Z", new long[] { 10, 9 })]
    [InlineData("action=key.created", new long[0])]
    public async Task It_is_asked_for_by_who_what_and_when(string query, long[] expected)
    {
        await using var host = await StartAsync();
        (await SequencesAsync(host, query)).ShouldBe(expected);
    }

    [Theory]
    [InlineData("reader", "", 200)]
    [InlineData("of-ci", "", 403)]
    [InlineData("nobody", "", 403)]
    [InlineData(null, "", 401)]
    [InlineData("reader", "?who=alice", 400)]
    [InlineData("reader", "?object=a/b/c", 400)]
    [InlineData("reader", "?limit=1001", 400)]
    [InlineData("reader", "?order=up", 400)]
    public async Task Only_those_who_may_list_all_runs_are_told_and_only_what_is_asked_in_words_that_are_known(string? token, string query, int status)
    {
        await using var host = await StartAsync();
        using var answer = await host.SendAsync(Names.Paths.Audit + query, token);
        ((int)answer.StatusCode).ShouldBe(status);
    }

    private static async Task<long[]> SequencesAsync(ApiHost host, string query) => [.. (await host.JsonAsync($"{Names.Paths.Audit}?{query}")).GetProperty("items").EnumerateArray().Select(row => row.GetProperty("seq").GetInt64())];

    private static async Task<ApiHost> StartAsync()
    {
        var host = await ApiHost.StartAsync();
        for (var number = 1; number <= 10; number++)
        {
            var about = number % 2 == 0 ? new AuditObject(ObjectEdits.ChangeKind, Names.SystemNamespace, "more-memory", "u", "7") : new AuditObject(ObjectEdits.PolicyKind, null, Names.PolicyName, null, null);
            new AuditStore(host.Database.Database).Append(new AuditEntry(Start.AddMinutes(number), number % 3 == 0 ? "alice" : null, AuditActions.ChangeEdited, about, null, new Dictionary<string, string> { ["rationale"] = "a \"b\" <c> é" }));
        }

        return host;
    }
}
