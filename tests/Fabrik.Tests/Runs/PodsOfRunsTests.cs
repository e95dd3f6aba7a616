using Fabrik.Runs;

namespace Fabrik.Tests.Runs;

public class PodsOfRunsTests
{
    [Fact]
    public void A_pod_leads_to_the_run_that_was_given_out_and_to_what_is_known_of_it()
    {
        var ledger = Recording.Ledger();
        foreach (var change in Recording.All) ledger.Tell(change);
        var pods = Recording.All.Where(change => change.Kind == "pods").Select(change => change.Object.GetProperty("metadata")).Select(metadata => (Namespace: metadata.GetProperty("namespace").GetString()!, Name: metadata.GetProperty("name").GetString()!)).Distinct().ToList();
        pods.ShouldAllBe(pod => ledger.OfPod(pod.Namespace, pod.Name) == null, "no run was given out yet");

        var runs = ledger.Take(int.MaxValue).ToDictionary(change => change.Run.Id, change => change.Run, StringComparer.Ordinal);
        foreach (var (ns, name) in pods)
        {
            var evidence = ledger.OfPod(ns, name).ShouldNotBeNull(name);
            name.ShouldStartWith(runs[evidence.Id].Name + "-");
            ledger.Of(evidence.Id).ShouldBeSameAs(evidence);
        }

        ledger.OfPod("ci", "stranger").ShouldBeNull();
        ledger.OfPod("elsewhere", pods[0].Name).ShouldBeNull();
        ledger.Of("nothing").ShouldBeNull();
    }

    [Fact]
    public void When_the_first_ordinary_container_was_started_and_which_there_are_is_kept()
    {
        var ledger = Recording.Ledger();
        foreach (var change in Recording.All) ledger.Tell(change);
        foreach (var run in ledger.Take(int.MaxValue).Where(change => change.Run.Outcome == Outcome.Succeeded))
        {
            run.Evidence.Job!.Ordinary.ShouldNotBeNull().Split(',').Length.ShouldBe(run.Run.Name.StartsWith("train-", StringComparison.Ordinal) ? 2 : 1, run.Run.Name);
            run.Evidence.Pods.Values.ShouldAllBe(pod => pod.StartedAt != null && pod.StartedAt >= run.Run.CreatedAt && pod.StartedAt <= run.Run.FinishedAt);
        }
    }
}
