using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Access;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Admission;

/// <summary>What the expressions of a ValidatingAdmissionPolicy see.</summary>
/// <param name="Object">Null for a deletion.</param>
/// <param name="Old">Null for a creation.</param>
/// <param name="Namespace">The namespace object; null for what is in none.</param>
/// <param name="Parameters">Null where the policy has none.</param>
/// <param name="Texts">The policy's variables that are nothing but a text: settings of an installation.</param>
/// <param name="May">CEL's authorizer for the caller of the request.</param>
public sealed record PolicyQuestion(AdmissionRequest Request, JsonObject? Object, JsonObject? Old, JsonObject? Namespace, JsonObject? Parameters, IReadOnlyDictionary<string, string> Texts, Func<AccessQuestion, bool> May)
{
    public string User => Request.Context.Caller.Name;
}

/// <summary>
/// The expressions of one policy as functions. A policy's CEL is not evaluated here: its text is known by a fingerprint, so that a text that was changed has no twin
/// until somebody has changed the twin too.
/// </summary>
/// <param name="Fingerprint">Of <see cref="FingerprintOf"/>.</param>
/// <param name="Validations">In the policy's order: null where the validation holds; else what its messageExpression says, "" where it has a message.</param>
public sealed record PolicyTwin(string Fingerprint, params IReadOnlyList<Func<PolicyQuestion, string?>> Validations)
{
    /// <summary>All matchConditions.</summary>
    public Func<PolicyQuestion, bool> Applies { get; init; } = _ => true;

    /// <summary>All that Fabrik ships.</summary>
    private static readonly IReadOnlyDictionary<string, PolicyTwin> Known = FabrikPolicies.Twins.Concat(RunPolicies.Twins).ToDictionary(twin => twin.Fingerprint, StringComparer.Ordinal);

    /// <summary>Null for a policy that Fabrik does not ship, or not with these expressions.</summary>
    public static PolicyTwin? Find(JsonObject policy) => Known.GetValueOrDefault(FingerprintOf(policy));

    /// <summary>By name: variables that are a text and nothing else.</summary>
    public static IReadOnlyDictionary<string, string> TextsOf(JsonObject policy) =>
        policy["spec"].Items("variables").Where(one => Text(one) is not null).ToDictionary(one => one.Text("name") ?? "", one => Text(one)!, StringComparer.Ordinal);

    /// <summary>Of all CEL of a policy, in its order; white space does not matter, and neither does what <see cref="TextsOf"/> has.</summary>
    public static string FingerprintOf(JsonObject policy)
    {
        var spec = policy["spec"];
        var text = string.Join('\n', (IEnumerable<string>)
        [
            .. spec.Items("matchConditions").Select(one => "when " + Plain(one, "expression")),
            .. spec.Items("variables").Select(one => $"{one.Text("name")} = {(Text(one) is null ? Plain(one, "expression") : "a text")}"),
            .. spec.Items("validations").Select(one => $"must {Plain(one, "expression")} else {Plain(one, "messageExpression")}"),
        ]);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16];

        static string Plain(JsonNode? from, string field) => string.Concat((from.Text(field) ?? "").Where(c => !char.IsWhiteSpace(c)));
    }
    /// <summary>Null for any other expression, and for a text that needs escapes.</summary>
    private static string? Text(JsonNode? variable) =>
        variable.Text("expression")?.Trim() is ['\'', .. var text, '\''] && text.AsSpan().IndexOfAny('\'', '\\') < 0 ? text : null;
}
