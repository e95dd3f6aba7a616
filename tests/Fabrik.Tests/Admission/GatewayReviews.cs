using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Admission;
using Fabrik.Gateway;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Admission;

/// <summary>Reviews of a small Job where there is a gateway, and what they put into its containers.</summary>
internal static class GatewayReviews
{
    private const string Url = "https://gateway.example:8443/llm/";
    public const string OpenAi = "https://gateway.example:8443/llm/openai/v1";
    public const string Anthropic = "https://gateway.example:8443/llm/anthropic";
    public static readonly AdmissionSnapshot Both = Snapshot("\"fabrik.dev/enabled\": \"true\", \"fabrik.dev/gateway\": \"true\"");
    public static readonly AdmissionSnapshot GatewayAlone = Snapshot("\"fabrik.dev/gateway\": \"true\"");

    public static AdmissionSnapshot Snapshot(string labels, string more = "") => Snapshots.Of($$"""{"gateway": "{{Url}}", "namespaces": {"ci": { {{labels}} } } {{more}} }""");

    public static JsonObject Job(params string[] environment)
    {
        var job = JsonNode.Parse(TestData.Bytes("admission/reviews/jobs-create-ok-job.json"))!["request"]!["object"]!.DeepClone().AsObject();
        if (environment.Length > 0)
            Container(job)["env"] = new JsonArray([.. environment.Select(one => one.Split('=', 2)).Select(pair => new JsonObject { ["name"] = pair[0], ["value"] = pair[1] })]);
        return job;
    }

    public static JsonObject Container(JsonObject job) => job["spec"]!["template"]!["spec"]!["containers"]![0]!.AsObject();

    public static Reviewed Review(JsonObject job, AdmissionSnapshot snapshot, string bucket = "control", bool isDryRun = false, TimeSpan staleness = default)
    {
        var review = JsonNode.Parse(TestData.Bytes("admission/reviews/jobs-create-ok-job.json"))!;
        (review["request"]!["object"], review["request"]!["uid"], review["request"]!["dryRun"]) = (job.DeepClone(), Units.In(bucket), isDryRun);
        return Reviewed.Of(Encoding.UTF8.GetBytes(review.ToJsonString()), snapshot, staleness);
    }

    public static string RunId(Reviewed reviewed) => reviewed.After["metadata"]!["labels"]![Names.Labels.RunId]!.GetValue<string>();

    public static RunClaims Claims(Reviewed reviewed)
    {
        RunToken.Verify(Tokens(reviewed)[0], Reviewed.TokenKeys, Reviewed.Now, out var claims).ShouldBe(TokenVerdict.Valid);
        return claims!;
    }

    public static string[] Tokens(Reviewed reviewed) =>
        [.. Values(reviewed, Names.ClientVariables.OpenAiKey).Concat(Values(reviewed, Names.ClientVariables.AnthropicKey)).Where(value => value.StartsWith("fbk-run-", StringComparison.Ordinal) || value == "dry-run")];

    public static IEnumerable<string> Values(Reviewed reviewed, string name) =>
        from list in (string[])["containers", "initContainers"]
        from container in reviewed.After["spec"]!["template"]!["spec"]![list]?.AsArray() ?? []
        from entry in container["env"]?.AsArray() ?? []
        where entry["name"]!.GetValue<string>() == name && entry["value"] is not null
        select entry["value"]!.GetValue<string>();

    /// <summary>NAME=value in order; T stands for a token, U for the gateway's address of that provider.</summary>
    public static string[] Environment(Reviewed reviewed, string list, int index) =>
    [
        .. (reviewed.After["spec"]!["template"]!["spec"]![list]![index]!["env"]?.AsArray() ?? []).Select(entry => $"{entry!["name"]}={entry["value"]?.GetValue<string>() switch
        {
            { } value when value.StartsWith("fbk-run-1.", StringComparison.Ordinal) => "T",
            OpenAi or Anthropic => "U",
            var other => other,
        }}"),
    ];
}
