using Dapper;
using Fabrik.Experiments;
using Fabrik.Runs;
using Fabrik.Storage;
using Microsoft.Data.Sqlite;

namespace Fabrik.Tests.Storage;

/// <summary>For which changes a run counts, as it is stored and as an analysis reads it.</summary>
public class MemberTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_run_counts_for_every_change_of_its_assignment_in_its_role()
    {
        using var temporary = new TemporaryDatabase();
        Write(temporary,
            Made(1, Arm.Treatment) with { Experiments = ["b"], AppliedChanges = ["x"] },
            Made(2, Arm.Control) with { Experiments = ["a", "b", "c"], AppliedChanges = ["x", "y"] },
            Made(3, Arm.Applied) with { AppliedChanges = ["y", "x"] },
            Made(4, Arm.Holdout),
            Made(5, Arm.None),
            Made(6, Arm.Unassigned));

        Roles(temporary, "a").ShouldBe(["2 Control"]);
        Roles(temporary, "b").ShouldBe(["1 Treatment", "2 Control"]);
        Roles(temporary, "c").ShouldBe(["2 Control"]);
        Roles(temporary, "x").ShouldBe(["1 Applied", "2 Applied", "3 Applied"]);
        Roles(temporary, "y").ShouldBe(["2 Applied", "3 Applied"]);
        foreach (var change in (string[])["a", "b", "c", "x", "y"])
            temporary.Reader.List(new RunQuery { Change = change, Ascending = true }).Items.Select(run => run.Id).ShouldBe(temporary.Members.InOrder(change).Select(member => member.Id), change);

        // And the run itself tells them in its own order.
        var (control, applied) = (temporary.Reader.Get("2")!, temporary.Reader.Get("3")!);
        (control.Experiments.ToString(), control.AppliedChanges.ToString(), applied.AppliedChanges.ToString()).ShouldBe(("a, b, c", "x, y", "y, x"));
    }

    [Fact]
    public void Writing_the_same_again_changes_nothing_but_the_revision()
    {
        using var temporary = new TemporaryDatabase();
        var run = Made(1, Arm.Control) with { Experiments = ["a", "b"] };
        Write(temporary, run);
        var before = temporary.Members.InOrder("b").Single();
        Write(temporary, run);
        temporary.Reopen();
        Write(temporary, run);
        var after = temporary.Members.InOrder("b").ShouldHaveSingleItem();
        (after with { Revision = before.Revision }).ShouldBe(before);
        after.Revision.ShouldBeGreaterThan(before.Revision);
    }

    [Fact]
    public void A_run_that_turns_out_to_be_a_copy_counts_for_nothing_any_more_and_who_counted_it_is_told()
    {
        using var temporary = new TemporaryDatabase();
        Write(temporary, Made(1, Arm.Control) with { Experiments = ["a", "b"] }, Made(2, Arm.Control) with { Experiments = ["a"] });
        var read = temporary.Members.Revision();
        Write(temporary, Made(1, Arm.Unassigned));

        Roles(temporary, "a").ShouldBe(["2 Control"]);
        Roles(temporary, "b").ShouldBeEmpty();
        temporary.Reader.List(new RunQuery { Change = "b" }).Items.ShouldBeEmpty();
        temporary.Reader.Get("1")!.Experiments.ShouldBeEmpty();
        temporary.Members.Updated("b", read).Select(member => (member.Id, member.Role)).ShouldBe([("1", MemberRole.Withdrawn)]);

        // Told once, and taken back when the earlier Job was the mistake.
        read = temporary.Members.Revision();
        Write(temporary, Made(1, Arm.Unassigned));
        temporary.Members.Updated("b", read).ShouldBeEmpty();
        Write(temporary, Made(1, Arm.Control) with { Experiments = ["a", "b"] });
        Roles(temporary, "b").ShouldBe(["1 Control"]);
    }

    [Fact]
    public void Members_come_by_creation_from_a_cursor_on_and_each_once()
    {
        using var temporary = new TemporaryDatabase();

        // Several of one second, written in an order of their own.
        var runs = Enumerable.Range(0, 50).Select(number => Made(number, number % 2 == 0 ? Arm.Treatment : Arm.Control) with { Experiments = ["a"], CreatedAt = Start.AddSeconds(number * 7 % 50 / 3) }).ToArray();
        Write(temporary, runs);
        var met = new List<Member>();
        while (temporary.Members.InOrder("a", met.Count == 0 ? null : MemberCursor.Of(met[^1]), limit: 7).ToArray() is { Length: > 0 } some) met.AddRange(some);
        met.Select(member => member.Id).ShouldBe(runs.Index().OrderBy(run => run.Item.CreatedAt).ThenBy(run => run.Index).Select(run => run.Item.Id));
        temporary.Members.InOrder("a", limit: 0).ShouldBeEmpty();
    }

    [Fact]
    public void Outcomes_that_came_after_reading_and_runs_that_were_found_late_are_in_the_updates()
    {
        using var temporary = new TemporaryDatabase();
        Write(temporary, Made(1, Arm.Control) with { Experiments = ["a", "b"] }, Made(2, Arm.Control) with { Experiments = ["a"] });
        var read = temporary.Members.Revision();
        temporary.Members.InOrder("a").ShouldAllBe(member => member.Outcome == Outcome.Running && member.DurationSeconds == null);
        temporary.Members.Updated("a", read).ShouldBeEmpty();

        Write(temporary, Made(1, Arm.Control) with { Experiments = ["a", "b"], Outcome = Outcome.Failed, OomKilled = true, StartedAt = Start, FinishedAt = Start.AddSeconds(90), Attempts = 3, Applied = new RunResources { MemoryLimitBytes = 7 } });
        Write(temporary, Made(3, Arm.Treatment) with { Experiments = ["a"], CreatedAt = Start.AddDays(-1) });

        var updates = temporary.Members.Updated("a", read).ToArray();
        updates.Select(member => member.Id).ShouldBe(["1", "3"]);
        var failed = updates[0];
        (failed.Outcome, failed.OomKilled, failed.DurationSeconds, failed.Attempts, failed.Applied.MemoryLimitBytes).ShouldBe((Outcome.Failed, true, 90, 3, 7));
        failed.Revision.ShouldBeGreaterThan(read);
        temporary.Members.Updated("b", read).ShouldHaveSingleItem().Id.ShouldBe("1");
        temporary.Members.Updated("a", failed.Revision).ShouldHaveSingleItem().Id.ShouldBe("3");
    }

    [Fact]
    public void What_is_known_from_events_alone_does_not_take_a_run_out_of_its_experiments()
    {
        using var temporary = new TemporaryDatabase();
        Write(temporary, Made(1, Arm.Control) with { Experiments = ["a"] });
        temporary.Store.Write([new RunChange(Made(1, Arm.Unassigned) with { Outcome = Outcome.Lost }, new Evidence { Id = "1" }, [], null)]);
        Roles(temporary, "a").ShouldBe(["1 Control"]);
    }

    /// <summary>Of a control and of an applied run only the change of the arm was stored.</summary>
    [Fact]
    public void Runs_of_the_schema_before_count_for_the_change_of_their_arm()
    {
        using var temporary = new TemporaryDatabase();
        Write(temporary, [.. Enum.GetValues<Arm>().Select(arm => Made((int)arm, arm) with { Change = arm is Arm.Treatment or Arm.Control or Arm.Applied ? "a" : null })]);
        temporary.Database.Dispose();
        var before = temporary.File + ".before";
        using (var file = new SqliteConnection($"Data Source={before};Pooling=False"))
        {
            file.Open();
            file.Execute("CREATE TABLE schema_version (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)");
            file.Execute(Migrations.All[0].Sql);
            file.Execute("INSERT INTO schema_version VALUES (1, @name, 0)", new { name = Migrations.All[0].Name });
            file.Execute("ATTACH @now AS now; ALTER TABLE now.runs DROP COLUMN containers; INSERT INTO runs SELECT * FROM now.runs", new { now = temporary.File });
        }

        foreach (var part in new[] { "", "-wal", "-shm" }) File.Delete(temporary.File + part);
        File.Move(before, temporary.File);
        temporary.Reopen();
        Roles(temporary, "a").ShouldBe(["0 Treatment", "1 Control", "3 Applied"]);
        temporary.Members.Updated("a", 0).Count().ShouldBe(3);
        temporary.Members.Revision().ShouldBe(1);
    }

    private static string[] Roles(TemporaryDatabase temporary, string change) => [.. temporary.Members.InOrder(change).Select(member => $"{member.Id} {member.Role}")];

    private static void Write(TemporaryDatabase temporary, params Run[] runs) =>
        temporary.Store.Write(runs.Select(run => new RunChange(run, new Evidence { Id = run.Id, Job = new JobFacts { Version = 1, Namespace = "ci", Name = run.Name, CreatedAt = run.CreatedAt, Stratum = "s" } }, [], null)));

    private static Run Made(int number, Arm arm) => new()
    {
        Id = $"{number}",
        Namespace = "ci",
        Name = $"job-{number}",
        RunId = arm == Arm.Unassigned ? null : $"run-{number}",
        Arm = arm,
        Stratum = "s",
        CreatedAt = Start.AddSeconds(number),
        Outcome = Outcome.Running,
    };
}
