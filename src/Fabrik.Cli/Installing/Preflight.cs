using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Cli.Output;
using Fabrik.Installation;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Installing;

/// <summary>What must hold before the first write. Problems are told together, not one by one.</summary>
internal sealed class Preflight(KubernetesClient cluster, InstallSettings settings, CertificateChoice certificates, IReadOnlyList<JsonObject> items, Steps steps)
{
    private const int OldestMinor = 30;
    private static readonly string[] DefaultClass = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
    private readonly List<(string What, string Next)> problems = [];

    /// <exception cref="CommandException">Something does not hold; all of it is said.</exception>
    public async Task RunAsync(CancellationToken ct)
    {
        await steps.RunAsync("cluster", say => VersionAsync(ct), version => $"Kubernetes {version}");
        if (settings.Monitoring) await steps.RunAsync("monitoring", say => MonitoringAsync(ct), found => found);
        await steps.RunAsync("certificates", _ => Task.FromResult(Keeper()), found => found);
        await steps.RunAsync("permissions", say => PermissionsAsync(ct), count => count == 0 ? "everything is allowed" : $"{count} asked");
        await steps.RunAsync("storage class", say => StorageAsync(ct), name => name);
        await LeftoversAsync(ct);
        steps.Note("network policies: whether this cluster enforces them cannot be read from its API; without that, runs are not kept from the network");
        if (problems.Count == 0) return;
        throw new CommandException(
            ExitCode.Error, "FAB-1101", problems.Count == 1 ? problems[0].What : $"{problems.Count} things stand in the way of installing",
            problems.Count == 1 ? "nothing was written" : string.Join("\n", problems.Select(problem => $"{problem.What}: {problem.Next}")) + "\nnothing was written",
            problems[0].Next);
    }

    private async Task<string> VersionAsync(CancellationToken ct)
    {
        var version = await cluster.GetRawAsync(Names.Paths.Version, ct);
        var text = version.Text("gitVersion") ?? "of an unknown version";
        var minor = new string([.. (version.Text("minor") ?? "").TakeWhile(char.IsAsciiDigit)]);
        if (version.Text("major") != "1" || !int.TryParse(minor, CultureInfo.InvariantCulture, out var number) || number < OldestMinor)
            problems.Add(($"Kubernetes is {text}, and 1.{OldestMinor} or later is needed", "upgrade the cluster, or name another one with --context"));
        return text;
    }

    /// <summary>Kinds of the monitoring overlay that the cluster does not serve.</summary>
    public static async Task<IReadOnlyList<string>> UnmonitoredAsync(KubernetesClient cluster, CancellationToken ct)
    {
        var missing = new List<string>();
        foreach (var (version, kind) in ShippedManifests.Overlay(ShippedManifests.Monitoring).Select(item => (item["apiVersion"]?.ToString() ?? "", item.Kind())).Distinct())
            if (await Discovery.FindAsync(cluster, version, kind, ct) is null) missing.Add($"{kind} ({version})");
        return missing;
    }

    private async Task<string> MonitoringAsync(CancellationToken ct)
    {
        var missing = await UnmonitoredAsync(cluster, ct);
        if (missing.Count == 0) return $"the operator's kinds are served; Prometheus' namespace needs the label {Names.Labels.Metrics}=true";
        problems.Add(($"monitoring is wanted, and the cluster does not serve {string.Join(" and ", missing)}", "install the Prometheus operator first, or leave --monitoring (monitoring: true in the settings) out"));
        return "kinds are missing";
    }

    private string Keeper()
    {
        var found = certificates.Found;
        if (!certificates.IsCertManager) return found is { Served: true, Begun: false, Injects: null, Authority: true } ? "Fabrik's own; cert-manager is here too: --certificates cert-manager moves to it" : "Fabrik's own";
        if (certificates.Foreign) return $"cert-manager, from {found.Injects}";
        if (found.Served) return "cert-manager";
        problems.Add((
            $"cert-manager {(settings.Certificates == InstallSettings.CertManager ? "is named as the keeper of certificates" : "has kept the certificates so far")}, and the cluster does not serve {Kinds.Certificate.Kind} and {Kinds.Issuer.Kind} ({Kinds.Certificate.ApiVersion})",
            $"install cert-manager first, or have Fabrik make certificates itself: --certificates {InstallSettings.Own}"));
        return "cert-manager is missing";
    }

    /// <summary>Each kind of object that is going to be applied, in each place.</summary>
    private async Task<int> PermissionsAsync(CancellationToken ct)
    {
        if (await MayAsync("*", "*", "*", null, ct)) return 0;
        var discovery = await Discovery.ReadAsync(cluster, ct);
        var asked = new HashSet<(string Verb, string Group, string Resource, string? Namespace)>();
        foreach (var item in items)
        {
            var apiVersion = item["apiVersion"]?.ToString() ?? "";
            var kind = discovery.Kinds.FirstOrDefault(one => one.Kind.Kind == item.Kind() && one.Kind.ApiVersion == apiVersion)?.Kind;
            if (kind is null) continue;
            foreach (var verb in (string[])["create", "patch", "get"]) asked.Add((verb, kind.Group, kind.Plural, item.Namespace()));
        }

        foreach (var verb in (string[])["get", "patch"]) asked.Add((verb, "", "secrets", Names.SystemNamespace));
        if (certificates.MovesToOwn)
            foreach (var kind in (ResourceKind[])[Kinds.Certificate, Kinds.Issuer, Kinds.Secret]) asked.Add(("delete", kind.Group, kind.Plural, Names.SystemNamespace));
        var lacking = new List<string>();
        foreach (var (verb, group, resource, ns) in asked)
            if (!await MayAsync(verb, group, resource, ns, ct)) lacking.Add($"{verb} {resource}{(group.Length == 0 ? "" : "." + group)}{(ns is null ? "" : " in " + ns)}");
        if (lacking.Count > 0)
            problems.Add(($"you may not {string.Join(", ", lacking.Take(5))}{(lacking.Count > 5 ? $" and {lacking.Count - 5} more" : "")}", "use a context of a cluster administrator with --context: installing writes definitions, roles and webhooks"));
        return asked.Count;
    }

    private async Task<bool> MayAsync(string verb, string group, string resource, string? ns, CancellationToken ct)
    {
        var attributes = new JsonObject { ["verb"] = verb, ["group"] = group, ["resource"] = resource };
        if (ns is not null) attributes["namespace"] = ns;
        var review = new JsonObject { ["apiVersion"] = "authorization.k8s.io/v1", ["kind"] = "SelfSubjectAccessReview", ["spec"] = new JsonObject { ["resourceAttributes"] = attributes } };
        var answer = await cluster.CreateAsync(Kinds.SelfSubjectAccessReview, null, review, ct);
        return answer.Json.At("status", "allowed").ValueKind == JsonValueKind.True;
    }

    private async Task<string> StorageAsync(CancellationToken ct)
    {
        var classes = new List<KubeObject>();
        await foreach (var one in cluster.ListAsync(Kinds.StorageClass, null, ct)) classes.Add(one);
        if (settings.StorageClass is { } named)
        {
            if (classes.All(one => one.Name != named)) problems.Add(($"there is no storage class {named}", classes.Count == 0 ? "the cluster has none: install a provisioner first" : $"name one of these with --storage-class: {string.Join(", ", classes.Select(one => one.Name))}"));
            return named;
        }

        if (classes.FirstOrDefault(one => DefaultClass.Any(name => one.Annotation(name) == "true")) is { } found) return $"{found.Name} (the default)";
        problems.Add(("the cluster has no default storage class, and Fabrik's database and the gateway's spool need volumes", classes.Count == 0
            ? "install a provisioner first, such as rancher.io/local-path"
            : $"name one with --storage-class: {string.Join(", ", classes.Select(one => one.Name))}"));
        return "none";
    }

    private async Task LeftoversAsync(CancellationToken ct)
    {
        foreach (var item in items.Where(item => item.Kind() == "Namespace"))
        {
            if (await cluster.FindAsync(Kinds.Namespace, null, item.Name(), ct) is not { } found) continue;
            if (found.DeletionTimestamp is not null) problems.Add(($"namespace {item.Name()} is being deleted", $"wait until it is gone: kubectl wait --for=delete namespace/{item.Name()}"));
            else if (found.Label(Names.Labels.PartOf) is null) steps.Note($"namespace {item.Name()} was there before and is taken over");
        }
    }
}
