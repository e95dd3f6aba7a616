using Fabrik.Gateway;
using Fabrik.Runs;
using Fabrik.Storage;
using Fabrik.Tests.Runs;
using Microsoft.Data.Sqlite;

namespace Fabrik.Tests.Storage;

/// <summary>Which runs have ended, as gateways are told.</summary>
public class RunEndTests
{
    private static readonly DateTimeOffset Now = Some.Run().CreatedAt.AddDays(1);

    [Fact]
    public void A_run_is_told_once_it_has_ended_and_once()
    {
        using var temporary = new TemporaryDatabase();
        Write(temporary, Made("a", Outcome.Running), Made("b", Outcome.Succeeded), Made(null, Outcome.Failed));
        var told = Ends(temporary).After(null, Now);
        told.Ends.ShouldBe([new RunEnd("b", true, Some.Run().CreatedAt.AddDays(31))]);
        Write(temporary, Made("b", Outcome.Succeeded) with { Attempts = 2 });
        Ends(temporary).After(told.Cursor, Now).Ends.ShouldBeEmpty();

        // Late, and with an end before the one that was told.
        Write(temporary, Made("a", Outcome.Failed) with { FinishedAt = Some.Run().CreatedAt });
        var next = Ends(temporary).After(told.Cursor, Now);
        next.Ends.Select(one => (one.RunId, one.Ended)).ShouldBe([("a", true)]);
        Ends(temporary).After(next.Cursor, Now).ShouldBe(new RunEnds([], next.Cursor, false), new SameEnds());
    }

    [Fact]
    public void One_that_was_lost_and_turns_up_again_is_told_to_live()
    {
        using var temporary = new TemporaryDatabase();
        foreach (var outcome in (Outcome[])[Outcome.Running, Outcome.Lost, Outcome.Running, Outcome.Lost, Outcome.Succeeded]) Write(temporary, Made("a", outcome));
        Ends(temporary).After(null, Now).Ends.Select(one => one.Ended).ShouldBe([true, false, true]);
    }

    [Fact]
    public void While_a_job_lives_the_end_of_a_copy_with_its_run_id_ends_nothing()
    {
        using var temporary = new TemporaryDatabase();
        Write(temporary, Made("a", Outcome.Running, job: "original"), Made("a", Outcome.Failed, job: "copy"));
        Ends(temporary).After(null, Now).Ends.ShouldBeEmpty();
        Write(temporary, Made("a", Outcome.Succeeded, job: "original"));
        Ends(temporary).After(null, Now).Ends.ShouldHaveSingleItem().Ended.ShouldBeTrue();
    }

    [Fact]
    public void Pages_follow_one_another_and_what_no_token_can_be_of_is_left_out()
    {
        using var temporary = new TemporaryDatabase();
        Write(temporary, [.. Enumerable.Range(0, 5).Select(number => Made($"r{number}", Outcome.Succeeded)), Made("old", Outcome.Succeeded) with { CreatedAt = Now.AddDays(-31) }]);
        var (all, cursor, more) = (new List<string>(), (string?)null, true);
        for (var page = 0; more; page++)
        {
            page.ShouldBeLessThan(3);
            var told = Ends(temporary).After(cursor, Now, limit: 2);
            all.AddRange(told.Ends.Select(one => one.RunId));
            (cursor, more) = (told.Cursor, told.More);
        }

        all.ShouldBe(["r0", "r1", "r2", "r3", "r4"]);
    }

    [Fact]
    public void A_cursor_of_a_database_that_was_replaced_by_an_older_one_begins_anew()
    {
        using var temporary = new TemporaryDatabase();
        Write(temporary, Made("a", Outcome.Succeeded), Made("b", Outcome.Succeeded));
        foreach (var foreign in (string?[])["2.x", "99.b", "nonsense", "", "-1.b", "2", null]) Ends(temporary).After(foreign, Now).Ends.Count.ShouldBe(2, foreign);
        Ends(temporary).After("1.a", Now).Ends.ShouldHaveSingleItem().RunId.ShouldBe("b");
    }

    [Fact]
    public void Runs_that_ended_before_the_table_was_there_are_told()
    {
        using var temporary = new TemporaryDatabase();
        Write(temporary, Made("a", Outcome.Running), Made("b", Outcome.Succeeded), Made("c", Outcome.Running, job: "c1"), Made("c", Outcome.Failed, job: "c2"));
        using (var connection = new SqliteConnection($"Data Source={temporary.File};Pooling=False"))
        {
            connection.Open();
            using var back = connection.CreateCommand();
            back.CommandText = "DROP TABLE run_ends; DROP TABLE audit; DROP TABLE audit_head; DROP TABLE audit_anchors; DROP TABLE audit_objects; DELETE FROM schema_version WHERE number >= 9";
            back.ExecuteNonQuery();
        }

        temporary.Reopen();
        Ends(temporary).After(null, Now).Ends.ShouldBe([new RunEnd("b", true, Some.Run().CreatedAt.AddDays(31))]);
    }

    private static RunEndReader Ends(TemporaryDatabase temporary) => new(temporary.Database);

    private static Run Made(string? runId, Outcome outcome, string? job = null) => Some.Run(job ?? $"job-of-{runId}", job ?? $"job-of-{runId}") with { RunId = runId, Outcome = outcome };

    private static void Write(TemporaryDatabase temporary, params Run[] runs) =>
        temporary.Store.Write(runs.Select(run => new RunChange(run, new Evidence { Id = run.Id, Job = new JobFacts { Version = 1, Namespace = run.Namespace, Name = run.Name, CreatedAt = run.CreatedAt, Stratum = "s" } }, [], null)));

    private sealed class SameEnds : IEqualityComparer<RunEnds>
    {
        public bool Equals(RunEnds? x, RunEnds? y) => x!.Cursor == y!.Cursor && x.More == y.More && x.Ends.SequenceEqual(y.Ends);

        public int GetHashCode(RunEnds obj) => 0;
    }
}
