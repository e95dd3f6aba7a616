using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Admission;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Admission;

/// <summary>Recorded reviews, broken at random: no exception, an answer or a bad request, and every patch applies.</summary>
public class FuzzTests
{
    private const string Everything = """
        {"gateway": "http://gateway.example", "policy": {"runs": {"gate": true}, "runtimeClasses": ["gvisor"], "allowedEnvironment": ["GOGC"]},
         "namespaces": {"ci": {"fabrik.dev/enabled": "true", "fabrik.dev/untrusted": "true", "fabrik.dev/gateway": "true", "permit.fabrik.dev/parallelism": "true", "permit.fabrik.dev/scheduling": "true", "permit.fabrik.dev/runtime-class": "true", "permit.fabrik.dev/environment": "true"}},
         "limitRanges": {"ci": [{"type": "Pod", "max": {"memory": "6Gi"}}]}, "nodes": [{"cpu": "4", "memory": "8Gi"}],
         "changes": [
           {"name": "a", "slot": 0, "share": 0.19, "change": {"memoryLimit": "4Gi", "cpuRequest": "500m"}},
           {"name": "b", "phase": "applied", "type": "parallelism", "change": {"parallelism": 4}},
           {"name": "c", "phase": "applied", "type": "scheduling", "change": {"nodeSelector": {"a/b~c": "d"}, "tolerations": [{"key": "spot"}], "runtimeClassName": "gvisor"}},
           {"name": "d", "phase": "applied", "type": "environment", "change": {"environment": {"GOGC": "50"}}},
           {"name": "e", "phase": "applied", "type": "lifecycle", "change": {"ttlSecondsAfterFinished": 60}}]}
        """;

    private static readonly AdmissionSnapshot Snapshot = Snapshots.Of(Everything);

    [Fact]
    public void Bytes_changed_at_random_do_no_harm()
    {
        var random = new Random(20261120);
        var reviews = Reviews();
        for (var i = 0; i < 12_000; i++)
        {
            var body = reviews[random.Next(reviews.Length)].ToArray().ToList();
            for (var times = 1 + random.Next(3); times > 0; times--)
            {
                var at = random.Next(body.Count);
                switch (random.Next(5))
                {
                    case 0: body[at] = (byte)random.Next(256); break;
                    case 1: body.RemoveRange(at, Math.Min(body.Count - at, 1 + random.Next(8))); break;
                    case 2: body.InsertRange(at, body.GetRange(random.Next(body.Count / 2), random.Next(60))); break;
                    case 3: body[at] = "\"{}[]:,0null\\"u8[random.Next(12)]; break;
                    default: body = body[..Math.Max(1, body.Count - random.Next(3))]; break;
                }
            }

            Check([.. body], random);
        }
    }

    [Fact]
    public void Structure_changed_at_random_does_no_harm()
    {
        var random = new Random(20261121);
        var reviews = Reviews().Select(one => Encoding.UTF8.GetString(one)).ToArray();
        var (patched, doubtful) = (0, 0);
        for (var i = 0; i < 8_000; i++)
        {
            var review = JsonNode.Parse(reviews[random.Next(reviews.Length)])!;
            for (var times = 1 + random.Next(2); times > 0; times--) Break(review, random);
            var outcome = Check(Encoding.UTF8.GetBytes(review.ToJsonString()), random);
            if (outcome.Result == AdmissionResult.Patched) patched++;
            if (outcome.Reason == AdmissionReasons.MalformedJob) doubtful++;
        }

        // Or the test would say nothing.
        patched.ShouldBeGreaterThan(2000);
        doubtful.ShouldBeGreaterThan(200);
    }

    [Theory]
    [InlineData("", AdmissionReasons.NotJson)]
    [InlineData("{}", AdmissionReasons.NotAReview)]
    [InlineData("[]", AdmissionReasons.NotAReview)]
    [InlineData("null", AdmissionReasons.NotAReview)]
    [InlineData("""{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}""", AdmissionReasons.NotAReview)]
    [InlineData("""{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":""}}""", AdmissionReasons.NotAReview)]
    [InlineData("""{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"1"}}""", AdmissionReasons.WrongVersion)]
    public void What_is_no_review_is_a_bad_request(string body, string reason)
    {
        var outcome = Reviewed.Of(Encoding.UTF8.GetBytes(body), Snapshot).Outcome;
        outcome.Result.ShouldBe(AdmissionResult.BadRequest);
        outcome.Reason.ShouldBe(reason);
    }

    [Fact]
    public void Depth_size_and_encoding_are_bounded()
    {
        Reviewed.Of(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("[", 100_000))), Snapshot).Outcome.Reason.ShouldBe(AdmissionReasons.NotJson);
        Reviewed.Of(new byte[JobAdmission.MaximumRequest + 1], Snapshot).Outcome.Reason.ShouldBe(AdmissionReasons.TooLarge);
        Reviewed.Of([(byte)'"', 0xff, (byte)'"'], Snapshot).Outcome.Reason.ShouldBe(AdmissionReasons.NotJson);
    }

    [Theory]
    [InlineData("\"memory\": \"2Gi\"", "\"memory\": \"2Gi\", \"memory\": \"1Gi\"", AdmissionReasons.DuplicateNames)]
    [InlineData("\"name\": \"sidecar\"", "\"name\": \"main\"", AdmissionReasons.MalformedJob)]
    [InlineData("\"app\": \"train\"", "\"app\": \"\\ud800\"", AdmissionReasons.Assigned)]
    [InlineData("\"memory\": \"2Gi\"", "\"memory\": \"-2Gi\"", AdmissionReasons.MalformedJob)]
    [InlineData("\"memory\": \"2Gi\"", "\"memory\": 2147483648", AdmissionReasons.Assigned)]
    [InlineData("\"parallelism\": 3", "\"parallelism\": 3e9", AdmissionReasons.MalformedJob)]
    public void An_odd_Job_is_answered_with_care(string text, string odd, string reason)
    {
        var body = TestData.Text("admission/reviews/jobs-create-generate-name-indexed.json");
        body.ShouldContain(text);
        Reviewed.Of(Encoding.UTF8.GetBytes(body.Replace(text, odd, StringComparison.Ordinal)), Snapshot).Outcome.Reason.ShouldBe(reason);
    }

    /// <summary>The recorded ones, and what follows from them: copies and updates of Jobs that Fabrik changed.</summary>
    private static byte[][] Reviews()
    {
        var reviews = new List<byte[]>();
        foreach (var file in Directory.GetFiles(TestData.PathOf("admission/reviews"), "jobs-*").Order(StringComparer.Ordinal))
        {
            var review = JsonNode.Parse(File.ReadAllBytes(file))!;
            review["request"]!["uid"] = Units.In("slot0");
            reviews.Add(Encoding.UTF8.GetBytes(review.ToJsonString()));
            if (review["request"]!["operation"]!.GetValue<string>() != "CREATE") continue;
            var after = Reviewed.Of(review, Snapshot).After;
            after["metadata"]!["name"] ??= "train-x7k2p";
            review["request"]!["object"] = after.DeepClone();
            reviews.Add(Encoding.UTF8.GetBytes(review.ToJsonString()));
            review["request"]!["operation"] = "UPDATE";
            review["request"]!["oldObject"] = after.DeepClone();
            review["request"]!["object"]!["spec"]!["parallelism"] = 1;
            review["request"]!["object"]!["metadata"]!["labels"] = new JsonObject();
            reviews.Add(Encoding.UTF8.GetBytes(review.ToJsonString()));
        }

        return [.. reviews];
    }

    private static AdmissionOutcome Check(byte[] body, Random random)
    {
        try
        {
            var outcome = Reviewed.Of(body, Snapshot, TimeSpan.FromSeconds(random.Next(4) == 0 ? 200 : 0)).Outcome;
            outcome.Reason.ShouldNotBe(AdmissionReasons.Unexpected);
            outcome.Reason.ShouldNotBe(AdmissionReasons.InvalidResult);
            return outcome;
        }
        catch (Exception error)
        {
            throw new InvalidOperationException($"{error.Message}\n{Encoding.UTF8.GetString(body)}", error);
        }
    }

    private static void Break(JsonNode review, Random random)
    {
        // Mostly below the Job, where there is something to get wrong.
        var at = random.Next(4) != 0 && review["request"] is JsonObject request ? request[random.Next(3) == 0 ? "oldObject" : "object"] ?? review : review;
        for (var depth = random.Next(12); depth > 0; depth--)
        {
            var next = at switch
            {
                JsonObject { Count: > 0 } map => map.ElementAt(random.Next(map.Count)).Value,
                JsonArray { Count: > 0 } list => list[random.Next(list.Count)],
                _ => null,
            };
            if (next is not (JsonObject or JsonArray)) break;
            at = next;
        }

        if (at is JsonObject { Count: > 0 } target)
        {
            var key = target.ElementAt(random.Next(target.Count)).Key;
            if (random.Next(4) == 0) target.Remove(key);
            else target[key] = Odd(random);
            if (random.Next(6) == 0) target["odd/~\"key"] = Odd(random);
        }
        else if (at is JsonArray items)
        {
            if (items.Count > 0 && random.Next(2) == 0) items.RemoveAt(random.Next(items.Count));
            else items.Add(Odd(random));
        }
    }

    private static JsonNode? Odd(Random random) => random.Next(12) switch
    {
        0 => null,
        1 => new JsonObject(),
        2 => new JsonArray(),
        3 => "",
        4 => -1,
        5 => 1e300,
        6 => true,
        7 => new JsonObject { ["memory"] = "9Ei", ["cpu"] = "1e9" },
        8 => new JsonArray(new JsonObject { ["name"] = "GOGC", ["value"] = null }, new JsonObject { ["name"] = "OPENAI_API_KEY", ["value"] = "fbk-run-1.x" }, null),
        9 => "99999999999999999999Gi",
        10 => new string('x', 70_000),
        _ => "0.5",
    };
}
