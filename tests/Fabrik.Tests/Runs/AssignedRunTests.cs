using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Runs;
using Fabrik.Tests.Admission;

namespace Fabrik.Tests.Runs;

/// <summary>Arms come from what is signed and from nothing else.</summary>
public class AssignedRunTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(number => (byte)number)];
    private static readonly AssignmentKeys Keys = new(Key);
    private static readonly DateTimeOffset Now = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Arm_change_run_id_and_what_was_asked_for_come_from_the_signed_annotation()
    {
        var run = RunsOf(Job("a", Signed("a"))).Single();
        (run.Arm, run.Change, run.RunId).ShouldBe((Arm.Treatment, "more-memory", "run-of-a"));
        (run.Requested.MemoryLimitBytes, run.Applied.MemoryLimitBytes).ShouldBe((1L << 30, 2L << 30));
        (run.Requested.MemoryRequestBytes, run.Applied.MemoryRequestBytes).ShouldBe((1L << 30, 2L << 30));
        (run.Requested.CpuRequestMillis, run.Applied.CpuRequestMillis).ShouldBe((500, 500));
    }

    /// <summary>From the webhook's own hand: review in, patched Job out, observed.</summary>
    [Fact]
    public void What_the_webhook_put_on_a_job_is_what_its_run_says()
    {
        var snapshot = Snapshots.Of("""
            { "policy": {}, "namespaces": { "ci": { "fabrik.dev/enabled": "true" } },
              "changes": [
                { "name": "more-memory", "slot": 0, "share": 0.1, "change": { "memoryRequest": "2Gi", "memoryLimit": "2Gi" } },
                { "name": "more-cpu", "slot": 1, "share": 0.1, "change": { "cpuRequest": "900m" } },
                { "name": "clean-up", "phase": "applied", "change": { "ttlSecondsAfterFinished": 60 }, "lastAppliedAt": "2026-01-01T00:00:00Z" } ] }
            """);
        var counted = new HashSet<string>(StringComparer.Ordinal);
        for (var unit = 0; unit < 60; unit++)
        {
            var job = Job($"job-{unit}", null);
            foreach (var added in (string[])["uid", "resourceVersion", "creationTimestamp"]) job["metadata"]!.AsObject().Remove(added);
            var main = job["spec"]!["template"]!["spec"]!["containers"]!.AsArray();
            main.RemoveAt(0);
            main[0]!["resources"] = JsonNode.Parse("""{ "limits": { "memory": "1Gi" }, "requests": { "memory": "1Gi", "cpu": "500m" } }""");
            job["spec"]!["template"]!["spec"]!["restartPolicy"] = "Never";
            job["apiVersion"] = "batch/v1";
            var reviewed = Reviewed.Of(new JsonObject
            {
                ["apiVersion"] = "admission.k8s.io/v1",
                ["kind"] = "AdmissionReview",
                ["request"] = new JsonObject
                {
                    ["uid"] = $"00000000-0000-0000-0000-{unit:000000000000}",
                    ["kind"] = new JsonObject { ["group"] = "batch", ["version"] = "v1", ["kind"] = "Job" },
                    ["resource"] = new JsonObject { ["group"] = "batch", ["version"] = "v1", ["resource"] = "jobs" },
                    ["name"] = $"job-{unit}",
                    ["namespace"] = "ci",
                    ["operation"] = "CREATE",
                    ["object"] = job,
                },
            }, snapshot);
            var stored = reviewed.After;
            stored["metadata"]!["uid"] = $"u{unit}";
            stored["metadata"]!["resourceVersion"] = "1";

            var ledger = new RunLedger(found => AssignedReader.Read(found, Reviewed.Keys));
            ledger.Namespace("ci", Some.Namespace("ci"));
            ledger.Job(Some.Element(stored), false, Now);
            var run = ledger.Take(1).Single().Run;
            var assignment = reviewed.Assignment.ShouldNotBeNull(reviewed.Outcome.ToString());
            (run.Arm, run.Change, run.RunId).ShouldBe((assignment.Arm, assignment.Change, assignment.RunId));
            run.RunId.ShouldBe((string?)stored["metadata"]!["labels"]![Fabrik.Names.Labels.RunId]);
            run.Requested.MemoryLimitBytes.ShouldBe(1L << 30);
            run.Applied.MemoryLimitBytes.ShouldBe(run.Experiments is ["more-memory"] ? 2L << 30 : 1L << 30);
            (run.Experiments, run.AppliedChanges).ShouldBe(([.. assignment.Experiments], [.. assignment.Applied]));
            counted.Add(string.Join(' ', Membership.Of(run).Select(one => $"{one.Change}:{one.Role}")));
        }

        counted.Order(StringComparer.Ordinal).ShouldBe(["", "more-cpu:Treatment clean-up:Applied", "more-memory:Control more-cpu:Control clean-up:Applied", "more-memory:Treatment clean-up:Applied"]);
    }

    [Fact]
    public void Labels_alone_give_no_arm()
    {
        var job = Job("a", null);
        job["metadata"]!["labels"] = new JsonObject { [Fabrik.Names.Labels.Variant] = "treatment", [Fabrik.Names.Labels.RunId] = "x", [Fabrik.Names.Labels.Experiment] = "more-memory" };
        var run = RunsOf(job).Single();
        (run.Arm, run.Change, run.RunId).ShouldBe((Arm.Unassigned, null, null));
    }

    [Theory]
    [InlineData("treatment", "control")]
    [InlineData("run-of-a", "run-of-b")]
    public void An_annotation_that_was_altered_counts_for_nothing(string from, string to) =>
        RunsOf(Job("a", Signed("a").Replace(from, to, StringComparison.Ordinal))).Single().Arm.ShouldBe(Arm.Unassigned);

    [Fact]
    public void An_annotation_of_another_job_counts_for_nothing() => RunsOf(Job("b", Signed("a"))).Single().Arm.ShouldBe(Arm.Unassigned);

    [Fact]
    public void Of_two_jobs_with_one_assignment_the_earlier_one_has_it_whichever_is_seen_first()
    {
        // Same name and namespace, one after the other: the second was created from the first one's YAML while the webhook was away.
        JsonObject first = Job("a", Signed("a"), uid: "1"), second = Job("a", Signed("a"), uid: "2", created: Now.AddMinutes(3));
        foreach (var order in (JsonObject[][])[[first, second], [second, first]])
        {
            var runs = RunsOf(order).ToDictionary(run => run.Id, StringComparer.Ordinal);
            (runs["1"].Arm, runs["2"].Arm).ShouldBe((Arm.Treatment, Arm.Unassigned));
            runs["2"].RunId.ShouldBeNull();
            Membership.Of(runs["1"]).ShouldBe([new Membership("more-memory", MemberRole.Treatment), new Membership("clean-up", MemberRole.Applied)]);
            Membership.Of(runs["2"]).ShouldBeEmpty();
        }
    }

    [Fact]
    public void A_run_id_that_a_stored_run_carries_is_not_given_again()
    {
        var ledger = Ledger();
        ledger.Job(Some.Element(Job("a", Signed("a"))), false, Now);
        ledger.Take(10).Single().Run.Arm.ShouldBe(Arm.Treatment);
        ledger.Claimed("run-of-a", Now.AddDays(-1), "long-ago").ShouldBeTrue();
        ledger.Take(10).Single().Run.Arm.ShouldBe(Arm.Unassigned);
        ledger.Claimed("run-of-a", Now.AddDays(-1), "long-ago").ShouldBeFalse();
    }

    [Fact]
    public void An_assignment_that_was_seen_stays_when_somebody_takes_the_annotation_away()
    {
        var ledger = Ledger();
        ledger.Job(Some.Element(Job("a", Signed("a"))), false, Now);
        ledger.Take(10);
        var stripped = Job("a", null, version: 20);
        stripped["status"] = new JsonObject { ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Complete", ["status"] = "True" }), ["completionTime"] = "2026-11-20T12:01:00Z" };
        ledger.Job(Some.Element(stripped), false, Now);
        var run = ledger.Take(10).Single().Run;
        (run.Arm, run.Outcome).ShouldBe((Arm.Treatment, Outcome.Succeeded));
    }

    /// <summary>As it was stored by a version that did not keep the lists.</summary>
    [Fact]
    public void Lists_that_older_evidence_lacks_are_read_anew_while_the_job_exists_and_only_the_change_of_the_arm_is_certain_when_it_is_gone()
    {
        var ledger = Ledger();
        ledger.Job(Some.Element(Job("a", Signed("a"))), false, Now);
        var stored = JsonNode.Parse(JsonSerializer.Serialize(ledger.Take(10).Single().Evidence, RunJson.Default.Evidence))!;
        var assigned = stored["job"]!["assigned"]!.AsObject();
        (assigned.Remove("experiments"), assigned.Remove("applied")).ShouldBe((true, true));
        var old = stored.Deserialize(RunJson.Default.Evidence)!;

        var later = Ledger();
        later.Restore(old, Now);
        later.Missing(_ => false, Now, TimeSpan.Zero);
        later.Take(10).Single().Run.ShouldSatisfyAllConditions(gone => gone.Experiments.ShouldBe(["more-memory"]), gone => gone.AppliedChanges.ShouldBeEmpty());

        later = Ledger();
        later.Restore(old, Now);
        later.Job(Some.Element(Job("a", Signed("a"), version: 30)), false, Now);
        later.Take(10).Single().Run.ShouldSatisfyAllConditions(there => there.Experiments.ShouldBe(["more-memory"]), there => there.AppliedChanges.ShouldBe(["clean-up"]));

        // What is known in full is told once.
        later.Job(Some.Element(Job("a", Signed("a"), version: 31)), false, Now);
        later.Take(10).ShouldAllBe(change => change.Run.AppliedChanges.Count == 1);
    }

    private static RunLedger Ledger()
    {
        var ledger = new RunLedger(job => AssignedReader.Read(job, Keys));
        ledger.Namespace("ci", Some.Namespace("ci"));
        return ledger;
    }

    private static IEnumerable<Run> RunsOf(params JsonObject[] jobs)
    {
        var (ledger, given) = (Ledger(), new List<RunChange>());
        foreach (var job in jobs)
        {
            ledger.Job(Some.Element(job), false, Now);
            given.AddRange(ledger.Take(10));
        }

        return given.GroupBy(change => change.Run.Id, StringComparer.Ordinal).Select(changes => changes.Last().Run);
    }

    private static JsonObject Job(string name, string? assignment, string? uid = null, DateTimeOffset? created = null, int version = 10) => new()
    {
        ["kind"] = "Job",
        ["metadata"] = new JsonObject
        {
            ["name"] = name,
            ["namespace"] = "ci",
            ["uid"] = uid ?? $"uid-{name}",
            ["resourceVersion"] = $"{version}",
            ["creationTimestamp"] = (created ?? Now).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'"),
            ["annotations"] = assignment is null ? [] : new JsonObject { [Fabrik.Names.Annotations.Assignment] = assignment },
        },
        ["spec"] = JsonNode.Parse("""
            { "template": { "spec": { "containers": [
              { "name": "injected", "image": "sidecar", "resources": { "limits": { "memory": "0" }, "requests": { "cpu": "0" } } },
              { "name": "main", "image": "work", "resources": { "limits": { "memory": "2Gi" }, "requests": { "memory": "2Gi", "cpu": "500m" } } } ] } } }
            """),
    };

    /// <summary>As the webhook signs: HMAC-SHA256, with the key derived for this use, over every byte before the signature. Another webhook put its container first afterwards.</summary>
    private static string Signed(string name)
    {
        var content = $$"""
            {"v":1,"arm":"treatment","change":"more-memory","generation":1,"experiments":["more-memory"],"applied":["clean-up"],"written":[{"path":"/spec/template/spec/containers/0/resources/limits/memory","container":"main","from":"1Gi","to":"2Gi"},{"path":"/spec/template/spec/containers/0/resources/requests/memory","container":"main","from":null,"to":"2Gi"}],"runId":"run-of-{{name}}","unit":"u-{{name}}","bucket":7,"namespace":"ci","name":"{{name}}"
            """;
        var hash = HMACSHA256.HashData(HMACSHA256.HashData(Key, Encoding.ASCII.GetBytes("fabrik.dev/assignment/v1")), Encoding.UTF8.GetBytes(content));
        return $"{content},\"hmac\":\"{Base64Url.EncodeToString(hash)}\"}}";
    }
}
