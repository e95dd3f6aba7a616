using System.Text.Json;
using Fabrik.Admission;
using Fabrik.Checks;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Kubernetes;
using Fabrik.Reports;

namespace Fabrik.Tests.Checks;

/// <summary>Facts of a cluster in which nothing is wrong: faults are planted into these.</summary>
internal static class Healthy
{
    public static readonly DateTimeOffset Now = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    public static JsonElement Of(string json) => JsonDocument.Parse(json).RootElement.Clone();

    public static Reading<JsonElement> Object(string json) => Reading.Of(Of(json));

    public static Reading<IReadOnlyList<JsonElement>> List(params string[] items) => Reading.Of<IReadOnlyList<JsonElement>>([.. items.Select(Of)]);

    public static Reading<JsonElement> Missing => Reading.Not<JsonElement>(ReadState.Missing, "not found");

    public static Reading<JsonElement> Broken => Reading.Not<JsonElement>(ReadState.Broken, "the connection broke");

    public static Reading<IReadOnlyList<JsonElement>> Forbidden => Reading.Not<IReadOnlyList<JsonElement>>(ReadState.Forbidden, "you may not list them");

    public const string Node = """{"metadata":{"name":"one","labels":{"kubernetes.io/os":"linux","kubernetes.io/arch":"amd64"}},"status":{"conditions":[{"type":"Ready","status":"True"}],"nodeInfo":{"kubeletVersion":"v1.36.0"}}}""";

    public static readonly AccessFacts Access = new(Reading.Of("https://here"), Object("""{"major":"1","minor":"36","gitVersion":"v1.36.2"}"""), TimeSpan.FromMilliseconds(5), Reading.Of("anna"), Reading.Of("ok"));

    public static readonly ServerFacts Server = new(
        Of("""{"major":"1","minor":"36","gitVersion":"v1.36.2"}"""),
        Reading.Of<IReadOnlySet<string>>(new HashSet<string>
        {
            "v1", "apps/v1", "batch/v1", "autoscaling/v2", "policy/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1", "coordination.k8s.io/v1", "scheduling.k8s.io/v1", "storage.k8s.io/v1",
            "apiextensions.k8s.io/v1", "admissionregistration.k8s.io/v1", "authentication.k8s.io/v1", "authorization.k8s.io/v1", "node.k8s.io/v1",
        }),
        List(Node));

    /// <summary>Every question is answered as it should be, those but which <paramref name="wrong"/> holds for.</summary>
    public static RightsFacts Rights(Func<AccessQuestion, bool>? wrong = null) => new(
        RightsChecks.Questions(CheckPhase.Before).Concat(RightsChecks.Questions(CheckPhase.After)).Distinct().ToDictionary(
            question => question, question => Reading.Of(Wanted(question) != (wrong?.Invoke(question) ?? false) ? RightsFacts.Allowed : RightsFacts.Refused)), null);

    public static readonly ClockFacts Clock = new(
        Now, Reading.Of(Now), List(Lease("one", Now)), Reading.Of(TimeSpan.FromSeconds(1)), new Dictionary<string, TimeSpan> { ["gateway-0"] = TimeSpan.FromSeconds(-1) });

    public static string Lease(string name, DateTimeOffset renewed, string holder = "one") => $$$"""{"metadata":{"name":"{{{name}}}"},"spec":{"holderIdentity":"{{{holder}}}","renewTime":"{{{renewed:yyyy-MM-ddTHH:mm:ss.ffffffZ}}}"}}""";

    public static readonly ZoneFacts Zones = new(zone => !zone.StartsWith("Mars", StringComparison.Ordinal), Missing, List("""{"metadata":{"name":"a","namespace":"ci"},"spec":{"schedule":"0 3 * * *","timeZone":"Europe/Berlin"}}"""));

    public static readonly InstalledObjects InCluster = new(
        Object("""{"metadata":{"name":"fabrik-webhook","namespace":"fabrik-system","generation":2},"spec":{"replicas":2},"status":{"observedGeneration":2,"readyReplicas":2,"updatedReplicas":2}}"""),
        Object("""{"metadata":{"name":"fabrik-control","namespace":"fabrik-system","generation":1},"spec":{"replicas":1},"status":{"observedGeneration":1,"readyReplicas":1,"updatedReplicas":1}}"""),
        Object("""{"metadata":{"name":"fabrik-gateway","namespace":"fabrik-gateway","generation":1},"spec":{"replicas":2},"status":{"observedGeneration":1,"readyReplicas":2,"updatedReplicas":2}}"""),
        Reading.Of(Registration()),
        Object("""{"data":{"server":"https://fabrik-api.fabrik-system.svc","certificate-authority-data":"x","gateway":"http://fabrik-gateway.fabrik-gateway.svc:8080"}}"""));

    public static JsonElement Registration() => JsonSerializer.SerializeToElement(WebhookRegistration.Configuration(new() { ["service"] = new System.Text.Json.Nodes.JsonObject { ["namespace"] = "fabrik-system", ["name"] = "fabrik-webhook" } }));

    public static string Claim(string ns, string name, string phase = "Bound", string mode = "ReadWriteOncePod") =>
        $$$"""{"metadata":{"name":"{{{name}}}","namespace":"{{{ns}}}"},"spec":{"accessModes":["{{{mode}}}"]},"status":{"phase":"{{{phase}}}"}}""";

    public static string Class(string name, string provisioner = "rancher.io/local-path", bool isDefault = true) =>
        $$$"""{"metadata":{"name":"{{{name}}}","annotations":{"storageclass.kubernetes.io/is-default-class":"{{{(isDefault ? "true" : "false")}}}"}},"provisioner":"{{{provisioner}}}"}""";

    public static readonly StorageFacts Volumes = new(
        InCluster, List(Class("local-path"), Class("slow", isDefault: false)), Object(Claim("default", "try")), List(Claim("fabrik-system", "data-fabrik-control-0"), Claim("fabrik-gateway", "spool-fabrik-gateway-0")), List(Node));

    public static string Namespace(string name, string? enforce = "restricted", bool enabled = false) =>
        """{"metadata":{"name":"NAME","labels":{"x":"y"MORE}}}""".Replace("NAME", name).Replace("MORE", (enforce is null ? "" : $",\"pod-security.kubernetes.io/enforce\":\"{enforce}\"") + (enabled ? ",\"fabrik.dev/enabled\":\"true\"" : ""));

    public static readonly SecurityFacts Security = new(
        InCluster, List(Namespace("fabrik-system"), Namespace("fabrik-gateway"), Namespace("fabrik-runs", enabled: true), Namespace("ci", "baseline", enabled: true), Namespace("other", null)), "fabrik-runs",
        Reading.Of(new TriedPod("pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": privileged")), Reading.Of(new TriedPod(null)),
        List([.. SecurityChecks.PolicyNames.Select(name => $$$$"""{"metadata":{"name":"{{{{name}}}}"},"status":{"typeChecking":{}}}""")]),
        List([.. SecurityChecks.PolicyNames.Select(name => $$$"""{"spec":{"policyName":"{{{name}}}","validationActions":["Deny"]}}""")]),
        Reading.Of(new TriedPod("the status is what Fabrik's scheduler found")));

    public static string Quota(string used, string hard = "10", string resource = "count/jobs.batch") =>
        """{"metadata":{"name":"q","namespace":"ci"},"spec":{"hard":{"RESOURCE":"HARD"}},"status":{"hard":{"RESOURCE":"HARD"},"used":{"RESOURCE":"USED"}}}""".Replace("RESOURCE", resource).Replace("HARD", hard).Replace("USED", used);

    public static readonly QuotaFacts Quotas = new(List(Namespace("ci")), List(Quota("3"), Quota("1", "4Gi", "limits.memory")), List("""{"metadata":{"namespace":"ci"},"spec":{"limits":[{"type":"Container","default":{"cpu":"1","memory":"1Gi"}}]}}"""));

    public static readonly RuntimeFacts Runtime = new(List("""{"metadata":{"name":"gvisor"},"handler":"runsc","scheduling":{"nodeSelector":{"kubernetes.io/os":"linux"}}}"""), Object("""{"spec":{"runtimeClasses":["gvisor"]}}"""), List("""{"spec":{"change":{"memoryLimit":"4Gi"}}}"""), List(Node));

    public static readonly AuditFacts Audit = new(Reading.Of("apiserver_audit_event_total 17\n"), List("""{"spec":{"containers":[{"command":["kube-apiserver","--audit-policy-file=/etc/audit.yaml","--audit-log-maxage=90"]}]}}"""));

    public static readonly MetricsFacts Measured = new(
        List("{}"), Object("{}"), List("""{"metadata":{"name":"fabrik-webhook","namespace":"fabrik-system","labels":{"release":"kps"}}}"""), List("""{"metadata":{"name":"fabrik","namespace":"fabrik-system","labels":{"release":"kps"}}}"""),
        List("""{"metadata":{"name":"kps","namespace":"monitoring"},"spec":{"serviceMonitorSelector":{"matchLabels":{"release":"kps"}},"serviceMonitorNamespaceSelector":{},"ruleSelector":{"matchLabels":{"release":"kps"}},"ruleNamespaceSelector":{}}}"""),
        List(Namespace("fabrik-system")));

    public static DefinitionFacts Definitions(Func<string, string>? altered = null, string? without = null)
    {
        var meant = CustomResources.All.SelectMany(Manifest.Read).Select(one => JsonSerializer.SerializeToElement(one)).ToDictionary(Fields.Name);
        return new DefinitionFacts(meant, meant.ToDictionary(one => one.Key, one => one.Key == without ? Missing : Reading.Of(Of((altered ?? (text => text))(
            one.Value.GetRawText()[..^1] + ""","status":{"storedVersions":["v1"],"conditions":[{"type":"Established","status":"True"}]}}""")))));
    }

    public static readonly CertificateFacts Authority = new("CN=fabrik-ca", Now.AddDays(-30), Now.AddDays(3000), []);

    public static readonly CertificateFacts Leaf = new("CN=fabrik-webhook", Now.AddDays(-10), Now.AddDays(80), ["fabrik-webhook.fabrik-system.svc"]);

    public static readonly TlsFacts Tls = new(Reading.Of(Registration()), Reading.Of<IReadOnlyList<CertificateFacts>>([Authority]), true, "fabrik-webhook.fabrik-system.svc", Served(Leaf), new KeeperFacts(null, Reading.Not<IReadOnlyList<JsonElement>>(ReadState.Missing, "not served")), Now);

    public static string Kept(string ready = "True") => $$$"""{"metadata":{"name":"fabrik-webhook"},"status":{"conditions":[{"type":"Ready","status":"{{{ready}}}","message":"the issuer is away"}]}}""";

    public static Reading<ServedCertificate> Served(CertificateFacts certificate, string? untrusted = null) => Reading.Of(new ServedCertificate(certificate, "presented by here:443", untrusted));

    public static Reading<TriedJob> Tried(bool changed, int millis = 5, string environment = "[]") => Reading.Of(new TriedJob(
        Of("""{"metadata":{"labels":LABELS,"annotations":ANNOTATIONS},"spec":{"template":{"spec":{"containers":[{"env":ENVIRONMENT}]}}}}"""
            .Replace("LABELS", changed ? "{\"fabrik.dev/run-id\":\"x\",\"fabrik.dev/variant\":\"control\"}" : "{}").Replace("ANNOTATIONS", changed ? "{\"fabrik.dev/assignment\":\"x\"}" : "{}").Replace("ENVIRONMENT", environment)), "ci", TimeSpan.FromMilliseconds(millis)));

    public static readonly WebhookFacts Hook = new(
        Reading.Of(Registration()), List("""{"endpoints":[{"conditions":{"ready":true}}]}"""), Tried(true), Tried(false),
        Tried(true, environment: """[{"name":"OPENAI_BASE_URL","value":"http://g"},{"name":"OPENAI_API_KEY","value":"dry-run"}]"""));

    public static string Pod(string name, string container = """{"name":"webhook","restartCount":0}""", string node = "one", string conditions = "[]") =>
        $$$"""{"metadata":{"name":"{{{name}}}","namespace":"fabrik-system","labels":{"app.kubernetes.io/name":"fabrik-webhook"}},"spec":{"nodeName":"{{{node}}}"},"status":{"containerStatuses":[{{{container}}}],"conditions":{{{conditions}}}}}""";

    public static readonly ControlFacts Control = new(InCluster, List(Pod("a"), Pod("b", node: "two")), Reading.Of("version 1"), List("""{"metadata":{"name":"fabrik-webhook"},"status":{"disruptionsAllowed":1,"expectedPods":2}}"""));

    public static readonly DatabaseReport Report = new("0.1.0", Now, 9, 9, "ok", "ext4", 8L << 30, 10L << 30, 1 << 20);

    public static readonly GatewayStatus Status = new(
        "gateway-0", "0.1.0+abc", Now, Now.AddHours(-1), false, "2026-08-21",
        [new ProviderStatus("openai", WireFormat.OpenAi, "api.openai.com", ["gpt-*"], [], null, [new KeyStatus("one", 1, false, null, []), new KeyStatus("two", 1, false, null, [])])],
        new SpoolStatus(1, 0, null, null), true, [], new RunEndsStatus(0, Now))
    { Unpriced = [] };

    public static GatewayFacts Gateways(params GatewayStatus[] statuses) => new(InCluster, null, Reading.Of<IReadOnlyList<string>>(["calls in the ledger"]), Reading.Of<IReadOnlyList<GatewayStatus>>(statuses));

    public static readonly OptimizerFacts Optimizer = new(
        Object("""{"metadata":{"name":"default"},"spec":{}}"""), List(Change("running")), Object(Lease("fabrik-leader", Now.AddSeconds(-4))), Reading.Of<IReadOnlyList<string>>([]), Now);

    public static string Change(string name, string phase = "experiment_running", int days = 1, string more = "") =>
        $$$"""{"metadata":{"name":"{{{name}}}"},"spec":{"type":"resource","target":{"labelSelector":{"fabrik.dev/spec-type":"impl"}},"change":{"memoryLimit":"4Gi"},"rationale":"x","risk":"low"{{{more}}}},"status":{"phase":"{{{phase}}}","startedAt":"{{{Now.AddDays(-days):O}}}","conditions":[{"type":"PhaseReached","status":"True","lastTransitionTime":"{{{Now.AddDays(-days):O}}}"}]}}""";

    public static NetworkFacts Network(bool open = true, bool closed = false, bool metadata = true) => new(
        null, "fabrik-runs", List("""{"metadata":{"name":"default-deny"},"spec":{"podSelector":{},"policyTypes":["Ingress","Egress"]}}"""),
        Reading.Of(new NetworkProof(
            new Dictionary<string, bool> { [NetworkChecks.Peer] = open, [NetworkChecks.ApiServer] = open, [NetworkChecks.Metadata] = metadata },
            new Dictionary<string, bool> { [NetworkChecks.Peer] = closed, [NetworkChecks.ApiServer] = closed, [NetworkChecks.Metadata] = closed })));

    public static readonly ReleaseFacts Releases = new("0.1.0+abc", InCluster, Reading.Of("0.1.0+def"), new Dictionary<string, string> { ["gateway-0"] = "0.1.0" }, ["ghcr.io/x/fabrik-webhook:0.1.0", "localhost:5000/fabrik-api:0.1.0"]);

    public static readonly LeftoverFacts Leftovers = new([], [], [], List());

    private static bool Wanted(AccessQuestion question) =>
        question.User is null || !(question.User == "system:serviceaccount:fabrik-runs:default" || (question.User == Names.GatewayUser && question.Resource != Names.Resources.Usage));
}
