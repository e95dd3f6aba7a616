using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Access;

/// <summary>What is asked to be allowed: a verb on a resource, or (with <see cref="Path"/>) on a path that is no resource.</summary>
public sealed record AccessQuestion(string Verb, string Group, string Resource, string Subresource, string Namespace, string Name, string? Path = null);

/// <summary>Decides by the stored Roles and bindings. Masters may everything; every signed-in caller may learn what is served and ask about itself.</summary>
public sealed class Authorizer(ObjectStore store)
{
    private static readonly string[] PublicPaths = ["/healthz", "/livez", "/readyz", "/version", "/version/"];
    private static readonly string[] DiscoveryPaths = ["/api", "/apis", "/openapi", "/.well-known", "/openid"];
    private static readonly string[] SelfReviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"];

    public (bool Allowed, string Reason) Decide(Identity caller, AccessQuestion question)
    {
        if (caller.IsMaster) return (true, "");
        if (question.Path is { } path && IsOpen(caller, path, question.Verb)) return (true, "");
        if (question.Path is null && question.Verb == "create" && SelfReviews.Contains(question.Resource) && caller.Groups.Contains(Identity.Authenticated)) return (true, "");
        foreach (var (rules, reason) in RulesFor(caller, question.Namespace))
        {
            if (rules.Any(rule => Allows(rule, question))) return (true, reason);
        }

        return (false, "");
    }

    /// <summary>The rules that hold for a caller in a namespace (empty: cluster-wide only), each with the binding that gives them.</summary>
    public IEnumerable<(IReadOnlyList<JsonNode> Rules, string Reason)> RulesFor(Identity caller, string ns)
    {
        foreach (var binding in store.Log(BuiltInTypes.ClusterRoleBinding).Now().From(null))
        {
            if (Role(binding, caller, "") is { } role) yield return (role.Rules, $"RBAC: allowed by ClusterRoleBinding \"{binding.Name}\" of {role.Kind} \"{role.Name}\" to {role.Subject}");
        }

        if (ns.Length == 0) yield break;
        foreach (var binding in store.Log(BuiltInTypes.RoleBinding).Now().From(ns))
        {
            if (Role(binding, caller, ns) is { } role) yield return (role.Rules, $"RBAC: allowed by RoleBinding \"{binding.Name}/{ns}\" of {role.Kind} \"{role.Name}\" to {role.Subject}");
        }
    }

    private (IReadOnlyList<JsonNode> Rules, string Kind, string Name, string Subject)? Role(StoredObject stored, Identity caller, string ns)
    {
        var binding = stored.Read();
        if (binding.Items("subjects").Select(subject => Subject(subject, caller, ns)).FirstOrDefault(found => found is not null) is not { } subject) return null;
        var (kind, name) = (binding.Text("roleRef", "kind") ?? "", binding.Text("roleRef", "name") ?? "");
        var role = kind == "Role" ? store.Get(BuiltInTypes.Role, ns, name) : store.Get(BuiltInTypes.ClusterRole, null, name);
        return role is null ? null : ([.. Rules(role.Read()).OfType<JsonNode>()], kind, name, subject);
    }

    // A ClusterRole may be the union of others, chosen by label.
    private IEnumerable<JsonNode?> Rules(JsonObject role)
    {
        JsonNode?[] selectors = [.. role.Items("aggregationRule", "clusterRoleSelectors")];
        if (selectors.Length == 0) return role.Items("rules");
        LabelSelector[] parsed = [.. selectors.Select(LabelSelector.FromObject)];
        return store.Log(BuiltInTypes.ClusterRole).Now().From(null)
            .Where(other => parsed.Any(selector => selector.Matches(other.Labels)))
            .SelectMany(other => other.Read().Items("rules"));
    }

    private static string? Subject(JsonNode? subject, Identity caller, string ns)
    {
        var name = subject.Text("name") ?? "";
        return subject.Text("kind") switch
        {
            "User" when name == caller.Name => $"User \"{name}\"",
            "Group" when caller.Groups.Contains(name) => $"Group \"{name}\"",
            "ServiceAccount" when caller.Name == $"system:serviceaccount:{subject.Text("namespace") ?? ns}:{name}" => $"ServiceAccount \"{name}/{subject.Text("namespace") ?? ns}\"",
            _ => null,
        };
    }

    private static bool Allows(JsonNode rule, AccessQuestion question)
    {
        if (!Has(rule, "verbs", question.Verb)) return false;
        if (question.Path is { } path)
        {
            return rule.Texts("nonResourceURLs").Any(url => url == "*" || url == path || (url.EndsWith('*') && path.StartsWith(url[..^1], StringComparison.Ordinal)));
        }

        if (!Has(rule, "apiGroups", question.Group)) return false;
        var resource = question.Subresource.Length > 0 ? $"{question.Resource}/{question.Subresource}" : question.Resource;
        if (!rule.Texts("resources").Any(each => each == "*" || each == resource || (question.Subresource.Length > 0 && each == "*/" + question.Subresource))) return false;
        string[] names = [.. rule.Texts("resourceNames")];
        return names.Length == 0 || (question.Name.Length > 0 && names.Contains(question.Name));
    }

    private static bool Has(JsonNode rule, string field, string value) => rule.Texts(field).Any(each => each == "*" || each == value);

    private static bool IsOpen(Identity caller, string path, string verb)
    {
        if (verb is not ("get" or "head")) return false;
        if (PublicPaths.Contains(path)) return true;
        return caller.Groups.Contains(Identity.Authenticated)
            && DiscoveryPaths.Any(open => path == open || path.StartsWith(open + "/", StringComparison.Ordinal));
    }
}
