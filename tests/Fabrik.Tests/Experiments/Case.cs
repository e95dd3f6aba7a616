using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Server;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Experiments;

/// <summary>One row of tests/testdata/changes: an object, the one before it, and the field that is refused.</summary>
public sealed record Case(string Name, JsonObject? Old, JsonObject New, string? Refused)
{
    public const string Changes = "changes/cases.yaml";
    public const string Policies = "changes/policy-cases.yaml";

    public JsonElement NewElement => JsonSerializer.SerializeToElement(New);

    public JsonElement? OldElement => Old is null ? null : JsonSerializer.SerializeToElement(Old);

    public static IEnumerable<Case> Read(string file)
    {
        var table = Yaml.Object(TestData.Bytes(file));
        var spec = table["spec"]?.AsObject();
        var kind = file == Changes ? "OptimizationChange" : "OptimizerPolicy";
        foreach (var row in table["cases"]!.AsArray().Select(row => row!.AsObject()))
        {
            yield return new Case(
                (string)row["name"]!,
                row["old"] is JsonObject old ? Object(kind, old, spec) : null,
                Object(kind, row["new"]!.AsObject(), spec),
                (string?)row["refused"]);
        }
    }

    public static Case Named(string file, string name) => Read(file).Single(one => one.Name == name);

    private static JsonObject Object(string kind, JsonObject given, JsonObject? spec)
    {
        var result = given.DeepClone().AsObject();
        if (!result.ContainsKey("spec") && spec is not null) result["spec"] = spec.DeepClone();
        result["apiVersion"] = Names.ApiVersion;
        result["kind"] = kind;
        var metadata = result["metadata"] as JsonObject ?? [];
        result["metadata"] = metadata;
        metadata["name"] ??= kind == "OptimizerPolicy" ? Names.PolicyName : "change";
        if (kind == "OptimizationChange") metadata["namespace"] ??= Names.SystemNamespace;
        return result;
    }
}
