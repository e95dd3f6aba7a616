using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Admission;
using Fabrik.Experiments;
using Fabrik.Quantities;
using FsCheck;
using FsCheck.Fluent;

namespace Fabrik.Tests.Admission;

/// <summary>For any Job the schema allows and anything the cluster may say.</summary>
public class PropertyTests
{
    private static readonly string[] Places = ["slot0", "slot1", "slot2", "rest", "holdout"];

    [Fact]
    public void A_patch_applies_to_a_valid_Job_and_changes_nothing_but_what_its_record_says() => ForAll((job, snapshot, _) =>
    {
        var before = job["request"]!["object"]!.AsObject();
        var reviewed = Reviewed.Of(job, snapshot);
        reviewed.Outcome.Reason.ShouldBe(AdmissionReasons.Assigned);
        ShouldBeValid(before, reviewed.After);
        var undone = reviewed.After.DeepClone().AsObject();
        foreach (var written in reviewed.Assignment!.Written) Put(undone, written, written.From);
        Strip(undone);
        ShouldBeSame(undone, before);
    });

    [Fact]
    public void A_volume_to_resume_from_is_whole_and_for_one_Pod_at_a_time_or_not_there_and_said_why() => ForAll((job, snapshot, _) =>
    {
        var before = job["request"]!["object"]!.AsObject();
        var asked = before["metadata"]!["annotations"]?[Names.Annotations.Resume] is not null;
        var reviewed = Reviewed.Of(job, snapshot);
        var (spec, pod) = (reviewed.After["spec"]!, reviewed.After["spec"]!["template"]!["spec"]!);
        if (reviewed.Assignment!.Resume is null)
        {
            asked.ShouldBe(reviewed.Outcome.Resume is not null);
            reviewed.Assignment.Written.ShouldAllBe(written => written.Variable != Names.Variables.ResumeDirectory);
            reviewed.Response!["warnings"].ShouldBe(asked ? reviewed.Response["warnings"].ShouldNotBeNull() : null);
            return;
        }

        asked.ShouldBeTrue();
        (spec["completions"]?.GetValue<int>() == 1 || (spec["parallelism"]?.GetValue<int>() ?? 1) <= 1).ShouldBeTrue();
        var claim = pod["volumes"]!.AsArray().Where(volume => (string?)volume!["name"] == Names.Objects.ResumeVolume).ShouldHaveSingleItem()!["persistentVolumeClaim"]!["claimName"]!.GetValue<string>();
        claim.ShouldBe($"fabrik-resume-{reviewed.Assignment.RunId}");
        foreach (var container in pod["containers"]!.AsArray())
        {
            container!["volumeMounts"]!.AsArray().Count(mount => ((string)mount!["mountPath"]!).TrimEnd('/') == Names.Paths.Resume).ShouldBe(1);
            container["env"]!.AsArray().Where(one => (string?)one!["name"] == Names.Variables.ResumeDirectory).ShouldHaveSingleItem();
        }

        if (reviewed.Outcome.Resume != AdmissionReasons.ResumeGroup) pod["securityContext"]!["fsGroup"].ShouldNotBeNull();
    });

    [Fact]
    public void A_copy_gets_what_a_new_Job_would_get() => ForAll((job, snapshot, random) =>
    {
        var first = Reviewed.Of(job, snapshot);
        var copy = job.DeepClone();
        copy["request"]!["object"] = first.After.DeepClone();
        var again = Reviewed.Of(copy, snapshot);
        again.Outcome.Reason.ShouldBe(AdmissionReasons.CopyReassigned);
        ShouldBeSame(again.After, first.After);

        var other = Units.In(Places[random.Next(Places.Length)]);
        (copy["request"]!["uid"], job["request"]!["uid"]) = (other, other);
        ShouldBeSame(Reviewed.Of(copy, snapshot).After, Reviewed.Of(job, snapshot).After);
    });

    [Fact]
    public void Applying_the_same_manifest_twice_changes_nothing() => ForAll((job, snapshot, _) =>
    {
        var manifest = job["request"]!["object"]!.AsObject();
        if (manifest["spec"]!["suspend"]?.GetValue<bool>() == true) manifest["spec"]!["suspend"] = false;
        var persisted = Reviewed.Of(job, snapshot).After;
        persisted["metadata"]!["name"] ??= "job-x7k2p";
        var update = job.DeepClone();
        update["request"]!["operation"] = "UPDATE";
        update["request"]!["oldObject"] = persisted.DeepClone();
        var incoming = persisted.DeepClone().AsObject();
        foreach (var written in Fabrik.Experiments.Assignment.Of(Element(persisted), Reviewed.Keys)!.Written) Put(incoming, written, written.From);
        update["request"]!["object"] = incoming;
        ShouldBeSame(Reviewed.Of(update, snapshot).After, persisted);

        // Nothing was lost: then there is nothing to do.
        update["request"]!["object"] = persisted.DeepClone();
        Reviewed.Of(update, snapshot).Outcome.Reason.ShouldBe(AdmissionReasons.UpdateUnchanged);
    });

    [Fact]
    public void The_arm_depends_on_salt_and_unit_alone() => ForAll((job, snapshot, _) =>
    {
        string[]? eligible = null;
        foreach (var place in (string[])["rest", "slot0", "slot1", "slot2", "holdout"])
        {
            job["request"]!["uid"] = Units.In(place);
            var assignment = Reviewed.Of(job, snapshot).Assignment!;
            assignment.Bucket.ShouldBe(AssignmentBuckets.Bucket("fabrik", Units.In(place)));
            if (place == "rest") eligible = [.. assignment.Experiments];
            if (place == "holdout")
            {
                assignment.Arm.ShouldBe(Arm.Holdout);
                assignment.Written.ShouldAllBe(written => IsIdentity(written) || IsDefault(written));
                continue;
            }

            // Only the first 500 buckets of a slot are sure to be treated: the share is at least 5 %. What the experiment of a slot treats is in no control.
            if (assignment.Arm == Arm.Treatment) assignment.Experiments.ShouldBe([$"experiment-{place[^1]}"]);
            else if (assignment.Arm == Arm.Control) assignment.Experiments.ShouldBe(eligible);
            else assignment.Experiments.ShouldBeEmpty();
            if (place == "rest") (assignment.Arm == Arm.Control).ShouldBe(eligible!.Length > 0);
            else if (assignment.Bucket % 1900 < 500) (assignment.Arm == Arm.Treatment, assignment.Arm == Arm.Control).ShouldBe((eligible!.Contains($"experiment-{place[^1]}"), false));
        }
    });

    /// <summary>Else Jobs that two experiments are for would weigh less in a control than in the treatment beside it.</summary>
    [Fact]
    public void What_else_a_Job_matches_does_not_change_its_place_in_an_experiment()
    {
        var snapshot = Snapshots.Of("""
            {"namespaces": {"ci": {"fabrik.dev/enabled": "true"}}, "changes": [
              {"name": "a", "slot": 0, "share": 0.1, "change": {"memoryLimit": "4Gi"}},
              {"name": "b", "slot": 1, "share": 0.19, "change": {"cpuRequest": "2"}, "target": {"labelSelector": {"team": "both"}}},
              {"name": "c", "slot": 2, "share": 0.05, "change": {"cpuRequest": "3"}, "target": {"namespaces": ["elsewhere"]}}]}
            """);
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var place in Places)
            for (var which = 0; which < 30; which++)
            {
                string[] of = [.. new[] { "alone", "both" }.Select(team => PlaceInA(Units.In(place, which), team))];
                of[1].ShouldBe(of[0], $"{place} {which}");
                places[of[0]] = places.GetValueOrDefault(of[0]) + 1;
            }

        places.Keys.Order(StringComparer.Ordinal).ShouldBe(["Control", "Treatment", "none"]);

        string PlaceInA(string unit, string team)
        {
            var review = JsonNode.Parse(Fabrik.Tests.Support.TestData.Bytes("admission/reviews/jobs-create-ok-job.json"))!;
            review["request"]!["uid"] = unit;
            review["request"]!["object"]!["metadata"]!["labels"] = new JsonObject { ["team"] = team };
            var assignment = Reviewed.Of(review, snapshot).Assignment!;
            return assignment.Experiments.Contains("a") ? assignment.Arm.ToString() : "none";
        }
    }

    private static bool IsIdentity(WrittenValue written) => written.Variable?.Split('_')[0] is "OPENAI" or "ANTHROPIC" || written.Variable == Names.Variables.ResumeDirectory;

    /// <summary>Of runs: the same in every arm.</summary>
    private static bool IsDefault(WrittenValue written) =>
        new[] { "activeDeadlineSeconds", "ttlSecondsAfterFinished", "automountServiceAccountToken", "securityContext", "volume", "runtimeClassName", "nodeSelector", "tolerations", "initContainers/0" }.Any(part => written.Path.Contains(part, StringComparison.Ordinal))
        && !written.Path.Contains("/resources/", StringComparison.Ordinal);

    private static void ForAll(Action<JsonObject, AdmissionSnapshot, Random> property) => Prop.ForAll(GeneratedJobs.Seeds, seed =>
    {
        var random = new Random(seed);
        var jobs = new GeneratedJobs(random);
        property(jobs.Review(Units.In(Places[random.Next(4)], random.Next(3))), Snapshots.Of(jobs.Snapshot()), random);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(400));

    private static void ShouldBeValid(JsonObject before, JsonObject after)
    {
        var (spec, old) = (after["spec"]!, before["spec"]!);
        if (spec["parallelism"] is { } parallelism && !JsonNode.DeepEquals(parallelism, old["parallelism"]))
        {
            parallelism.GetValue<int>().ShouldBeGreaterThan(0);
            if (spec["completions"] is { } completions) parallelism.GetValue<int>().ShouldBeLessThanOrEqualTo(completions.GetValue<int>());
        }

        foreach (var list in (string[])["containers", "initContainers"])
        {
            var containers = spec["template"]!["spec"]![list]?.AsArray() ?? [];
            for (var i = 0; i < containers.Count; i++)
            {
                var one = containers[i]!;
                if (old["template"]!["spec"]![list]?.AsArray().FirstOrDefault(before => (string?)before!["name"] == (string?)one["name"]) is not { } was)
                {
                    (i, (string?)one["name"]).ShouldBe((0, Names.Objects.GateContainer));
                    continue;
                }

                foreach (var name in (string[])["memory", "cpu", "ephemeral-storage"])
                {
                    var (request, limit) = (Amount(one, "requests", name), Amount(one, "limits", name));
                    if (request is not null && limit is not null) (request <= limit).ShouldBeTrue($"{name} of {one["name"]}: {request} above {limit}");
                    if (Amount(was, "requests", name) is { } oldRequest && oldRequest == Amount(was, "limits", name)) (request == limit).ShouldBeTrue($"{name} of {one["name"]} was guaranteed");
                    if (Amount(was, "requests", name) is null && Amount(was, "limits", name) is not null) request.ShouldBeNull();
                }

                var names = (one["env"]?.AsArray() ?? []).Select(entry => entry!["name"]!.GetValue<string>()).ToArray();
                names.ShouldBeUnique();
            }
        }
    }

    private static Quantity? Amount(JsonNode container, string side, string name) =>
        container["resources"]?[side]?[name] is { } text && Quantity.TryParse(text.GetValue<string>(), out var amount) ? amount : null;

    /// <summary>What an update by the manifest, or a person who undoes the record, would write.</summary>
    private static void Put(JsonObject job, WrittenValue written, JsonElement value)
    {
        var segments = written.Path[1..].Split('/').Select(one => one.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)).ToArray();
        JsonNode parent = job;
        foreach (var segment in segments[..^1]) parent = parent is JsonArray list ? list[int.Parse(segment)]! : parent[segment] ??= new JsonObject();
        if (written.Variable is not null)
        {
            var variables = parent[segments[^1]]!.AsArray();
            variables.Remove(variables.Single(entry => entry!["name"]!.GetValue<string>() == written.Variable));
            value.ValueKind.ShouldBe(JsonValueKind.Undefined);
        }
        else if (parent is JsonArray entries) entries.RemoveAt(int.Parse(segments[^1]));
        else if (value.ValueKind == JsonValueKind.Undefined) parent.AsObject().Remove(segments[^1]);
        else parent[segments[^1]] = JsonNode.Parse(value.GetRawText());
    }

    private static void Strip(JsonObject job)
    {
        foreach (var labels in new[] { job["metadata"]!["labels"], job["spec"]!["template"]!["metadata"]!["labels"] })
            foreach (var key in (string[])[Names.Labels.RunId, Names.Labels.Variant, Names.Labels.Experiment]) labels!.AsObject().Remove(key);
        job["metadata"]!["annotations"]!.AsObject().Remove(Names.Annotations.Assignment);
    }

    /// <summary>An API server does not tell an empty map or list from none.</summary>
    private static void ShouldBeSame(JsonObject actual, JsonObject expected) => Assert.Equal(Prune(expected)!.ToJsonString(), Prune(actual)!.ToJsonString());

    private static JsonNode? Prune(JsonNode? node) => node switch
    {
        JsonObject map when map.Select(one => (one.Key, Value: Prune(one.Value))).Where(one => one.Value is not null).OrderBy(one => one.Key, StringComparer.Ordinal).ToArray() is { Length: > 0 } rest =>
            new JsonObject(rest.Select(one => KeyValuePair.Create(one.Key, one.Value))),
        JsonArray { Count: > 0 } list => new JsonArray([.. list.Select(one => Prune(one) ?? new JsonObject())]),
        JsonObject or JsonArray => null,
        _ => node?.DeepClone(),
    };

    private static JsonElement Element(JsonNode node) => JsonSerializer.SerializeToElement(node);
}
