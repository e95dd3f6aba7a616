using Fabrik.Runs;
using FsCheck;
using FsCheck.Fluent;
using TestData = Fabrik.Tests.Support.TestData;

namespace Fabrik.Tests.Runs;

public class ReplayTests
{
    [Fact]
    public void A_recorded_watch_gives_the_expected_runs() => TestData.ShouldMatchGolden(Recording.Expected, "runs/expected-of-watch.json");

    [Fact]
    public void The_order_of_arrival_does_not_matter() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(60), Prop.ForAll(Gen.Shuffle(Recording.All.ToArray()).ToArbitrary(), changes => RunsOf(changes) == Recording.Expected));

    [Fact]
    public void Changes_may_be_told_again_from_anywhere() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(60), Prop.ForAll(
            Gen.Choose(0, Recording.All.Count).Two().ToArbitrary(),
            cut => RunsOf([.. Recording.All.Take(cut.Item1), .. Recording.All.Skip(cut.Item2).Concat(Recording.All)]) == Recording.Expected));

    [Fact]
    public void What_is_told_again_changes_nothing_and_is_not_given_out_again()
    {
        var ledger = Recording.Ledger();
        foreach (var change in Recording.All) ledger.Tell(change);
        ledger.Take(int.MaxValue).Count.ShouldBe(12);
        foreach (var change in Recording.All) ledger.Tell(change);
        ledger.Take(int.MaxValue).ShouldBeEmpty();
    }

    [Fact]
    public void Merging_evidence_is_commutative_associative_and_idempotent()
    {
        var pieces = Recording.All.Select(Alone).OfType<Evidence>().GroupBy(evidence => evidence.Id, StringComparer.Ordinal).Where(group => group.Count() > 2).ToArray();
        pieces.Length.ShouldBeGreaterThan(10);
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(
            (from piece in Gen.Elements(pieces) from three in Gen.Elements(piece.ToArray()).Three() select three).ToArbitrary(),
            three =>
            {
                var (a, b, c) = three;
                return Text(Evidence.Merge(a, b)) == Text(Evidence.Merge(b, a))
                    && Text(Evidence.Merge(Evidence.Merge(a, b), c)) == Text(Evidence.Merge(a, Evidence.Merge(b, c)))
                    && Text(Evidence.Merge(a, a)) == Text(a);
            }));
    }

    private static string RunsOf(IEnumerable<Change> changes)
    {
        var ledger = Recording.Ledger();
        var given = new List<RunChange>();
        var told = 0;
        foreach (var change in changes)
        {
            ledger.Tell(change);
            if (++told % 7 == 0) given.AddRange(ledger.Take(3));
        }

        given.AddRange(ledger.Take(int.MaxValue));
        return Recording.RunsOf(given);
    }

    private static Evidence? Alone(Change change)
    {
        // Seen through a ledger that knows the Job, as a change of a Pod alone is no run yet.
        var ledger = Recording.Ledger();
        if (change.Kind == "jobs") ledger.Tell(change);
        else
        {
            foreach (var first in Recording.All.Where(first => first.Kind == "jobs" && first.Type == "ADDED")) ledger.Tell(first);
            var before = ledger.Take(int.MaxValue).Count;
            before.ShouldBeGreaterThan(0);
            ledger.Tell(change);
        }

        return ledger.Take(int.MaxValue) is [.., var last] ? last.Evidence : null;
    }

    private static string Text(Evidence evidence) =>
        System.Text.Json.JsonSerializer.Serialize(evidence with { Pods = evidence.Pods.Clear() }, RunJson.Default.Evidence)
        + string.Concat(evidence.Pods.OrderBy(pod => pod.Key, StringComparer.Ordinal).Select(pod => $"{pod.Key} {pod.Value}\n"));
}
