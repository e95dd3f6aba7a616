using System.Text.Json.Nodes;
using Fabrik.Admission;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Admission;

/// <summary>
/// Match conditions are CEL, which this server does not evaluate. It knows the expressions that Fabrik registers, each as a function;
/// a configuration with any other is refused when it is written.
/// </summary>
public static class MatchConditions
{
    private static readonly Dictionary<string, Func<JsonObject?, bool>> Known = new(StringComparer.Ordinal)
    {
        [Normal(WebhookRegistration.Condition(enabled: true, gateway: false))] = content => Optimize(content) != "false" || Gateway(content) == "true" || Resumes(content),
        [Normal(WebhookRegistration.Condition(enabled: false, gateway: false))] = content => Optimize(content) == "true" || Gateway(content) == "true" || Resumes(content),
        [Normal(WebhookRegistration.Condition(enabled: false, gateway: true))] = content => Optimize(content) == "true" || Gateway(content) != "false" || Resumes(content),
        [Normal(WebhookRegistration.Condition(enabled: true, gateway: true))] = content => Optimize(content) != "false" || Gateway(content) != "false" || Resumes(content),
        ["true"] = _ => true,
    };

    /// <summary>Null when the expression is none of the known ones; white space does not matter.</summary>
    public static Func<JsonObject?, bool>? Find(string expression) => Known.GetValueOrDefault(Normal(expression));

    private static string? Optimize(JsonObject? content) => content.Text("metadata", "annotations", Names.Annotations.Optimize);

    private static string? Gateway(JsonObject? content) => content.Text("metadata", "annotations", Names.Annotations.Gateway);

    private static bool Resumes(JsonObject? content) => content.Text("metadata", "annotations", Names.Annotations.Resume) is not null;

    private static string Normal(string expression) => string.Concat(expression.Where(c => !char.IsWhiteSpace(c)));
}
