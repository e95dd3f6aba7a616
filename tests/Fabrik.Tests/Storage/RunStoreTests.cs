using Fabrik.Runs;
using Fabrik.Tests.Runs;

namespace Fabrik.Tests.Storage;

public class RunStoreTests
{
    [Fact]
    public void What_is_stored_is_read_back_as_it_was()
    {
        using var temporary = new TemporaryDatabase();
        temporary.Store.Write(Told(Recording.All));
        RunJsonText.Of(temporary.All()).ShouldBe(Recording.Expected);
    }

    [Fact]
    public void A_run_is_found_by_uid_and_the_latest_by_name()
    {
        using var temporary = new TemporaryDatabase();
        temporary.Store.Write(Told(Recording.All));
        var oom = temporary.All().Single(run => run.Name == "oom");
        temporary.Reader.Get(oom.Id).ShouldBe(oom);
        temporary.Reader.Latest("ci", "oom").ShouldBe(oom);
        temporary.Reader.Get("nothing").ShouldBeNull();
    }

    /// <summary>The process is killed after each change in turn; the next one lists what there is and goes on.</summary>
    [Fact]
    public void A_restart_between_any_two_changes_neither_loses_nor_doubles_a_run()
    {
        using var temporary = new TemporaryDatabase();
        for (var cut = 0; cut <= Recording.All.Count; cut += 3)
        {
            temporary.Store.Forget(temporary.Store.Load().Select(evidence => evidence.Id));
            using (var _ = new TemporaryRuns(temporary))
            {
                temporary.Store.Write(Told(Recording.All.Take(cut)));
                var ledger = Recording.Ledger();
                foreach (var evidence in temporary.Store.Load()) ledger.Restore(evidence, Recording.Now);
                foreach (var change in Recording.List(cut).Concat(Recording.All.Skip(cut))) ledger.Tell(change);
                temporary.Store.Write(ledger.Take(int.MaxValue));
                RunJsonText.Of(temporary.All()).ShouldBe(Recording.Expected, $"restarted after {cut} changes");
            }
        }
    }

    [Fact]
    public void A_write_that_breaks_off_in_the_middle_leaves_nothing_behind()
    {
        using var temporary = new TemporaryDatabase();
        var changes = Told(Recording.All);
        for (var after = 0; after < changes.Count; after++)
        {
            Should.Throw<InvalidOperationException>(() => temporary.Store.Write(BreakingOff(changes, after)));
            temporary.All().ShouldBeEmpty();
            temporary.Store.Load().ShouldBeEmpty();
            temporary.Members.Revision().ShouldBe(1);
        }
    }

    [Fact]
    public void A_job_that_was_deleted_while_nobody_watched_is_lost_unless_its_events_tell()
    {
        using var temporary = new TemporaryDatabase();
        var seen = Recording.All.TakeWhile(change => change.Version < 390).ToArray();
        temporary.Store.Write(Told(seen));
        var ledger = Recording.Ledger();
        foreach (var evidence in temporary.Store.Load()) ledger.Restore(evidence, Recording.Now);

        // Of Job oom the Events still tell, of Job deadline nothing is left.
        foreach (var change in Recording.All.Where(change => change.Kind == "events" && change.Object.GetProperty("involvedObject").GetProperty("name").GetString() == "oom")) ledger.Tell(change);
        ledger.Missing(_ => false, Recording.Now, TimeSpan.FromMinutes(1));
        temporary.Store.Write(ledger.Take(int.MaxValue));
        var runs = temporary.All().ToDictionary(run => run.Name, StringComparer.Ordinal);
        (runs["oom"].Outcome, runs["oom"].Reason).ShouldBe((Outcome.Failed, "BackoffLimitExceeded"));
        (runs["deadline"].Outcome, runs["deadline"].FinishedAt).ShouldBe((Outcome.Lost, null));
        runs["manual"].Outcome.ShouldBe(Outcome.Succeeded);
    }

    [Fact]
    public void Events_alone_make_a_run_of_a_job_that_nobody_saw_but_never_replace_one_that_was_seen()
    {
        using var temporary = new TemporaryDatabase();
        var events = Recording.All.Where(change => change.Kind == "events").ToArray();
        Write(Recording.Ledger());
        var before = temporary.All();
        before.Count.ShouldBe(12);
        before.Single(run => run.Name == "hello").Outcome.ShouldBe(Outcome.Succeeded);

        temporary.Store.Write(Told(Recording.All));
        Write(Recording.Ledger());
        RunJsonText.Of(temporary.All()).ShouldBe(Recording.Expected);

        void Write(RunLedger ledger)
        {
            foreach (var change in events) ledger.Tell(change);
            ledger.Missing(_ => false, Recording.Now.AddMinutes(2), TimeSpan.FromMinutes(1));
            temporary.Store.Write(ledger.Take(int.MaxValue));
        }
    }

    private static IReadOnlyList<RunChange> Told(IEnumerable<Change> changes)
    {
        var ledger = Recording.Ledger();
        foreach (var change in changes) ledger.Tell(change);
        return ledger.Take(int.MaxValue);
    }

    private static IEnumerable<RunChange> BreakingOff(IReadOnlyList<RunChange> changes, int after)
    {
        for (var i = 0; i < after; i++) yield return changes[i];
        throw new InvalidOperationException("killed");
    }

    private sealed class TemporaryRuns(TemporaryDatabase temporary) : IDisposable
    {
        public void Dispose() => temporary.Database.Write((connection, transaction) =>
        {
            using var command = connection.CreateCommand();
            command.Transaction = transaction;
            command.CommandText = "DELETE FROM runs; DELETE FROM run_evidence";
            return command.ExecuteNonQuery();
        });
    }
}
