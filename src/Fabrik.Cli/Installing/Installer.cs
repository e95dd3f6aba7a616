using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Cli.Output;
using Fabrik.Installation;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Installing;

/// <summary>How an installation or an upgrade is carried out.</summary>
internal sealed record InstallOptions
{
    public bool DryRun { get; init; }
    public bool Wait { get; init; } = true;
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>One workload after another, each ready before the next: nothing that others call goes before what replaces it serves.</summary>
    public bool Rolling { get; init; }
}

/// <summary>Brings manifests into a cluster, stage by stage. Repeated, or repeated after a kill anywhere, it ends in the same state.</summary>
internal sealed class Installer(KubernetesClient cluster, InstallSettings settings, CertificateChoice certificates, InstallOptions options, Terminal terminal, Steps steps, TimeProvider clock)
{
    /// <summary>Whom the others call comes first: the gateway calls the API; the webhook, whose absence would be noticed, last.</summary>
    private static readonly string[] Order = [Names.Objects.Control, Names.Objects.Gateway, Names.Objects.Webhook];

    private readonly Applier applier = new(cluster, options.DryRun);

    public async Task RunAsync(IReadOnlyList<JsonObject> items, CancellationToken ct)
    {
        await StageAsync("namespaces", items, InstallStage.Namespaces, ct);
        await StageAsync("definitions", items, InstallStage.Definitions, ct);
        if (!options.DryRun)
            foreach (var definition in items.Where(item => InstallStages.Of(item) == InstallStage.Definitions)) await applier.EstablishedAsync(definition.Name(), clock, ct);
        await StageAsync("permissions, settings and policies", items, InstallStage.Settings, ct);
        var trusted = "";
        var secrets = new ClusterSecrets(cluster, clock);
        var certManager = new CertManager(cluster, applier, secrets, options.Timeout, clock);
        if (options.DryRun) await StageAsync("certificates", items, InstallStage.Certificates, ct);
        else
        {
            await CertificatesAsync(certManager, [.. items.Where(item => InstallStages.Of(item) == InstallStage.Certificates)], ct);
            trusted = await steps.RunAsync(certificates.IsCertManager ? "keys" : "certificates and keys", _ => secrets.FillAsync(certificates.IsCertManager, ct));
            if (settings.ProviderKeys.Count > 0) await steps.RunAsync("provider keys", _ => secrets.ProviderKeysAsync(settings.ProviderKeys, terminal, ct), names => string.Join(", ", names));
        }

        if (options.Rolling) await RollAsync(items, ct);
        else
        {
            await StageAsync("workloads", items, InstallStage.Workloads, ct);
            if (options is { Wait: true, DryRun: false })
                await steps.RunAsync("Pods ready", say => new Readiness(cluster, clock).WaitAsync([.. items.Where(IsWorkload).Select(Reference)], options.Timeout, say, ct));
        }

        var registrations = items.Where(item => InstallStages.Of(item) == InstallStage.Registration).ToList();
        if (!options.DryRun)
            foreach (var registration in registrations) await TrustAsync(registration, trusted, ct);
        await StageAsync("webhook registered", items, InstallStage.Registration, ct);
        if (certificates is { IsCertManager: true, Found.Authority: true } && !options.DryRun) await steps.RunAsync("Fabrik's own authority forgotten", say => certManager.ForgetOwnAsync(options.Wait, say, ct));
        if (settings.Namespaces.Count > 0) await steps.RunAsync("namespaces opted in", _ => OptInAsync(ct), names => names);
        foreach (var note in applier.Notes) steps.Note(note);
        if (options is { Wait: true, DryRun: false }) await steps.RunAsync("a Job goes through the webhook (dry run)", _ => new WebhookProof(cluster, clock).RunAsync(WebhookProof.Patience, ct));
    }

    private async Task CertificatesAsync(CertManager certManager, IReadOnlyList<JsonObject> due, CancellationToken ct)
    {
        if (certificates.MovesToOwn) await steps.RunAsync("certificates taken back from cert-manager", _ => certManager.GiveBackAsync(ShippedManifests.ForCertManager(), ct));
        else if (certificates.MovesToCertManager) await steps.RunAsync("certificates moved to cert-manager", say => certManager.TakeOverAsync(due, CertificateChoice.Certificate, say, ct));
        else if (due.Count > 0) await steps.RunAsync("certificates by cert-manager", say => certManager.ApplyAsync(due, options.Wait, say, ct));
    }

    private async Task StageAsync(string name, IReadOnlyList<JsonObject> items, InstallStage stage, CancellationToken ct)
    {
        var due = items.Where(item => InstallStages.Of(item) == stage).ToList();
        if (due.Count == 0) return;
        await steps.RunAsync(name, async say =>
        {
            foreach (var item in due)
            {
                say($"{item.Kind()} {item.Name()}");
                if (options.DryRun && stage is InstallStage.Registration or InstallStage.Settings && !await ServedAsync(item, ct)) continue;
                await applier.ApplyAsync(item, ct);
            }

            return due.Count;
        }, count => options.DryRun ? $"{count} would be applied" : $"{count} applied");
    }

    /// <summary>In a dry run nothing is made, so objects of Fabrik's own kinds cannot be tried.</summary>
    private async Task<bool> ServedAsync(JsonObject item, CancellationToken ct) =>
        item["apiVersion"]?.ToString() != Names.ApiVersion || await Discovery.FindAsync(cluster, Names.ApiVersion, item.Kind(), ct) is not null;

    private async Task RollAsync(IReadOnlyList<JsonObject> items, CancellationToken ct)
    {
        var due = items.Where(item => InstallStages.Of(item) == InstallStage.Workloads).ToList();
        foreach (var item in due.Where(item => !IsWorkload(item))) await applier.ApplyAsync(item, ct);
        foreach (var item in due.Where(IsWorkload).OrderBy(item => Array.IndexOf(Order, item.Name())))
        {
            await steps.RunAsync(item.Name(), async say =>
            {
                await applier.ApplyAsync(item, ct);
                if (options is { Wait: true, DryRun: false }) await new Readiness(cluster, clock).WaitAsync([Reference(item)], options.Timeout, say, ct);
            });
        }
    }

    private static bool IsWorkload(JsonObject item) => item.Kind() is "Deployment" or "StatefulSet" or "DaemonSet";

    private static (ResourceKind Kind, string Namespace, string Name) Reference(JsonObject item) => (item.Kind() == "Deployment" ? Kinds.Deployment : Kinds.StatefulSet, item.Namespace()!, item.Name());

    /// <summary>Registered with the authority from the first moment; while that is being replaced, with what is trusted already.</summary>
    private async Task TrustAsync(JsonObject registration, string trusted, CancellationToken ct)
    {
        var present = await cluster.FindAsync(Kinds.MutatingWebhookConfiguration, null, registration.Name(), ct);
        var bundle = Objects.Base64(trusted);
        foreach (var entry in (registration["webhooks"] as JsonArray ?? []).OfType<JsonObject>())
        {
            var known = present?.Json.List("webhooks").FirstOrDefault(one => one.Text("name") == entry["name"]?.ToString()).Text("clientConfig", "caBundle");

            // What cert-manager has written stays; it is named all the same, as what was applied once and then is not is taken away.
            var stays = certificates.IsCertManager ? known is { Length: > 0 } : known is not null && Trusts(known, trusted);
            if (stays || bundle.Length > 0) entry["clientConfig"]!["caBundle"] = stays ? known : bundle;
        }
    }

    private static bool Trusts(string bundle, string pem)
    {
        try
        {
            return System.Text.Encoding.UTF8.GetString(Convert.FromBase64String(bundle)).Contains(pem.Trim(), StringComparison.Ordinal);
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private async Task<string> OptInAsync(CancellationToken ct)
    {
        foreach (var ns in settings.Namespaces)
        {
            if (await cluster.FindAsync(Kinds.Namespace, null, ns, ct) is null)
                throw new CommandException(ExitCode.NotFound, "FAB-1105", $"there is no namespace {ns} to opt in", "Fabrik itself is installed", $"kubectl create namespace {ns}, then the same command again");
            var label = new JsonObject
            {
                ["apiVersion"] = "v1",
                ["kind"] = "Namespace",
                ["metadata"] = new JsonObject { ["name"] = ns, ["labels"] = new JsonObject { [Names.Labels.Enabled] = "true" } },
            };
            await cluster.PatchAsync(Kinds.Namespace, null, ns, PatchType.Apply, label, ct, new WriteOptions { FieldManager = Names.OptInManager, Force = true, DryRun = options.DryRun });
        }

        return string.Join(", ", settings.Namespaces);
    }
}
