using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Admission;
using Fabrik.Experiments;
using Fabrik.Gateway;

namespace Fabrik.Tests.Admission;

/// <summary>One review through the code under test, its answer checked for what holds of every answer, its patch applied.</summary>
internal sealed record Reviewed(AdmissionOutcome Outcome, JsonObject? Response, JsonObject? Job)
{
    public const string KeyText = "a key that only tests of admission have";
    /// <summary>When reviews happen, unless a test says otherwise.</summary>
    public static readonly DateTimeOffset Now = new(2026, 11, 26, 12, 0, 0, TimeSpan.Zero);
    public static readonly RunTokenKeys TokenKeys = new(Encoding.ASCII.GetBytes("a run token key that only tests have"));
    public static readonly AssignmentKeys Keys = new(Encoding.ASCII.GetBytes(KeyText));

    /// <summary>The Job as it came out, whether patched or not.</summary>
    public JsonObject After => Job ?? throw new InvalidOperationException($"no Job: {Outcome}");

    public JsonArray Patch => Response?["patch"] is { } patch ? JsonNode.Parse(Convert.FromBase64String(patch.GetValue<string>()))!.AsArray() : [];

    public string[] Warnings => [.. (Response?["warnings"]?.AsArray() ?? []).Select(one => one!.GetValue<string>())];

    public Assignment? Assignment => Fabrik.Experiments.Assignment.Verify(After["metadata"]!["annotations"]?[Names.Annotations.Assignment]?.GetValue<string>() ?? "", Keys);

    public static Reviewed Of(JsonNode review, AdmissionSnapshot snapshot, TimeSpan staleness = default) => Of(Encoding.UTF8.GetBytes(review.ToJsonString()), snapshot, staleness);

    public static Reviewed Of(byte[] body, AdmissionSnapshot snapshot, TimeSpan staleness = default)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var outcome = JobAdmission.Review(body, snapshot, staleness, Now, buffer);
        if (outcome.Result == AdmissionResult.BadRequest)
        {
            buffer.WrittenCount.ShouldBe(0);
            outcome.Message.ShouldNotBeNullOrEmpty();
            return new Reviewed(outcome, null, null);
        }

        var answer = JsonNode.Parse(buffer.WrittenSpan)!.AsObject();
        answer["apiVersion"]!.GetValue<string>().ShouldBe("admission.k8s.io/v1");
        answer["kind"]!.GetValue<string>().ShouldBe("AdmissionReview");
        var response = answer["response"]!.AsObject();
        using var review = JsonDocument.Parse(body);
        response["uid"]!.GetValue<string>().ShouldBe(review.RootElement.GetProperty("request").GetProperty("uid").GetString());
        response["allowed"]!.GetValue<bool>().ShouldBeTrue();
        foreach (var warning in response["warnings"]?.AsArray() ?? []) warning!.GetValue<string>().Length.ShouldBeLessThanOrEqualTo(120);
        (response["patch"] is not null).ShouldBe(outcome.Result == AdmissionResult.Patched);
        var job = review.RootElement.GetProperty("request").TryGetProperty("object", out var received) && received.ValueKind == JsonValueKind.Object ? LastWins(received) as JsonObject : null;
        var reviewed = new Reviewed(outcome, response, job);
        if (response["patch"] is null) return reviewed;
        response["patchType"]!.GetValue<string>().ShouldBe("JSONPatch");
        var patch = JsonNode.Parse(Convert.FromBase64String(response["patch"]!.GetValue<string>()))!.AsArray();
        patch.Count.ShouldBeGreaterThan(0);
        return reviewed with { Job = JsonPatch.Apply(job!, patch).AsObject() };
    }

    /// <summary>Of members with one name the last counts, as in Go; a JsonNode would refuse the document.</summary>
    private static JsonNode? LastWins(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.Array) return new JsonArray([.. element.EnumerateArray().Select(LastWins)]);
        if (element.ValueKind != JsonValueKind.Object) return JsonNode.Parse(element.GetRawText());
        var map = new JsonObject();
        foreach (var member in element.EnumerateObject()) map[member.Name] = LastWins(member.Value);
        return map;
    }
}
