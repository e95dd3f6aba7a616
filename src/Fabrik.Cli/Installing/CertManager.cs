using System.Text.Json.Nodes;
using Fabrik.Certificates;
using Fabrik.Checks;
using Fabrik.Installation;
using Fabrik.Kubernetes;
using static Fabrik.Certificates.CertificatePlan;

namespace Fabrik.Cli.Installing;

/// <summary>Has cert-manager keep the certificates: gives it its objects, waits until it has made what they ask for, and changes over from Fabrik's own authority and back.</summary>
internal sealed class CertManager(KubernetesClient cluster, Applier applier, ClusterSecrets secrets, TimeSpan limit, TimeProvider clock)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Until every API server and every replica has seen what was written: they watch, and see it within a second.</summary>
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(5);
    private long began;

    /// <exception cref="CommandException">cert-manager took them not, or not in time.</exception>
    public async Task ApplyAsync(IReadOnlyList<JsonObject> items, bool wait, Action<string> say, CancellationToken ct)
    {
        began = clock.GetTimestamp();
        foreach (var item in items)
        {
            say($"{item.Kind()} {item.Name()}");
            while (true)
            {
                try
                {
                    await applier.ApplyAsync(item, ct);
                    break;
                }
                catch (KubernetesException e) when (e.Code >= 500)
                {
                    // Its own webhook looks at these objects, and may not be there yet.
                    await AgainAsync($"{item.Kind()} {item.Name()}", [e.Message], say, ct);
                }
            }
        }

        if (!wait) return;
        while (true)
        {
            var (open, reasons) = (new List<string>(), new List<string>());
            foreach (var item in items)
            {
                var found = await cluster.GetAsync(item.Kind() == Kinds.Issuer.Kind ? Kinds.Issuer : Kinds.Certificate, item.Namespace(), item.Name(), ct);
                if (Lacking(found) is not { } why) continue;
                reasons.Add($"{found.Kind} {found.Name}: {why}");
                if (found.Kind == Kinds.Certificate.Kind) open.Add(found.Name);
            }

            if (open.Count == 0) return;
            await AgainAsync(string.Join(", ", open), reasons, say, ct);
        }
    }

    /// <summary>
    /// From Fabrik's own authority to cert-manager's, with no moment at which what is served is not trusted: first cert-manager's authority is trusted beside the own one,
    /// then certificates under it are served, and only then cert-manager has the caBundle for itself. Ended anywhere, the same command goes on.
    /// </summary>
    /// <param name="items">Its objects.</param>
    /// <param name="certificate">The one that the registration names.</param>
    public async Task TakeOverAsync(IReadOnlyList<JsonObject> items, string certificate, Action<string> say, CancellationToken ct)
    {
        var leafs = items.Where(item => item.Kind() == Kinds.Certificate.Kind && item["spec"]?["isCA"] is null).ToList();
        await ApplyAsync([.. items.Except(leafs)], wait: true, say, ct);
        var root = items.Single(item => item["spec"]?["isCA"] is not null);
        var authority = (await cluster.GetAsync(Kinds.Secret, Names.SystemNamespace, root["spec"]!["secretName"]!.ToString(), ct)).Data(Keys.Leaf) ?? "";
        if (CertificateText.Read(authority).IsEmpty) throw NotDone(root.Name(), [$"it says that it is ready, and Secret {root["spec"]!["secretName"]} has no certificate"]);
        await secrets.TrustAlsoAsync(authority, ct);
        await BundleAsync(await secrets.FillAsync(injected: false, ct), ct);
        say("the API server comes to trust both authorities");
        await Task.Delay(Settle, clock, ct);

        await ApplyAsync(leafs, wait: true, say, ct);
        say("replicas come to serve what cert-manager has made");
        await Task.Delay(Settle, clock, ct);

        // From here on the keeper leaves certificates alone.
        await AnnotateAsync(Names.Annotations.InjectFrom, certificate, ct);
    }

    /// <summary>Once the caBundle is cert-manager's alone nobody needs the own authority, and its key is not left about. Where that is waited for, it must come to be so.</summary>
    public async Task ForgetOwnAsync(bool wait, Action<string> say, CancellationToken ct)
    {
        began = clock.GetTimestamp();
        while (true)
        {
            var own = CertificateText.Read((await cluster.GetAsync(Kinds.Secret, Names.SystemNamespace, Names.Objects.AuthoritySecret, ct)).Data(Keys.Authority)).Select(one => one.Print).ToHashSet(StringComparer.Ordinal);
            var bundles = (await cluster.GetAsync(Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration, ct)).Bundles();
            if (bundles.Count > 0 && bundles.All(bundle => CertificateText.Read(bundle) is { Length: > 0 } trusted && !trusted.Any(one => own.Contains(one.Print))))
            {
                await secrets.ForgetAsync(ct);
                return;
            }

            if (!wait) return;
            await AgainAsync($"MutatingWebhookConfiguration {Names.Objects.WebhookConfiguration}", ["its caBundle is not written by cert-manager: its cainjector does that"], say, ct);
        }
    }

    /// <summary>Back to Fabrik's own: cert-manager's objects go, and its authority stays trusted until the keeper has replaced what it signed.</summary>
    /// <param name="items">Its objects.</param>
    public async Task GiveBackAsync(IReadOnlyList<JsonObject> items, CancellationToken ct)
    {
        foreach (var kind in (ResourceKind[])[Kinds.Certificate, Kinds.Issuer, Kinds.Secret])
        {
            foreach (var item in items.Where(item => item.Kind() == kind.Kind))
            {
                try
                {
                    await cluster.DeleteAsync(kind, item.Namespace(), item.Name(), ct, new DeleteOptions { PropagationPolicy = "Background" });
                }
                catch (KubernetesException e) when (e.IsNotFound)
                {
                    // Gone already, or cert-manager itself is.
                }
            }
        }

        // The own authority is there, and those trusted beside it, before the keeper looks.
        await secrets.FillAsync(injected: false, ct);
        foreach (var annotation in (string[])[Names.Annotations.InjectFrom, Names.Annotations.InjectFromSecret]) await AnnotateAsync(annotation, null, ct);
    }

    private async Task AnnotateAsync(string annotation, string? value, CancellationToken ct)
    {
        try
        {
            await cluster.PatchAsync(
                Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration, PatchType.Merge,
                new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { [annotation] = value } } }, ct);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            // It is registered at the end, as it is to be.
        }
    }

    private async Task BundleAsync(string trusted, CancellationToken ct)
    {
        var registration = await cluster.GetAsync(Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration, ct);
        var entries = registration.Json.List("webhooks").Select(entry => (JsonNode)new JsonObject { ["name"] = entry.Text("name"), ["clientConfig"] = new JsonObject { ["caBundle"] = Objects.Base64(trusted) } });
        var patch = new JsonObject { ["webhooks"] = new JsonArray([.. entries]) };
        await cluster.PatchAsync(Kinds.MutatingWebhookConfiguration, null, registration.Name, PatchType.Strategic, patch, ct, new WriteOptions { FieldManager = Names.KeeperManager });
    }

    /// <summary>Null where it is Ready as it is asked for now; else why not.</summary>
    private static string? Lacking(KubeObject found)
    {
        var ready = found.Json.Condition("Ready") ?? default;
        if (ready.Text("status") == "True" && (ready.Whole("observedGeneration") ?? long.MaxValue) >= (found.Json.Whole("metadata", "generation") ?? 0)) return null;
        return ready.Text("message") ?? ready.Text("reason") ?? "it has no condition Ready; is cert-manager's controller running?";
    }

    private async Task AgainAsync(string what, IReadOnlyList<string> reasons, Action<string> say, CancellationToken ct)
    {
        say($"{what} ({string.Join("; ", reasons.Take(2))})");
        if (clock.GetElapsedTime(began) > limit) throw NotDone(what, reasons);
        await Task.Delay(Pause, clock, ct);
    }

    private CommandException NotDone(string what, IReadOnlyList<string> reasons) => new(
        ExitCode.Timeout, "FAB-1122", $"cert-manager is not done after {clock.GetElapsedTime(began).TotalSeconds:0} s: {what}", string.Join("\n", reasons),
        $"kubectl -n {Names.SystemNamespace} describe certificates,issuers,certificaterequests; when that is mended, the same command goes on from here; without cert-manager: the same command with --certificates {InstallSettings.Own}");
}
