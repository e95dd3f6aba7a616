using System.Text.Json.Nodes;
using Fabrik.Cli.Installing;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Connections;

/// <summary>How much the runs of a namespace take together, as a part of what fabrik-runs has.</summary>
public enum QuotaSize
{
    None,
    Small,
    Medium,
    Large,
}

/// <summary>What a namespace of runs consists of: fabrik-runs as the manifests have it, under another name and with what was asked for.</summary>
/// <param name="Trusted">What runs in it may be what it likes: no defaults, and nothing is refused but by Pod Security's baseline.</param>
public sealed record RunNamespace(string Name, string? Project, bool Trusted, QuotaSize Quota, IReadOnlyList<string> Users, IReadOnlyList<string> Groups)
{
    private const string PodSecurity = "pod-security.kubernetes.io/";

    /// <summary>In the order in which they are applied: nothing can run before it is fenced in.</summary>
    public IReadOnlyList<(ResourceKind Kind, JsonObject Object)> Objects()
    {
        var objects = new List<(ResourceKind, JsonObject)> { (Kinds.Namespace, Home()) };
        foreach (var policy in Of("network-policies.yaml", "NetworkPolicy")) objects.Add((Kinds.NetworkPolicy, policy));
        foreach (var limits in Of("runs.yaml", "LimitRange")) objects.Add((Kinds.LimitRange, limits));
        if (Quota != QuotaSize.None)
            foreach (var quota in Of("runs.yaml", "ResourceQuota")) objects.Add((Kinds.ResourceQuota, Sized(quota)));
        if (Users.Count + Groups.Count > 0) objects.Add((Kinds.RoleBinding, Binding()));
        return objects;
    }

    private JsonObject Home()
    {
        var home = ShippedManifests.Read("base/namespaces.yaml").Single(one => one.Name() == Names.RunsNamespace);
        home["metadata"]!["name"] = Name;
        var labels = home["metadata"]!["labels"]!.AsObject();
        if (Project is not null) labels[Names.Labels.Project] = Project;
        if (!Trusted) return home;
        labels.Remove(Names.Labels.Untrusted);
        labels[PodSecurity + "enforce"] = "baseline";
        return home;
    }

    private IEnumerable<JsonObject> Of(string file, string kind)
    {
        foreach (var one in ShippedManifests.Read("base/" + file).Where(one => one.Kind() == kind && one.Namespace() == Names.RunsNamespace))
        {
            one["metadata"]!["namespace"] = Name;
            yield return one;
        }
    }

    private JsonObject Sized(JsonObject quota)
    {
        var part = Quota switch { QuotaSize.Small => 10, QuotaSize.Medium => 2, _ => 1 };
        var hard = quota["spec"]!["hard"]!.AsObject();
        foreach (var (resource, amount) in hard.ToArray())
        {
            var text = amount!.ToString();
            var digits = text.TrimEnd('G', 'i');
            hard[resource] = (long.Parse(digits, System.Globalization.CultureInfo.InvariantCulture) / part).ToString(System.Globalization.CultureInfo.InvariantCulture) + text[digits.Length..];
        }

        return quota;
    }

    private JsonObject Binding() => new()
    {
        ["apiVersion"] = "rbac.authorization.k8s.io/v1",
        ["kind"] = "RoleBinding",
        ["metadata"] = new JsonObject { ["name"] = Names.Roles.Runner, ["namespace"] = Name, ["labels"] = new JsonObject { [Names.Labels.PartOf] = "fabrik" } },
        ["roleRef"] = new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "ClusterRole", ["name"] = Names.Roles.Runner },
        ["subjects"] = new JsonArray([.. Users.Select(user => Subject("User", user)), .. Groups.Select(group => Subject("Group", group))]),
    };

    private static JsonNode Subject(string kind, string name) => new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = kind, ["name"] = name };
}
