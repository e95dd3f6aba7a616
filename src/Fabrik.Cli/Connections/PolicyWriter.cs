using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Connections;

/// <summary>Reads and changes the one OptimizerPolicy. Where there is none yet its defaults are in force, and the first change creates it.</summary>
internal static class PolicyWriter
{
    /// <summary>Null where the cluster has none.</summary>
    public static async Task<KubeObject?> ReadAsync(KubernetesClient client, CancellationToken cancel)
    {
        try
        {
            return await client.GetAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, cancel);
        }
        catch (KubernetesException missing) when (missing.IsNotFound && missing.Reason == "NotFound" && missing.StatusMessage.Contains(Names.PolicyName, StringComparison.Ordinal))
        {
            // A cluster without the kind answers 404 too, with another sentence: that is an error.
            return null;
        }
    }

    /// <param name="change">The merge patch of the spec for the spec as it is.</param>
    /// <exception cref="CommandException">The policy would break its rules; nothing was sent.</exception>
    public static async Task<KubeObject> PatchAsync(KubernetesClient client, Func<JsonElement, JsonObject> change, CancellationToken cancel)
    {
        if (await ReadAsync(client, cancel) is null)
        {
            var made = new JsonObject { ["apiVersion"] = Names.ApiVersion, ["kind"] = Kinds.OptimizerPolicy.Kind, ["metadata"] = new JsonObject { ["name"] = Names.PolicyName }, ["spec"] = new JsonObject() };
            Merge((JsonObject)made["spec"]!, change(default));
            Check(null, made);
            try
            {
                return await client.CreateAsync(Kinds.OptimizerPolicy, null, made, cancel, new WriteOptions { FieldManager = ObjectWriter.FieldManager });
            }
            catch (KubernetesException raced) when (raced.IsAlreadyExists)
            {
                // Someone created it meanwhile: change theirs.
            }
        }

        return await ObjectWriter.PatchSpecAsync(client, Kinds.OptimizerPolicy, null, Names.PolicyName, item =>
        {
            var patch = change(item.Json.TryGetProperty("spec", out var spec) ? spec : default);
            var after = item.ToNode();
            if (after["spec"] is not JsonObject into) after["spec"] = into = [];
            Merge(into, patch);
            Check(item.Json, after);
            return patch;
        }, cancel);
    }

    private static void Check(JsonElement? before, JsonObject after)
    {
        using var document = JsonDocument.Parse(after.ToJsonString());
        if (PolicyRules.Validate(before, document.RootElement) is { Count: > 0 } problems)
            throw new CommandException(ExitCode.Usage, "FAB-1022", "the policy would not be valid; nothing was written", string.Join("; ", problems), "correct the value; what there is: fabrik optimizer config get");
    }

    /// <summary>RFC 7386.</summary>
    private static void Merge(JsonObject into, JsonObject patch)
    {
        foreach (var (name, value) in patch)
        {
            if (value is null)
            {
                into.Remove(name);
            }
            else if (value is JsonObject inner)
            {
                if (into[name] is not JsonObject target) into[name] = target = [];
                Merge(target, inner);
            }
            else
            {
                into[name] = value.DeepClone();
            }
        }
    }
}
