using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Admission;

public class AssignmentTests
{
    private static readonly JsonObject Treated = Reviewed.Of(
        JsonNode.Parse(TestData.Text("admission/reviews/jobs-create-generate-name-indexed.json").Replace("3bd65474-765d-4672-b390-3af803ef1a7c", Units.In("slot0"), StringComparison.Ordinal))!,
        Snapshots.Of("""{"namespaces": {"ci": {"fabrik.dev/enabled": "true"}}, "changes": [{"name": "memory-4gi", "slot": 0, "change": {"memoryLimit": "4Gi"}}]}""")).After;

    [Fact]
    public void A_persisted_Job_tells_its_arm_and_what_was_written()
    {
        var assignment = Assignment.Of(Persisted("train-x7k2p"), Reviewed.Keys).ShouldNotBeNull();
        (assignment.Arm, assignment.Change, assignment.Generation).ShouldBe((Arm.Treatment, "memory-4gi", 2));
        assignment.Experiments.ShouldBe(["memory-4gi"]);
        assignment.RunId.ShouldBe(Treated["metadata"]!["labels"]![Names.Labels.RunId]!.GetValue<string>());
        assignment.RunId.ShouldMatch("^[a-z2-7]{26}$");
        assignment.Written.Select(one => (one.Container, From: one.From.ValueKind == JsonValueKind.Undefined ? null : one.From.GetString(), To: one.To.GetString()))
            .ShouldBe([("main", "512Mi", "1Gi"), ("main", "2Gi", "4Gi"), ("sidecar", null, "4Gi")]);
    }

    [Theory]
    [InlineData("train-x7k2p", "other", "train-")]
    [InlineData("copied", "ci", "train-")]
    [InlineData("train-x7k2p", "ci", "other-")]
    [InlineData("train-x7k2p", "ci", null)]
    public void The_annotation_of_another_Job_is_not_its_own(string name, string @namespace, string? generateName) =>
        Assignment.Of(Persisted(name, @namespace, generateName), Reviewed.Keys).ShouldBeNull();

    [Fact]
    public void Every_changed_byte_breaks_the_signature()
    {
        var annotation = Encoding.UTF8.GetBytes(Treated["metadata"]!["annotations"]![Names.Annotations.Assignment]!.GetValue<string>());
        Assignment.Verify(annotation, Reviewed.Keys).ShouldNotBeNull();
        for (var i = 0; i < annotation.Length; i++)
        {
            var tampered = annotation.ToArray();
            tampered[i] ^= 1;
            Assignment.Verify(tampered, Reviewed.Keys).ShouldBeNull($"byte {i}");
            Assignment.Verify(annotation.AsMemory(0, i), Reviewed.Keys).ShouldBeNull();
        }
    }

    [Fact]
    public void A_replaced_key_still_verifies_what_it_signed_and_a_foreign_one_does_not()
    {
        var annotation = Treated["metadata"]!["annotations"]![Names.Annotations.Assignment]!.GetValue<string>();
        var old = Encoding.ASCII.GetBytes("a key that only tests of admission have");
        Assignment.Verify(annotation, new AssignmentKeys(new byte[32], old)).ShouldNotBeNull();
        Assignment.Verify(annotation, new AssignmentKeys(new byte[32])).ShouldBeNull();
        Should.Throw<ArgumentException>(() => new AssignmentKeys(new byte[31]));
    }

    [Fact]
    public void A_Job_without_one_or_with_one_that_is_too_long_has_none()
    {
        foreach (var job in (string[])["null", "[]", "{}", """{"metadata":{"annotations":{"fabrik.dev/assignment":7}}}"""])
            Assignment.Of(JsonDocument.Parse(job).RootElement, Reviewed.Keys).ShouldBeNull();
        Assignment.Verify(new string('x', Assignment.MaximumSize + 1), Reviewed.Keys).ShouldBeNull();
    }

    private static JsonElement Persisted(string name, string @namespace = "ci", string? generateName = "train-")
    {
        var job = Treated.DeepClone();
        (job["metadata"]!["name"], job["metadata"]!["namespace"], job["metadata"]!["generateName"]) = (name, @namespace, generateName);
        return JsonSerializer.SerializeToElement(job);
    }
}
