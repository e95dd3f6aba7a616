using Fabrik.Experiments;
using Fabrik.Runs;
using Fabrik.Storage;
using FsCheck;
using FsCheck.Fluent;
using Outcome = Fabrik.Runs.Outcome;

namespace Fabrik.Tests.Storage;

public class PagingTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly Gen<RunQuery> Queries =
        from sort in Gen.Elements(Enum.GetValues<RunSort>())
        from up in Gen.Elements(true, false)
        from limit in Gen.Choose(1, 40)
        from ns in Gen.Elements<string?>(null, null, "a", "b", "none")
        from arm in Gen.Elements<Arm?>(null, null, Arm.Treatment, Arm.Control)
        from outcome in Gen.Elements<Outcome?>(null, null, Outcome.Succeeded, Outcome.Running, Outcome.Lost)
        from change in Gen.Elements<string?>(null, null, "c1", "c2", "none")
        from prefix in Gen.Elements<string?>(null, null, "job-1", "job-2")
        from since in Gen.Elements<int?>(null, null, 20)
        from until in Gen.Elements<int?>(null, null, 90)
        select new RunQuery
        {
            Sort = sort,
            Ascending = up,
            Limit = limit,
            Namespace = ns,
            Arm = arm,
            Outcome = outcome,
            Change = change,
            NamePrefix = prefix,
            Since = since is { } s ? Start.AddMinutes(s) : null,
            Until = until is { } u ? Start.AddMinutes(u) : null,
        };

    /// <param name="few">How many count as few, and how far a walk goes: small, so that every way is taken.</param>
    [Theory]
    [InlineData(RunReader.Few, RunReader.Walk)]
    [InlineData(0, RunReader.Walk)]
    [InlineData(0, 7)]
    [InlineData(10, 25)]
    public void A_walk_over_the_pages_meets_every_run_that_matches_once_and_in_order(int few, int walk)
    {
        using var temporary = new TemporaryDatabase();
        var all = Enumerable.Range(0, 150).Select(Made).ToArray();
        temporary.Store.Write(all.Select(run => new RunChange(run, new Evidence { Id = run.Id }, [], null)));
        var reader = new RunReader(temporary.Database, few, walk);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(150), Prop.ForAll(Queries.ToArbitrary(), query =>
        {
            var met = Walk(reader, query).Select(run => run.Id).ToArray();
            met.ShouldBe(Expected(all, query).Select(run => run.Id), $"{query}");
        }));
    }

    [Fact]
    public void Runs_that_come_during_the_walk_neither_hide_nor_repeat_those_that_were_there()
    {
        using var temporary = new TemporaryDatabase();
        var all = Enumerable.Range(0, 100).Select(Made).ToArray();
        Write(all);
        var next = 1000;
        foreach (var ascending in (bool[])[true, false])
        {
            var there = temporary.All().Select(run => run.Id).ToHashSet(StringComparer.Ordinal);
            var met = Walk(temporary.Reader, new RunQuery { Limit = 7, Ascending = ascending }, () => Write([Made(next++)])).Select(run => run.Id).ToArray();
            met.ShouldBeUnique();
            there.Except(met).ShouldBeEmpty();
        }

        void Write(IEnumerable<Run> runs) => temporary.Store.Write(runs.Select(run => new RunChange(run, new Evidence { Id = run.Id }, [], null)));
    }

    [Fact]
    public void A_page_is_full_where_one_filter_has_few_runs_however_rare_the_combination_is()
    {
        using var temporary = new TemporaryDatabase();
        temporary.Store.Write(Enumerable.Range(0, 600).Select(number => new RunChange(Made(number) with { Project = number % 10 == 0 ? "p" : "q" }, new Evidence { Id = $"{number}" }, [], null)));
        var reader = new RunReader(temporary.Database, few: 100, walk: 10);
        foreach (var sort in Enum.GetValues<RunSort>())
            reader.List(new RunQuery { Sort = sort, Project = "p", Arm = Arm.Treatment, Namespace = "b", Outcome = Outcome.Succeeded, Limit = 5 }).Items.Count.ShouldBe(5, $"{sort}");
    }

    [Fact]
    public void A_walk_that_is_given_up_goes_on_behind_many_runs_of_one_value()
    {
        using var temporary = new TemporaryDatabase();
        var all = Enumerable.Range(0, 120).Select(number => Made(number) with { CreatedAt = Start, StartedAt = Start, FinishedAt = Start.AddSeconds(number / 60), Outcome = Outcome.Succeeded }).ToArray();
        temporary.Store.Write(all.Select(run => new RunChange(run, new Evidence { Id = run.Id }, [], null)));
        var reader = new RunReader(temporary.Database, few: 0, walk: 9);
        foreach (var sort in Enum.GetValues<RunSort>())
            foreach (var ascending in (bool[])[true, false])
                Walk(reader, new RunQuery { Sort = sort, Ascending = ascending, Limit = 4, Arm = Arm.Control, Namespace = "b" }).Count.ShouldBe(all.Count(run => run.Arm == Arm.Control && run.Namespace == "b"));
    }

    [Fact]
    public void A_cursor_survives_its_text_and_nothing_else_is_one()
    {
        var cursor = new RunCursor(RunSort.Finished, true, -1, long.MaxValue);
        RunCursor.TryParse(cursor.ToString(), out var read).ShouldBeTrue();
        read.ShouldBe(cursor);
        foreach (var text in (string[])["", "x", new string('A', 24), cursor.ToString()[..23] + "!", cursor + "A"]) RunCursor.TryParse(text, out _).ShouldBeFalse(text);
    }

    private static List<Run> Walk(RunReader reader, RunQuery query, Action? between = null)
    {
        var met = new List<Run>();
        for (var pages = 0; pages < 1000; pages++)
        {
            var page = reader.List(query);
            page.Items.Count.ShouldBeLessThanOrEqualTo(query.Limit);
            met.AddRange(page.Items);
            if (page.Next is null) return met;
            query = query with { After = page.Next };
            if (pages < 30) between?.Invoke();
        }

        throw new InvalidOperationException("the pages do not end");
    }

    private static IEnumerable<Run> Expected(IEnumerable<Run> all, RunQuery query)
    {
        var matching = all.Where(run =>
            (query.Namespace is null || run.Namespace == query.Namespace) && (query.Arm is null || run.Arm == query.Arm) && (query.Outcome is null || run.Outcome == query.Outcome)
            && (query.Change is null || run.Experiments.Contains(query.Change) || run.AppliedChanges.Contains(query.Change)) && (query.NamePrefix is null || run.Name.StartsWith(query.NamePrefix, StringComparison.Ordinal))
            && (query.Since is null || run.CreatedAt >= query.Since) && (query.Until is null || run.CreatedAt < query.Until));
        var sorted = matching.OrderBy(run => query.Sort switch
        {
            RunSort.Created => run.CreatedAt.ToUnixTimeMilliseconds(),
            RunSort.Finished => run.FinishedAt?.ToUnixTimeMilliseconds() ?? -1,
            _ => run.DurationSeconds * 1000 ?? -1,
        }).ThenBy(run => run.Attempts);
        return query.Ascending ? sorted : sorted.Reverse();
    }

    // Several share each value, so that the tie is broken too; Attempts tells the order of writing.
    private static Run Made(int number) => new()
    {
        Id = $"id-{number * 7919 % 10_007:00000}",
        Namespace = number % 3 == 0 ? "a" : "b",
        Name = $"job-{number % 30}",
        Arm = (Arm)(number % 5),
        Experiments = (Arm)(number % 5) switch { Arm.Treatment => ["c1"], Arm.Control => number % 2 == 0 ? ["c1", "c2"] : ["c2"], _ => [] },
        AppliedChanges = (Arm)(number % 5) == Arm.Applied ? (number % 3 == 0 ? ["c3", "c1"] : ["c3"]) : [],
        Stratum = "s",
        CreatedAt = Start.AddMinutes(number / 3 * 2),
        StartedAt = Start.AddMinutes(number / 3 * 2),
        FinishedAt = number % 6 == 0 ? null : Start.AddMinutes((number / 3 * 2) + (number % 11)),
        Outcome = number % 6 == 0 ? Outcome.Running : number % 31 == 0 ? Outcome.Lost : Outcome.Succeeded,
        Attempts = number,
    };
}
