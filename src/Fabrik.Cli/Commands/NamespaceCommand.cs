using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fabrik.Admission;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Commands;

/// <summary>Namespaces for runs: made as fabrik-runs is, listed, and shown with what holds in them.</summary>
public static partial class NamespaceCommand
{
    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("namespace", "Namespaces for runs: quota, network policies and who may run there");
        command.Aliases.Add("ns");
        command.Subcommands.Add(Creation(globals, terminal, clock));
        var list = new Command("list", "The namespaces that Fabrik looks after");
        list.SetAction((parsed, cancel) => ListAsync(parsed, globals, terminal, clock, cancel));
        command.Subcommands.Add(list);
        var name = new Argument<string>("name") { Description = "The namespace" };
        var show = new Command("show", "What holds in a namespace: labels, what is left of its quota, network policies, who may run there") { Arguments = { name } };
        show.SetAction((parsed, cancel) => ShowAsync(parsed, parsed.GetValue(name)!, globals, terminal, clock, cancel));
        command.Subcommands.Add(show);
        return command;
    }

    private static Command Creation(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var name = new Argument<string>("name") { Description = "Its name" };
        var project = new Option<string?>("--project") { Description = "Whom the gateway's calls are charged to" };
        var untrusted = new Option<bool>("--untrusted") { Description = "Runs get safe defaults, and what is not safe is refused (the default; --untrusted=false for runs you trust)", DefaultValueFactory = _ => true };
        var quota = new Option<QuotaSize>("--quota") { Description = "small (10 Jobs, 10 cores, 20Gi), medium (50, 50, 100Gi), large (100, 100, 200Gi) or none", DefaultValueFactory = _ => QuotaSize.Small };
        quota.CompletionSources.Clear();
        quota.CompletionSources.Add("small", "medium", "large", "none");
        var users = new Option<string[]>("--user") { Description = "Who may run Jobs in it; several times for several" };
        var groups = new Option<string[]>("--group") { Description = "Which group may" };
        var dry = new Option<bool>("--dry-run") { Description = "Ask the server whether it would take everything, and write nothing" };
        var create = new Command("create", "Make a namespace for runs, or bring one up to date") { Arguments = { name }, Options = { project, untrusted, quota, users, groups, dry } };
        create.SetAction((parsed, cancel) => CreateAsync(
            parsed,
            new RunNamespace(parsed.GetValue(name)!, parsed.GetValue(project), !parsed.GetValue(untrusted), parsed.GetValue(quota), parsed.GetValue(users) ?? [], parsed.GetValue(groups) ?? []),
            parsed.GetValue(dry), globals, terminal, clock, cancel));
        return create;
    }

    private static async Task CreateAsync(ParseResult parsed, RunNamespace wanted, bool dry, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        if (!NamespaceName().IsMatch(wanted.Name)) throw Unusable($"{wanted.Name} is no name of a namespace", "a name has at most 63 lower-case letters, digits and '-'", "fabrik namespace create NAME");
        if (wanted.Project is { } project && !LabelValue().IsMatch(project)) throw Unusable($"{project} is no name of a project", "it stands in a label: at most 63 letters, digits, '-', '_' and '.'", "fabrik namespace create NAME --project PROJECT");
        if (WebhookRegistration.ExcludedNamespaces.Contains(wanted.Name)) throw Unusable($"{wanted.Name} is no namespace for runs", "Fabrik never touches the control planes of Kubernetes and its own", "choose another name");
        using var client = globals.Cluster(parsed, clock);
        var exists = await ExistsAsync(client, wanted.Name, cancel);
        JsonElement home = default;
        foreach (var (kind, item) in wanted.Objects())
        {
            var name = (string)item["metadata"]!["name"]!;

            // A server that tries something out does not remember the namespace of the step before.
            if (dry && !exists && kind.Namespaced)
            {
                terminal.Error.WriteLine($"would create {kind.Plural}/{name}");
                continue;
            }

            var written = await client.PatchAsync(kind, kind.Namespaced ? wanted.Name : null, name, PatchType.Apply, item, cancel, new WriteOptions { FieldManager = ObjectWriter.FieldManager, Force = true, DryRun = dry });
            if (kind == Kinds.Namespace) home = written.Json;
            terminal.Error.WriteLine($"{(dry ? "would apply" : "applied")} {kind.Plural}/{name}");
        }

        globals.Printer(parsed, terminal).Done(home, $"namespace/{wanted.Name}", dry ? "would be made" : exists ? "is up to date" : "made");
        if (dry) return;
        terminal.Error.WriteLine(wanted.Users.Count + wanted.Groups.Count == 0
            ? $"Nobody was given the right to run Jobs in it yet: fabrik namespace create {wanted.Name} --group GROUP, or look at it: fabrik namespace show {wanted.Name}"
            : $"Run something in it: kubectl -n {wanted.Name} apply -f JOB.yaml; look at it: fabrik namespace show {wanted.Name}");
    }

    private static async Task<bool> ExistsAsync(KubernetesClient client, string name, CancellationToken cancel)
    {
        try
        {
            await client.GetAsync(Kinds.Namespace, null, name, cancel);
            return true;
        }
        catch (KubernetesException missing) when (missing.IsNotFound)
        {
            return false;
        }
    }

    private static async Task ListAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        using var client = globals.Cluster(parsed, clock);
        var found = new List<JsonElement>();
        await foreach (var item in client.ListAsync(Kinds.Namespace, null, cancel))
            if (IsOfRuns(item)) found.Add(item.Json);
        globals.Printer(parsed, terminal).List(
            [.. found.OrderBy(item => Label(item, null), StringComparer.Ordinal)],
            [
                new("NAME", item => Label(item, null)),
                new("PROJECT", item => Label(item, Names.Labels.Project)),
                new("UNTRUSTED", item => Yes(item, Names.Labels.Untrusted)),
                new("OPTIMIZED", item => Yes(item, Names.Labels.Enabled)),
                new("GATEWAY", item => Yes(item, Names.Labels.Gateway)),
                new("POD SECURITY", item => Label(item, PodSecurityEnforce), Wide: true),
                new("AGE", item => Age.Of(clock.GetUtcNow() - item.GetProperty("metadata").GetProperty("creationTimestamp").GetDateTimeOffset())),
            ],
            item => $"namespace/{Label(item, null)}",
            "No namespace is for runs yet: fabrik namespace create NAME");
    }

    private static async Task ShowAsync(ParseResult parsed, string name, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        using var client = globals.Cluster(parsed, clock);
        var home = await client.GetAsync(Kinds.Namespace, null, name, cancel);
        var (quotas, policies, bindings) = (await AllAsync(Kinds.ResourceQuota), await AllAsync(Kinds.NetworkPolicy), await AllAsync(Kinds.RoleBinding));
        var item = JsonSerializer.SerializeToElement(new JsonObject
        {
            ["namespace"] = home.ToNode(),
            ["resourceQuotas"] = Array(quotas),
            ["networkPolicies"] = Array(policies),
            ["roleBindings"] = Array(bindings),
        });
        globals.Printer(parsed, terminal).One(item,
        [
            ("Name", name),
            ("Project", Label(home.Json, Names.Labels.Project)),
            ("Untrusted", Yes(home.Json, Names.Labels.Untrusted) ?? "no: fabrik namespace create " + name),
            ("Optimized", Yes(home.Json, Names.Labels.Enabled) ?? "no"),
            ("Gateway", Yes(home.Json, Names.Labels.Gateway) ?? "no"),
            ("Pod Security", Label(home.Json, PodSecurityEnforce) ?? "none"),
            ("Quota", quotas.Count == 0 ? "none" : string.Join('\n', quotas.SelectMany(Room))),
            ("Network policies", policies.Count == 0 ? "none: its Pods reach everything" : string.Join(", ", policies.Select(policy => policy.Name))),
            ("May run Jobs", string.Join(", ", bindings.Where(IsOfRunners).SelectMany(Subjects)) is { Length: > 0 } who ? who : null),
        ], $"namespace/{name}");

        async Task<List<KubeObject>> AllAsync(ResourceKind kind)
        {
            var found = new List<KubeObject>();
            await foreach (var one in client.ListAsync(kind, name, cancel)) found.Add(one);
            return found;
        }

        static JsonArray Array(List<KubeObject> items) => new([.. items.Select(one => one.ToNode())]);
    }

    private static IEnumerable<string> Room(KubeObject quota)
    {
        if (!quota.Json.TryGetProperty("status", out var status) || !status.TryGetProperty("hard", out var hard)) yield break;
        foreach (var resource in hard.EnumerateObject())
            yield return $"{resource.Name}: {(status.TryGetProperty("used", out var used) && used.TryGetProperty(resource.Name, out var now) ? now.GetString() : "0")} of {resource.Value.GetString()}";
    }

    private static bool IsOfRunners(KubeObject binding) =>
        binding.Json.TryGetProperty("roleRef", out var role) && role.TryGetProperty("name", out var name) && name.ValueEquals(Names.Roles.Runner);

    private static IEnumerable<string> Subjects(KubeObject binding) =>
        binding.Json.TryGetProperty("subjects", out var subjects) ? subjects.EnumerateArray().Select(subject => $"{subject.GetProperty("kind").GetString()!.ToLowerInvariant()} {subject.GetProperty("name").GetString()}") : [];

    private const string PodSecurityEnforce = "pod-security.kubernetes.io/enforce";

    private static bool IsOfRuns(KubeObject item) => !WebhookRegistration.ExcludedNamespaces.Contains(item.Name)
        && new[] { Names.Labels.Untrusted, Names.Labels.Enabled, Names.Labels.Gateway }.Any(label => Yes(item.Json, label) is not null);

    private static string? Yes(JsonElement item, string label) => Label(item, label) == "true" ? "yes" : null;

    /// <summary>Null for the label: the name.</summary>
    private static string? Label(JsonElement item, string? label)
    {
        var metadata = item.GetProperty("metadata");
        if (label is null) return metadata.GetProperty("name").GetString();
        return metadata.TryGetProperty("labels", out var labels) && labels.TryGetProperty(label, out var value) ? value.GetString() : null;
    }

    private static CommandException Unusable(string what, string why, string next) => new(ExitCode.Usage, "FAB-1080", what + "; nothing was written", why, next);

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex NamespaceName();

    [GeneratedRegex(@"^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LabelValue();
}
