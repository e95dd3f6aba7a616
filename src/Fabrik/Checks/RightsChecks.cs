namespace Fabrik.Checks;

/// <summary>May a user do this?</summary>
/// <param name="User">Null: the caller.</param>
/// <param name="Namespace">Null: in all, or the object has none.</param>
/// <param name="Name">Null: any.</param>
/// <param name="Subresource">"" where there is none.</param>
public sealed record AccessQuestion(string Verb, string Group, string Resource, string? Namespace = null, string? Name = null, string Subresource = "", string? User = null)
{
    public override string ToString() =>
        $"{Verb} {Resource}{(Group.Length > 0 ? "." + Group : "")}{(Subresource.Length > 0 ? "/" + Subresource : "")}{(Name is null ? "" : " " + Name)}{(Namespace is null ? "" : " in " + Namespace)}";
}

/// <param name="Answers">True: allowed. Of every question of the phase.</param>
/// <param name="Outside">Why no process has rights here; null where they do.</param>
public sealed record RightsFacts(IReadOnlyDictionary<AccessQuestion, Reading<string>> Answers, string? Outside)
{
    public const string Allowed = "yes";
    public const string Refused = "no";
}

/// <summary>Before: whether the caller may install, verb by verb. Afterwards: whether each process may do what it does, and a run may do nothing.</summary>
public static class RightsChecks
{
    private static readonly string[] Installs = ["get", "list", "create", "patch", "delete"];

    /// <summary>What is installed: id, group, resource, namespaces (none: cluster-wide).</summary>
    private static readonly (string Id, string Group, string Resource, string[] Namespaces)[] Installed =
    [
        ("FAB-3021", "", "namespaces", []),
        ("FAB-3022", "apiextensions.k8s.io", "customresourcedefinitions", []),
        ("FAB-3023", "rbac.authorization.k8s.io", "clusterroles", []),
        ("FAB-3024", "rbac.authorization.k8s.io", "clusterrolebindings", []),
        ("FAB-3025", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", []),
        ("FAB-3026", "admissionregistration.k8s.io", "validatingadmissionpolicies", []),
        ("FAB-3027", "admissionregistration.k8s.io", "validatingadmissionpolicybindings", []),
        ("FAB-3028", "scheduling.k8s.io", "priorityclasses", []),
        ("FAB-3029", "apps", "deployments", [Names.SystemNamespace]),
        ("FAB-3030", "apps", "statefulsets", [Names.SystemNamespace, Names.GatewayNamespace]),
        ("FAB-3031", "", "services", [Names.SystemNamespace, Names.GatewayNamespace]),
        ("FAB-3032", "", "serviceaccounts", [Names.SystemNamespace, Names.GatewayNamespace, Names.RunsNamespace]),
        ("FAB-3033", "", "secrets", [Names.SystemNamespace, Names.GatewayNamespace]),
        ("FAB-3034", "", "configmaps", [Names.SystemNamespace, Names.GatewayNamespace]),
        ("FAB-3035", "rbac.authorization.k8s.io", "roles", [Names.SystemNamespace, Names.GatewayNamespace]),
        ("FAB-3036", "rbac.authorization.k8s.io", "rolebindings", [Names.SystemNamespace, Names.GatewayNamespace]),
        ("FAB-3037", "policy", "poddisruptionbudgets", [Names.SystemNamespace, Names.GatewayNamespace]),
        ("FAB-3038", "networking.k8s.io", "networkpolicies", [Names.SystemNamespace, Names.GatewayNamespace, Names.RunsNamespace]),
        ("FAB-3039", "autoscaling", "horizontalpodautoscalers", [Names.GatewayNamespace]),
        ("FAB-3040", "", "resourcequotas", [Names.RunsNamespace]),
        ("FAB-3041", "", "limitranges", [Names.RunsNamespace]),
    ];

    private static readonly AccessQuestion[] Grants = [new("escalate", "rbac.authorization.k8s.io", "clusterroles"), new("bind", "rbac.authorization.k8s.io", "clusterroles")];

    private static readonly AccessQuestion Try = new("create", "batch", "jobs", Names.RunsNamespace);

    private static readonly AccessQuestion[] Webhook = [.. Watches(Account(Names.SystemNamespace, Names.Objects.Webhook), ("", "namespaces"), ("", "limitranges"), ("", "resourcequotas"), ("", "nodes"), (Names.Group, "optimizationchanges"), (Names.Group, "optimizerpolicies"))];

    private static readonly AccessQuestion[] Control =
    [
        .. Watches(Account(Names.SystemNamespace, Names.Objects.Control), ("batch", "jobs"), ("", "pods"), ("", "events"), ("", "namespaces")),
        new("get", Names.Group, "optimizerpolicies", User: Account(Names.SystemNamespace, Names.Objects.Control)),
        new("list", Names.Group, "optimizationchanges", Names.SystemNamespace, User: Account(Names.SystemNamespace, Names.Objects.Control)),
        new("patch", Names.Group, "optimizationchanges", Names.SystemNamespace, Subresource: "status", User: Account(Names.SystemNamespace, Names.Objects.Control)),
        new("list", "", "persistentvolumeclaims", User: Account(Names.SystemNamespace, Names.Objects.Control)),
        new("create", "", "persistentvolumeclaims", User: Account(Names.SystemNamespace, Names.Objects.Control)),
        new("create", "", "events", User: Account(Names.SystemNamespace, Names.Objects.Control)),
        new("create", "authentication.k8s.io", "tokenreviews", User: Account(Names.SystemNamespace, Names.Objects.Control)),
        new("create", "authorization.k8s.io", "subjectaccessreviews", User: Account(Names.SystemNamespace, Names.Objects.Control)),
    ];

    private static readonly AccessQuestion[] Gateway = [new("create", Names.Group, Names.Resources.Usage, User: Names.GatewayUser)];

    private static readonly AccessQuestion[] GatewayMayNot =
    [
        new("list", "", "secrets", User: Names.GatewayUser), new("list", "batch", "jobs", User: Names.GatewayUser), new("create", "", "pods", Names.SystemNamespace, User: Names.GatewayUser),
        new("get", "", "secrets", Names.SystemNamespace, User: Names.GatewayUser), new("patch", Names.Group, "optimizationchanges", Names.SystemNamespace, Subresource: "status", User: Names.GatewayUser),
    ];

    private static readonly AccessQuestion[] RunsMayNot =
    [
        .. new[] { ("get", "", "secrets"), ("list", "", "pods"), ("create", "", "pods"), ("create", "batch", "jobs"), ("create", Names.Group, Names.Resources.Usage), ("patch", Names.Group, "optimizationchanges") }
            .Select(one => new AccessQuestion(one.Item1, one.Item2, one.Item3, Names.RunsNamespace, User: Account(Names.RunsNamespace, "default"))),
        new("get", "", "secrets", Names.GatewayNamespace, User: Account(Names.RunsNamespace, "default")),
        new("get", "", "secrets", Names.SystemNamespace, User: Account(Names.RunsNamespace, "default")),
    ];

    public static readonly Category<RightsFacts> Category = new("rbac",
    [
        .. Installed.Select(one => new Check<RightsFacts>(one.Id, $"this user may install {one.Resource}", facts => Judge(facts, [.. Questions(one)])) { Phase = CheckPhase.Before }),
        new("FAB-3042", "this user may give roles rights that he does not have himself", facts => Judge(facts, Grants)) { Phase = CheckPhase.Before },
        new("FAB-3043", "this user may try a Job, with --dry-run=server", facts => Judge(facts, [Try])),
        new("FAB-3044", "the webhook may read what it decides by", facts => facts.Outside is { } outside ? Finding.Skipped(outside) : Judge(facts, Webhook)) { Phase = CheckPhase.After },
        new("FAB-3045", "API and scheduler may watch runs and write what became of changes", facts => facts.Outside is { } outside ? Finding.Skipped(outside) : Judge(facts, Control)) { Phase = CheckPhase.After },
        new("FAB-3046", "the gateway may deliver usage", facts => Judge(facts, Gateway)) { Phase = CheckPhase.After },
        new("FAB-3047", "the gateway may do nothing else", facts => Judge(facts, GatewayMayNot, wanted: false)) { Phase = CheckPhase.After },
        new("FAB-3048", "the service account of runs may do nothing", facts => Judge(facts, RunsMayNot, wanted: false)) { Phase = CheckPhase.After },
    ])
    { Needs = [AccessChecks.Answers] };

    /// <summary>Everything that must be asked before the category can be judged.</summary>
    public static IReadOnlyList<AccessQuestion> Questions(CheckPhase phase) => phase == CheckPhase.Before
        ? [.. Installed.SelectMany(Questions), .. Grants, Try]
        : [Try, .. Webhook, .. Control, .. Gateway, .. GatewayMayNot, .. RunsMayNot];

    private static IEnumerable<AccessQuestion> Questions((string Id, string Group, string Resource, string[] Namespaces) one)
    {
        var namespaces = one.Namespaces.Length == 0 ? new string?[] { null } : one.Namespaces;
        return namespaces.SelectMany(ns => Installs.Select(verb => new AccessQuestion(verb, one.Group, one.Resource, ns)));
    }

    private static Finding Judge(RightsFacts facts, IReadOnlyList<AccessQuestion> questions, bool wanted = true)
    {
        if (questions.Select(question => facts.Answers[question]).FirstOrDefault(answer => !answer.IsRead) is { } unread)
            return unread.State == ReadState.Broken ? Finding.Failed(unread.Why!, "try again: fabrik check --category rbac") : Finding.Unproven(unread.Why!);
        var wrong = questions.Where(question => (facts.Answers[question].Value == RightsFacts.Allowed) != wanted).ToList();
        if (wrong.Count == 0) return Finding.Passed($"{questions.Count} asked");
        var first = wrong[0];
        var who = first.User ?? "this user";
        var probe = $"kubectl auth can-i {first.Verb} {first.Resource}{(first.Group.Length > 0 ? "." + first.Group : "")}{(first.Subresource.Length > 0 ? " --subresource " + first.Subresource : "")}{(first.Namespace is null ? "" : " -n " + first.Namespace)}{(first.User is null ? "" : " --as " + first.User)}";
        return Finding.Failed($"{who} may{(wanted ? " not" : "")}: {wrong.Select(one => one.ToString()).Few(8)}", wanted ? $"ask an administrator for a role with it, then: {probe}" : $"find the role that gives it: {probe}");
    }

    private static string Account(string ns, string name) => $"system:serviceaccount:{ns}:{name}";

    private static IEnumerable<AccessQuestion> Watches(string user, params (string Group, string Resource)[] kinds) =>
        kinds.SelectMany(kind => new[] { "list", "watch" }.Select(verb => new AccessQuestion(verb, kind.Group, kind.Resource, User: user)));
}
