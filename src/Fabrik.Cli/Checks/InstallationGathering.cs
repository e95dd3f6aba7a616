using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Fabrik.Checks;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Installing;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Kubernetes;
using Fabrik.Reports;

namespace Fabrik.Cli.Checks;

/// <summary>Facts about Fabrik itself: objects, processes, what they say of themselves.</summary>
internal sealed class InstallationGathering(FactReader reader, CheckSources from)
{
    private const int LongestBundle = 1 << 20;
    private const int MostReplicas = 20;

    public async Task<InstalledObjects> InstallationAsync(CancellationToken ct)
    {
        var webhook = reader.GetAsync(Kinds.Deployment, Names.SystemNamespace, Names.Objects.Webhook, ct);
        var control = reader.GetAsync(Kinds.StatefulSet, Names.SystemNamespace, Names.Objects.Control, ct);
        var gateway = reader.GetAsync(Kinds.StatefulSet, Names.GatewayNamespace, Names.Objects.Gateway, ct);
        var registration = reader.GetAsync(Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration, ct);
        var discovery = reader.GetAsync(Kinds.ConfigMap, Names.SystemNamespace, Names.Objects.ApiDiscovery, ct);
        return new InstalledObjects(await webhook, await control, await gateway, await registration, await discovery);
    }

    public async Task<DefinitionFacts> DefinitionsAsync(CancellationToken ct)
    {
        var meant = CustomResources.All.SelectMany(Manifest.Read).Select(one => JsonSerializer.SerializeToElement(one)).ToDictionary(one => one.Name(), StringComparer.Ordinal);
        var found = new Dictionary<string, Reading<JsonElement>>(StringComparer.Ordinal);
        foreach (var name in meant.Keys) found[name] = await reader.GetAsync(Kinds.CustomResourceDefinition, null, name, ct);
        return new DefinitionFacts(meant, found);
    }

    public async Task<TlsFacts> CertificatesAsync(CancellationToken ct)
    {
        var registration = await reader.GetAsync(Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration, ct);
        var keeper = await KeeperAsync(registration, ct);
        if (!registration.IsRead)
            return new TlsFacts(registration, Reading.Not<IReadOnlyList<CertificateFacts>>(registration.State, registration.Why!), false, "", Reading.Not<ServedCertificate>(registration.State, registration.Why!), keeper, from.Clock.GetUtcNow());
        var clients = registration.Value.List("webhooks").Select(entry => entry.At("clientConfig")).ToList();
        var bundles = clients.Select(client => client.Text("caBundle") ?? "").Distinct(StringComparer.Ordinal).ToList();
        var (anchors, unread) = Certificates(bundles.Count > 0 ? bundles[0] : "");
        var url = clients.Select(client => client.Text("url")).FirstOrDefault(text => text is not null);
        var service = clients.Select(client => client.At("service")).FirstOrDefault();
        var host = url is not null && Uri.TryCreate(url, UriKind.Absolute, out var address) ? address.Host : $"{service.Text("name")}.{service.Text("namespace")}.svc";
        var served = await ServedAsync(url, host, anchors, ct);
        return new TlsFacts(
            registration,
            unread is null ? Reading.Of<IReadOnlyList<CertificateFacts>>([.. anchors.Select(Facts)]) : Reading.Not<IReadOnlyList<CertificateFacts>>(ReadState.Broken, unread),
            bundles.Count <= 1, host, served, keeper, from.Clock.GetUtcNow());
    }

    private async Task<KeeperFacts> KeeperAsync(Reading<JsonElement> registration, CancellationToken ct)
    {
        var certificates = await reader.ListAsync(Kinds.Certificate, Names.SystemNamespace, ct);
        if (certificates.IsRead) certificates = Reading.Of<IReadOnlyList<JsonElement>>([.. certificates.Value.Where(one => one.Text("spec", "secretName") is Names.Objects.WebhookTlsSecret or Names.Objects.ApiTlsSecret)]);
        var injects = registration.IsRead ? registration.Value.Text("metadata", "annotations", Names.Annotations.InjectFrom) ?? registration.Value.Text("metadata", "annotations", Names.Annotations.InjectFromSecret) : null;
        return new KeeperFacts(injects, certificates);
    }

    public async Task<ControlFacts> ControlAsync(CancellationToken ct)
    {
        var installation = await InstallationAsync(ct);
        var pods = new List<JsonElement>();
        Reading<IReadOnlyList<JsonElement>>? unread = null;
        foreach (var ns in (string[])[Names.SystemNamespace, Names.GatewayNamespace])
        {
            var found = await reader.ListAsync(Kinds.Pod, ns, ct, Names.Labels.Ours);
            if (found.IsRead) pods.AddRange(found.Value);
            else unread ??= found;
        }

        var report = await DatabaseAsync(ct);
        return new ControlFacts(
            installation, unread ?? Reading.Of<IReadOnlyList<JsonElement>>(pods),
            report.IsRead ? Reading.Of($"version {report.Value.Version.Split('+')[0]}") : Reading.Not<string>(report.State, report.Why!),
            await reader.ListAsync(PodDisruptionBudget, null, ct, Names.Labels.Ours));
    }

    public async Task<DatabaseFacts> DatabaseFactsAsync(CancellationToken ct) => new(await DatabaseAsync(ct));

    /// <summary>What the API says of its database and of itself.</summary>
    public Task<Reading<DatabaseReport>> DatabaseAsync(CancellationToken ct) => FactReader.TryAsync(async () =>
    {
        using var api = await from.OpenApiAsync(ct);
        using var answer = await api.GetAsync(Names.Paths.Database, ct);
        return answer.Deserialize(DatabaseJson.Default.DatabaseReport) ?? throw new JsonException("the API's answer is empty");
    });

    public async Task<GatewayFacts> GatewaysAsync(CancellationToken ct)
    {
        var installation = await InstallationAsync(ct);
        var none = installation.Discovery.IsRead && installation.Discovery.Value.Text("data", Names.Objects.GatewayAddress) is null && installation.Gateway.State == ReadState.Missing
            ? $"there is no gateway here: no StatefulSet {Names.GatewayNamespace}/{Names.Objects.Gateway}, and ConfigMap {Names.SystemNamespace}/{Names.Objects.ApiDiscovery} names none"
            : null;
        return new GatewayFacts(installation, none, await UsesAsync(ct), await StatusesAsync(installation, ct));
    }

    /// <summary>What people and runs have left of a use of the gateway.</summary>
    private Task<Reading<IReadOnlyList<string>>> UsesAsync(CancellationToken ct) => FactReader.TryAsync(async () =>
    {
        var uses = new List<string>();
        var policy = await reader.Client.FindAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, ct);
        if (policy is not null && policy.Json.List("spec", "budgets").Any()) uses.Add("a budget");
        await foreach (var change in reader.Client.ListAsync(Kinds.OptimizationChange, null, ct))
        {
            if (change.Json.Text("spec", "type") != WireNames.Of(ChangeType.Model)) continue;
            uses.Add($"the change {change.Name}");
            break;
        }

        if (uses.Count > 0) return (IReadOnlyList<string>)uses;
        using var api = await from.OpenApiAsync(ct);
        using var answer = await api.GetAsync($"{Names.Paths.Usage}?since={DateTimeOffset.UnixEpoch:yyyy-MM-ddTHH:mm:ssZ}&limit=1", ct);
        if (answer.RootElement.Whole("total", "calls") is not { } calls) throw new JsonException("the API's answer has no total");
        if (calls > 0) uses.Add("calls in the ledger");
        return uses;
    });

    public async Task<ReleaseFacts> ReleasesAsync(string own, CancellationToken ct)
    {
        var installation = await InstallationAsync(ct);
        var (report, statuses) = (await DatabaseAsync(ct), await StatusesAsync(installation, ct));
        var images = new[] { installation.Webhook, installation.Control, installation.Gateway }.Where(one => one.IsRead)
            .SelectMany(one => one.Value.List("spec", "template", "spec", "containers"))
            .SelectMany(container => container.List("env").Where(one => one.Text("name") == Names.Variables.GateImage).Select(one => one.Text("value")).Append(container.Text("image"))).OfType<string>().ToList();
        return new ReleaseFacts(
            own, installation, report.IsRead ? Reading.Of(report.Value.Version) : Reading.Not<string>(report.State, report.Why!),
            Told(statuses, status => status.Version), images);
    }

    public async Task<ClockFacts> ClocksAsync(CancellationToken ct)
    {
        var server = await FactReader.TryAsync(async () => await reader.Client.GetTimeAsync(ct) ?? throw new CommandException(ExitCode.NotFound, "FAB-1009", "", "the API server sends no Date", ""));
        var here = from.Clock.GetUtcNow();
        var leases = await reader.ListAsync(Kinds.Lease, "kube-node-lease", ct);
        if (from.Phase == CheckPhase.Before) return new ClockFacts(here, server, leases, Reading.Not<TimeSpan>(ReadState.Missing, "Fabrik is not installed"), new Dictionary<string, TimeSpan>());
        var report = await DatabaseAsync(ct);
        var reported = from.Clock.GetUtcNow();
        var statuses = await StatusesAsync(await InstallationAsync(ct), ct);
        var asked = from.Clock.GetUtcNow();
        return new ClockFacts(here, server, leases, report.IsRead ? Reading.Of(report.Value.Now - reported) : Reading.Not<TimeSpan>(report.State, report.Why!), Told(statuses, status => status.Now - asked));
    }

    public async Task<OptimizerFacts> OptimizerAsync(CancellationToken ct)
    {
        var time = await FactReader.TryAsync(async () => await reader.Client.GetTimeAsync(ct) ?? from.Clock.GetUtcNow());
        var overdue = await FactReader.TryAsync(async () =>
        {
            using var optimizer = new OptimizerReader(reader.Client, stop => from.OpenApiAsync(stop), from.Clock);
            var (incidents, unknown) = await optimizer.ListAsync($"{Names.Paths.Incidents}?open=true", ReportJson.Default.IncidentReport, 1000, ct);
            if (unknown is not null) throw new CommandException(ExitCode.NotFound, "FAB-1010", "incidents are not known", unknown, "");
            return (IReadOnlyList<string>)[.. incidents.Where(incident => incident.ReviewBy < from.Clock.GetUtcNow()).Select(incident => incident.Change)];
        });
        return new OptimizerFacts(
            await reader.GetAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, ct), await reader.ListAsync(Kinds.OptimizationChange, null, ct),
            await reader.GetAsync(Kinds.Lease, Names.SystemNamespace, Names.Objects.Leader, ct), overdue, time.IsRead ? time.Value : from.Clock.GetUtcNow());
    }

    private static readonly ResourceKind PodDisruptionBudget = new("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true);

    private static Dictionary<string, T> Told<T>(Reading<IReadOnlyList<GatewayStatus>> statuses, Func<GatewayStatus, T> what) =>
        (statuses.IsRead ? statuses.Value : []).GroupBy(status => status.Replica, StringComparer.Ordinal).ToDictionary(same => same.Key, same => what(same.First()), StringComparer.Ordinal);

    /// <summary>Every replica through the API server, where they run in this cluster; else those at the address that the cluster names.</summary>
    private async Task<Reading<IReadOnlyList<GatewayStatus>>> StatusesAsync(InstalledObjects installation, CancellationToken ct) => await FactReader.TryAsync(async () =>
    {
        var statuses = new List<GatewayStatus>();
        if (installation.Gateway.IsRead)
        {
            var pods = await reader.ListAsync(Kinds.Pod, Names.GatewayNamespace, ct, $"{Names.Labels.Name}={Names.Objects.Gateway}");
            foreach (var pod in (pods.IsRead ? pods.Value : []).Where(pod => pod.Holds("Ready")).Take(MostReplicas))
            {
                var told = await reader.RawAsync($"/api/v1/namespaces/{Names.GatewayNamespace}/pods/{pod.Name()}:8080/proxy{Names.Paths.GatewayStatus}", ct);
                if (told.IsRead && told.Value.Deserialize(GatewayJson.Default.GatewayStatus) is { Providers: not null, Spool: not null, Budgets: not null, RunEnds: not null } status) statuses.Add(status);
            }

            if (statuses.Count > 0) return (IReadOnlyList<GatewayStatus>)statuses;
        }

        KubernetesClient Cluster() => new(reader.Client.Config, from.Clock);
        using var connection = new GatewayConnection(Cluster);
        foreach (var address in await GatewayConnection.AddressesAsync([], from.Terminal.Variable, Cluster, ct)) statuses.Add(await connection.StatusAsync(address, ct));
        return statuses;
    });

    /// <summary>As the server presents it, where this machine reaches it; else as the Secret has it that the webhook serves from.</summary>
    private async Task<Reading<ServedCertificate>> ServedAsync(string? url, string host, X509Certificate2Collection anchors, CancellationToken ct)
    {
        if (url is not null && Uri.TryCreate(url, UriKind.Absolute, out var address))
            return await FactReader.TryAsync(async () =>
            {
                using var presented = await PresentedCertificate.AskAsync(address.Host, address.Port, host, ct);
                return new ServedCertificate(Facts(presented), $"presented by {address.Host}:{address.Port}", Untrusted(presented, anchors));
            });
        return await FactReader.TryAsync(async () =>
        {
            var secret = await reader.Client.GetAsync(Kinds.Secret, Names.SystemNamespace, Names.Objects.WebhookTlsSecret, ct);
            if (secret.Json.Text("data", "tls.crt") is not { Length: > 0 } base64) throw new CommandException(ExitCode.Error, "FAB-1009", "", $"Secret {Names.SystemNamespace}/{Names.Objects.WebhookTlsSecret} has no tls.crt: the keeper of certificates has not filled it", "");
            using var kept = X509Certificate2.CreateFromPem(System.Text.Encoding.UTF8.GetString(Convert.FromBase64String(base64)));
            return new ServedCertificate(Facts(kept), $"Secret {Names.SystemNamespace}/{Names.Objects.WebhookTlsSecret}", Untrusted(kept, anchors));
        });
    }

    private static (X509Certificate2Collection, string? Unread) Certificates(string bundle)
    {
        var found = new X509Certificate2Collection();
        try
        {
            if (bundle.Length > LongestBundle) return (found, "the caBundle is longer than 1 MiB");
            if (bundle.Length > 0) found.ImportFromPem(System.Text.Encoding.UTF8.GetString(Convert.FromBase64String(bundle)));
            return (found, null);
        }
        catch (Exception e) when (e is FormatException or CryptographicException)
        {
            return (found, $"the caBundle holds no certificates in PEM: {e.Message}");
        }
    }

    /// <summary>Whether an authority of the bundle issued it; its time is another question.</summary>
    private static string? Untrusted(X509Certificate2 leaf, X509Certificate2Collection anchors)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.AddRange(anchors);
        chain.ChainPolicy.VerificationFlags = X509VerificationFlags.IgnoreNotTimeValid;
        return chain.Build(leaf) ? null : string.Join("; ", chain.ChainStatus.Where(status => status.Status != X509ChainStatusFlags.NotTimeValid).Select(status => status.StatusInformation.Trim()).Distinct(StringComparer.Ordinal));
    }

    private static CertificateFacts Facts(X509Certificate2 certificate) => new(
        certificate.Subject, new DateTimeOffset(certificate.NotBefore.ToUniversalTime(), TimeSpan.Zero), new DateTimeOffset(certificate.NotAfter.ToUniversalTime(), TimeSpan.Zero),
        [.. certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().SelectMany(extension => extension.EnumerateDnsNames().Concat(extension.EnumerateIPAddresses().Select(ip => ip.ToString())))]);
}
