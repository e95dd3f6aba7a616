using System.Text.Json;
using Fabrik.Quantities;

namespace Fabrik.Experiments;

/// <summary>Rules for spec.change: it fits its type, is not empty, and its quantities make sense.</summary>
internal static class TreatmentRules
{
    private const string Field = "spec.change";

    public static void Check(Checks checks, ChangeType type, Treatment change)
    {
        string?[] quantities = [change.MemoryRequest, change.MemoryLimit, change.CpuRequest, change.CpuLimit, change.EphemeralStorageRequest, change.EphemeralStorageLimit];
        Fits(ChangeType.Resource, quantities.Any(one => one is not null), "requests and limits belong to a change of type resource");
        Fits(ChangeType.Parallelism, change.Parallelism is not null, "parallelism belongs to a change of type parallelism");
        Fits(
            ChangeType.Scheduling,
            change.NodeSelector is not null || change.Tolerations is not null || change.RuntimeClassName is not null,
            "nodeSelector, tolerations and runtimeClassName belong to a change of type scheduling");
        Fits(ChangeType.Environment, change.Environment is not null, "environment belongs to a change of type environment");
        Fits(ChangeType.Lifecycle, change.TtlSecondsAfterFinished is not null, "ttlSecondsAfterFinished belongs to a change of type lifecycle");
        Fits(ChangeType.Model, change.Model is not null, "model belongs to a change of type model");
        checks.Require(type == ChangeType.Spec || change != new Treatment(), Field, "the change is empty; name what a treated Job should get");

        Pair(checks, "memory", "memory", change.MemoryRequest, change.MemoryLimit);
        Pair(checks, "cpu", "CPU", change.CpuRequest, change.CpuLimit);
        Pair(checks, "ephemeralStorage", "ephemeral storage", change.EphemeralStorageRequest, change.EphemeralStorageLimit);
        checks.Range(Field + ".parallelism", change.Parallelism, 1, 1000);
        checks.LabelValues(Field + ".nodeSelector", change.NodeSelector, 1);
        Tolerations(checks, Field + ".tolerations", change.Tolerations);
        checks.Text(Field + ".runtimeClassName", change.RuntimeClassName, 253, Checks.DnsName(), "must be the name of a RuntimeClass", 1);
        Environment(checks, change.Environment);
        checks.Range(Field + ".ttlSecondsAfterFinished", change.TtlSecondsAfterFinished, 0, 31_536_000);
        checks.Text(Field + ".model", change.Model, 128, least: 1);

        void Fits(ChangeType only, bool given, string message) => checks.Require(type == only || !given, Field, message);
    }

    private static void Pair(Checks checks, string name, string words, string? request, string? limit)
    {
        var least = Amount(checks, $"{Field}.{name}Request", request);
        var most = Amount(checks, $"{Field}.{name}Limit", limit);
        checks.Require(least is null || most is null || least <= most, $"{Field}.{name}Request", $"the {words} request is above the {words} limit");
    }

    private static Quantity? Amount(Checks checks, string field, string? text)
    {
        if (text is null) return null;
        checks.Text(field, text, 32, least: 1);
        var known = Quantity.TryParse(text, out var amount);
        checks.Require(known && amount.IsPositive, field, "must be a Kubernetes quantity above zero, such as 512Mi, 4Gi or 250m");
        return known ? amount : null;
    }

    public static void Tolerations(Checks checks, string field, IReadOnlyList<JsonElement>? tolerations)
    {
        if (tolerations is null || !checks.Require(tolerations.Count is >= 1 and <= 16, field, "must have 1 to 16 entries")) return;
        for (var i = 0; i < tolerations.Count; i++)
        {
            var (at, one) = ($"{field}[{i}]", tolerations[i]);
            if (!checks.Require(one.ValueKind == JsonValueKind.Object, at, "must be an object")) continue;
            checks.Text(at + ".key", Text("key"), 317);
            checks.Require(Text("operator") is null or "Exists" or "Equal", at + ".operator", "must be Exists or Equal");
            checks.Text(at + ".value", Text("value"), 63);
            checks.Require(Text("effect") is null or "NoSchedule" or "PreferNoSchedule" or "NoExecute", at + ".effect", "must be NoSchedule, PreferNoSchedule or NoExecute");
            var whole = !one.TryGetProperty("tolerationSeconds", out var seconds) || (seconds.ValueKind == JsonValueKind.Number && seconds.TryGetInt64(out _));
            checks.Require(whole, at + ".tolerationSeconds", "must be a whole number");

            string? Text(string name)
            {
                if (!one.TryGetProperty(name, out var value)) return null;
                return checks.Require(value.ValueKind == JsonValueKind.String, $"{at}.{name}", "must be a string") ? value.GetString() : null;
            }
        }
    }

    private static void Environment(Checks checks, IReadOnlyDictionary<string, string>? variables)
    {
        checks.Map(Field + ".environment", variables, 1, 32, (at, _, value) => checks.Text(at, value, 4096));
        if (variables is { Count: <= 32 })
            checks.Require(
                variables.Keys.All(key => key.EnumerateRunes().Count() is > 0 and <= 253 && !key.Contains('=')),
                Field + ".environment",
                "the name of an environment variable has 1 to 253 characters and no equals sign");
    }
}
