using System.Text.Json;
using Fabrik.Checks;
using Fabrik.Gateway;
using static Fabrik.Tests.Checks.Healthy;

namespace Fabrik.Tests.Checks;

/// <summary>Every check, with a fault that it alone finds.</summary>
public sealed class FaultTests
{
    private sealed record Fault(string Id, CheckStatus Status, Func<IEnumerable<CheckResult>> Judge);

    private static readonly Fault[] All =
    [
        .. Of(AccessChecks.Category, Access,
            ("FAB-3001", CheckStatus.Failed, facts => facts with { Config = Reading.Not<string>(ReadState.Broken, "no such file") }),
            ("FAB-3002", CheckStatus.Failed, facts => facts with { Version = Broken }),
            ("FAB-3002", CheckStatus.Failed, facts => facts with { Version = Object("""{"hello":"world"}""") }),
            ("FAB-3003", CheckStatus.Failed, facts => facts with { User = Reading.Of("system:anonymous") }),
            ("FAB-3004", CheckStatus.Warning, facts => facts with { Ready = Reading.Of("[-]etcd failed") }),
            ("FAB-3005", CheckStatus.Warning, facts => facts with { Took = TimeSpan.FromSeconds(3) })),
        .. Of(VersionChecks.Category, Server,
            ("FAB-3011", CheckStatus.Failed, facts => facts with { Version = Healthy.Of("""{"major":"1","minor":"29+","gitVersion":"v1.29.4"}""") }),
            ("FAB-3012", CheckStatus.Warning, facts => facts with { Version = Healthy.Of("""{"major":"1","minor":"39","gitVersion":"v1.39.0"}""") }),
            ("FAB-3013", CheckStatus.Failed, facts => facts with { Groups = Reading.Of<IReadOnlySet<string>>(facts.Groups.Value!.Except(["policy/v1"]).ToHashSet()) }),
            ("FAB-3014", CheckStatus.Failed, facts => facts with { Nodes = List() }),
            ("FAB-3014", CheckStatus.Failed, facts => facts with { Nodes = List(Node.Replace("\"True\"", "\"Unknown\"")) }),
            ("FAB-3015", CheckStatus.Warning, facts => facts with { Nodes = List(Node, Node.Replace("linux", "windows")) }),
            ("FAB-3016", CheckStatus.Warning, facts => facts with { Nodes = List(Node.Replace("v1.36.0", "v1.31.9")) })),
        .. Of(ClockChecks.Category, Clock,
            ("FAB-3101", CheckStatus.Failed, facts => facts with { Here = Now.AddMinutes(10) }),
            ("FAB-3101", CheckStatus.Warning, facts => facts with { Here = Now.AddMinutes(-1) }),
            ("FAB-3102", CheckStatus.Failed, facts => facts with { Leases = List(Lease("one", Now.AddMinutes(10))) }),
            ("FAB-3103", CheckStatus.Warning, facts => facts with { Leases = List(Lease("one", Now), Lease("two", Now.AddMinutes(-10))) }),
            ("FAB-3104", CheckStatus.Failed, facts => facts with { Api = Reading.Of(TimeSpan.FromMinutes(-10)) }),
            ("FAB-3105", CheckStatus.Failed, facts => facts with { Gateways = new Dictionary<string, TimeSpan> { ["a"] = TimeSpan.Zero, ["b"] = TimeSpan.FromMinutes(10) } })),
        .. Of(ZoneChecks.Category, Zones,
            ("FAB-3111", CheckStatus.Failed, facts => facts with { Knows = zone => zone == "UTC" }),
            ("FAB-3112", CheckStatus.Failed, facts => facts with { Policy = Object("""{"spec":{"businessHours":{"timeZone":"Mars/Base"}}}""") }),
            ("FAB-3113", CheckStatus.Warning, facts => facts with { CronJobs = List("""{"metadata":{"name":"a","namespace":"ci"},"spec":{"schedule":"0 3 * *"}}""") })),
        .. Of(StorageChecks.Category, Volumes,
            ("FAB-3121", CheckStatus.Failed, facts => facts with { Classes = List(Class("slow", isDefault: false)) }),
            ("FAB-3122", CheckStatus.Warning, facts => facts with { Classes = List(Class("a"), Class("b")) }),
            ("FAB-3123", CheckStatus.Failed, facts => facts with { Classes = List(Class("a", "nfs.csi.k8s.io")) }),
            ("FAB-3124", CheckStatus.Failed, facts => facts with { Tried = Object(Claim("default", "try", mode: "ReadWriteOnce")) }),
            ("FAB-3125", CheckStatus.Warning, facts => facts with { Nodes = List(Node.Replace("\"Ready\",\"status\":\"True\"}", "\"DiskPressure\",\"status\":\"True\"}")) }),
            ("FAB-3126", CheckStatus.Failed, facts => facts with { Claims = List(Claim("fabrik-system", "data", "Pending"), Claim("fabrik-gateway", "spool")) }),
            ("FAB-3127", CheckStatus.Failed, facts => facts with { Claims = List(Claim("fabrik-system", "data")) }),
            ("FAB-3128", CheckStatus.Warning, facts => facts with { Claims = List(Claim("fabrik-system", "data", mode: "ReadWriteOnce"), Claim("fabrik-gateway", "spool")) })),
        .. Of(SecurityChecks.Category, Healthy.Security,
            ("FAB-3131", CheckStatus.Failed, facts => facts with { Namespaces = List(Namespace("fabrik-system"), Namespace("fabrik-gateway"), Namespace("fabrik-runs", "baseline")) }),
            ("FAB-3132", CheckStatus.Failed, facts => facts with { Privileged = Reading.Of(new TriedPod(null)) }),
            ("FAB-3132", CheckStatus.Unproven, facts => facts with { Privileged = Reading.Of(new TriedPod("exceeded quota")) }),
            ("FAB-3133", CheckStatus.Failed, facts => facts with { Plain = Reading.Of(new TriedPod("exceeded quota")) }),
            ("FAB-3134", CheckStatus.Warning, facts => facts with { Namespaces = List([.. facts.Namespaces.Value!.Select(ns => ns.GetRawText()), Namespace("open", null, enabled: true)]) }),
            ("FAB-3135", CheckStatus.Failed, facts => facts with { Bindings = List([.. facts.Bindings.Value!.Select(binding => binding.GetRawText().Replace("Deny", "Audit"))]) }),
            ("FAB-3136", CheckStatus.Failed, facts => facts with { Policies = List([.. facts.Policies.Value!.Select(policy => policy.GetRawText().Replace("\"typeChecking\":{}", "\"typeChecking\":{\"expressionWarnings\":[{\"warning\":\"undefined field\"}]}"))]) }),
            ("FAB-3137", CheckStatus.Failed, facts => facts with { StatusWrite = Reading.Of(new TriedPod(null)) })),
        .. Of(QuotaChecks.Category, Quotas,
            ("FAB-3141", CheckStatus.Failed, facts => facts with { Quotas = List(Quota("10")) }),
            ("FAB-3142", CheckStatus.Warning, facts => facts with { Quotas = List(Quota("9500Mi", "10Gi")) }),
            ("FAB-3143", CheckStatus.Warning, facts => facts with { LimitRanges = List() })),
        .. Of(RuntimeChecks.Category, Runtime,
            ("FAB-3151", CheckStatus.Warning, facts => facts with { Classes = List("""{"metadata":{"name":"gvisor"},"handler":"crun"}""") }),
            ("FAB-3152", CheckStatus.Failed, facts => facts with { Changes = List("""{"spec":{"change":{"runtimeClassName":"kata"}}}""") }),
            ("FAB-3153", CheckStatus.Warning, facts => facts with { Nodes = List(Node.Replace("linux", "windows")) })),
        .. Of(AuditChecks.Category, Healthy.Audit,
            ("FAB-3161", CheckStatus.Warning, facts => facts with { Servers = List(), Metrics = Reading.Of("# TYPE\napiserver_audit_event_total 0\n") }),
            ("FAB-3161", CheckStatus.Warning, facts => facts with { Servers = List("""{"spec":{"containers":[{"command":["kube-apiserver"]}]}}""") }),
            ("FAB-3161", CheckStatus.Unproven, facts => facts with { Servers = Forbidden, Metrics = Reading.Of("nothing") }),
            ("FAB-3162", CheckStatus.Warning, facts => facts with { Servers = List("""{"spec":{"containers":[{"command":["--audit-policy-file=/etc/audit.yaml","--audit-log-maxage=30"]}]}}""") }),
            ("FAB-3162", CheckStatus.Unproven, facts => facts with { Servers = Forbidden, Metrics = Reading.Of("apiserver_audit_event_total 3\n") })),
        .. Of(MetricsChecks.Usage, Measured, ("FAB-3171", CheckStatus.Warning, facts => facts with { PodMetrics = Reading.Not<IReadOnlyList<JsonElement>>(ReadState.Missing, "no such kind") })),
        .. Of(MetricsChecks.Discovery, Measured,
            ("FAB-3181", CheckStatus.Warning, facts => facts with { Monitors = List() }),
            ("FAB-3182", CheckStatus.Warning, facts => facts with { Monitors = List("""{"metadata":{"name":"m","namespace":"fabrik-system","labels":{}}}""") }),
            ("FAB-3182", CheckStatus.Warning, facts => facts with { Prometheuses = List(facts.Prometheuses.Value![0].GetRawText().Replace("\"serviceMonitorNamespaceSelector\":{},", "")) }),
            ("FAB-3183", CheckStatus.Warning, facts => facts with { Rules = List("""{"metadata":{"name":"r","namespace":"fabrik-system"}}""") })),
        .. Of(DefinitionChecks.Category, Definitions(),
            ("FAB-3191", CheckStatus.Failed, _ => Definitions(without: DefinitionChecks.Changes)),
            ("FAB-3192", CheckStatus.Failed, _ => Definitions(without: DefinitionChecks.Policies)),
            ("FAB-3193", CheckStatus.Failed, _ => Definitions(text => text.Contains("OptimizationChange") ? text.Replace("\"maxLength\":", "\"minLength\":") : text)),
            ("FAB-3194", CheckStatus.Failed, _ => Definitions(text => text.Contains("OptimizerPolicy") ? text.Replace("\"maxLength\":", "\"minLength\":") : text)),
            ("FAB-3195", CheckStatus.Failed, _ => Definitions(text => text.Replace("\"storedVersions\":[\"v1\"]", "\"storedVersions\":[\"v1beta1\",\"v1\"]")))),
        .. Of(CertificateChecks.Category, Tls,
            ("FAB-3061", CheckStatus.Failed, facts => facts with { Bundle = Reading.Of<IReadOnlyList<CertificateFacts>>([]) }),
            ("FAB-3062", CheckStatus.Failed, facts => facts with { Alike = false }),
            ("FAB-3063", CheckStatus.Failed, facts => facts with { Bundle = Reading.Of<IReadOnlyList<CertificateFacts>>([Authority with { NotAfter = Now.AddDays(-1) }]) }),
            ("FAB-3063", CheckStatus.Warning, facts => facts with { Bundle = Reading.Of<IReadOnlyList<CertificateFacts>>([Authority with { NotAfter = Now.AddDays(3) }]) }),
            ("FAB-3064", CheckStatus.Failed, facts => facts with { Served = Served(Leaf, "unable to get issuer") }),
            ("FAB-3065", CheckStatus.Failed, facts => facts with { Served = Served(Leaf with { NotAfter = Now.AddSeconds(-1) }) }),
            ("FAB-3065", CheckStatus.Failed, facts => facts with { Served = Served(Leaf with { NotBefore = Now.AddMinutes(1) }) }),
            ("FAB-3065", CheckStatus.Warning, facts => facts with { Served = Served(Leaf with { NotBefore = Now.AddDays(-1), NotAfter = Now.AddDays(10) }) }),
            ("FAB-3066", CheckStatus.Failed, facts => facts with { Served = Served(Leaf with { Names = ["elsewhere"] }) }),
            ("FAB-3067", CheckStatus.Warning, facts => facts with { Served = Served(Leaf with { NotBefore = Now.AddDays(-70), NotAfter = Now.AddDays(20) }) }),
            ("FAB-3068", CheckStatus.Failed, facts => facts with { Keeper = new KeeperFacts(null, List(Kept())) }),
            ("FAB-3068", CheckStatus.Unproven, facts => facts with { Keeper = new KeeperFacts("fabrik-system/fabrik-webhook", Forbidden) }),
            ("FAB-3068", CheckStatus.Failed, facts => facts with { Keeper = new KeeperFacts("fabrik-system/fabrik-webhook", facts.Keeper.Certificates) }),
            ("FAB-3068", CheckStatus.Failed, facts => facts with { Keeper = new KeeperFacts("fabrik-system/fabrik-webhook", List(Kept(), Kept("False"))) }),
            ("FAB-3068", CheckStatus.Warning, facts => facts with { Keeper = new KeeperFacts("elsewhere/of-somebody", List()) })),
        .. Of(WebhookChecks.Category, Hook,
            ("FAB-3081", CheckStatus.Failed, facts => facts with { Configuration = Missing }),
            ("FAB-3083", CheckStatus.Failed, facts => facts with { Configuration = Object(Registration().GetRawText().Replace("\"scope\":\"Namespaced\"", "\"scope\":\"*\"")) }),
            ("FAB-3084", CheckStatus.Failed, facts => facts with { Endpoints = List("""{"endpoints":[{"conditions":{"ready":false}}]}""") }),
            ("FAB-3085", CheckStatus.Failed, facts => facts with { Optimised = Tried(false) }),
            ("FAB-3086", CheckStatus.Failed, facts => facts with { Declined = Tried(true) }),
            ("FAB-3087", CheckStatus.Warning, facts => facts with { Optimised = Tried(true, 1200) }),
            ("FAB-3088", CheckStatus.Failed, facts => facts with { InGateway = Tried(true) })),
        .. Of(ControlChecks.Category, Control,
            ("FAB-3201", CheckStatus.Failed, facts => facts with { Installation = InCluster with { Webhook = Missing } }),
            ("FAB-3201", CheckStatus.Failed, facts => facts with { Installation = InCluster with { Webhook = Object(InCluster.Webhook.Value.GetRawText().Replace("\"readyReplicas\":2", "\"readyReplicas\":1")) } }),
            ("FAB-3202", CheckStatus.Failed, facts => facts with { Installation = InCluster with { Control = Object(InCluster.Control.Value.GetRawText().Replace("\"readyReplicas\":1", "\"readyReplicas\":0")) } }),
            ("FAB-3203", CheckStatus.Failed, facts => facts with { Pods = List(Pod("a", """{"name":"webhook","restartCount":9,"lastState":{"terminated":{"reason":"Error","exitCode":139}}}""")) }),
            ("FAB-3204", CheckStatus.Failed, facts => facts with { Pods = List(Pod("a", """{"name":"webhook","image":"x:1","state":{"waiting":{"reason":"ImagePullBackOff"}}}""")) }),
            ("FAB-3205", CheckStatus.Failed, facts => facts with { Pods = List(Pod("a", conditions: """[{"type":"PodScheduled","status":"False","message":"insufficient cpu"}]""")) }),
            ("FAB-3206", CheckStatus.Failed, facts => facts with { Answers = Reading.Not<string>(ReadState.Broken, "refused") }),
            ("FAB-3207", CheckStatus.Failed, facts => facts with { Installation = InCluster with { Discovery = Missing } }),
            ("FAB-3208", CheckStatus.Warning, facts => facts with { Pods = List(Pod("a"), Pod("b")) }),
            ("FAB-3209", CheckStatus.Warning, facts => facts with { Budgets = List("""{"metadata":{"name":"p"},"status":{"disruptionsAllowed":0,"expectedPods":2}}""") })),
        .. Of(DatabaseChecks.Category, new DatabaseFacts(Reading.Of(Report)),
            ("FAB-3211", CheckStatus.Failed, _ => new DatabaseFacts(Reading.Of(Report with { Integrity = "row 3 missing from index" }))),
            ("FAB-3212", CheckStatus.Failed, _ => new DatabaseFacts(Reading.Of(Report with { Schema = 12 }))),
            ("FAB-3213", CheckStatus.Failed, _ => new DatabaseFacts(Reading.Of(Report with { FreeBytes = 1 << 20 }))),
            ("FAB-3213", CheckStatus.Warning, _ => new DatabaseFacts(Reading.Of(Report with { FreeBytes = 1L << 30 }))),
            ("FAB-3214", CheckStatus.Failed, _ => new DatabaseFacts(Reading.Of(Report with { FileSystem = "nfs4" })))),
        .. Of(GatewayChecks.Category, Gateways(Status),
            ("FAB-3221", CheckStatus.Failed, facts => facts with { Installation = InCluster with { Gateway = Missing } }),
            ("FAB-3222", CheckStatus.Failed, _ => Gateways()),
            ("FAB-3223", CheckStatus.Failed, _ => Gateways(WithKeys(key => key with { Missing = key.Name == "one" }))),
            ("FAB-3223", CheckStatus.Failed, _ => Gateways(WithKeys(key => key with { Missing = key.Name == "one" })) with { Uses = Unused }),
            ("FAB-3223", CheckStatus.Failed, _ => Gateways(WithKeys(key => key with { Missing = true }))),
            ("FAB-3223", CheckStatus.Failed, _ => Gateways(WithKeys(key => key with { Missing = true })) with { Uses = Reading.Not<IReadOnlyList<string>>(ReadState.Forbidden, "you may not") }),
            ("FAB-3223", CheckStatus.Failed, _ => Gateways(WithKeys(key => key with { Missing = true }), Status) with { Uses = Unused }),
            ("FAB-3223", CheckStatus.Failed, _ => Gateways(WithKeys(key => key with { Missing = true }) with { Spool = Status.Spool with { Oldest = Now } }) with { Uses = Unused }),
            ("FAB-3223", CheckStatus.Failed, _ => Gateways(WithKeys(key => key with { Missing = true }) with { Budgets = [new BudgetStatus("day", true, 0.5)] }) with { Uses = Unused }),
            ("FAB-3223", CheckStatus.Warning, _ => Gateways(WithKeys(key => key with { Missing = true })) with { Uses = Unused }),
            ("FAB-3224", CheckStatus.Failed, _ => Gateways(Status with { Spool = Status.Spool with { Failing = "403" } })),
            ("FAB-3224", CheckStatus.Warning, _ => Gateways(Status with { Spool = Status.Spool with { Oldest = Now.AddMinutes(-9) } })),
            ("FAB-3225", CheckStatus.Failed, _ => Gateways(Status with { BudgetsKnown = false })),
            ("FAB-3226", CheckStatus.Failed, _ => Gateways(Status with { RunEnds = new RunEndsStatus(0, Now.AddMinutes(-3)) })),
            ("FAB-3227", CheckStatus.Warning, _ => Gateways(Status, Status with { PriceVersion = "other" })),
            ("FAB-3228", CheckStatus.Warning, _ => Gateways(Status, Status with { Draining = true }))),
        .. Of(GatewayChecks.Providers, Gateways(Status),
            ("FAB-3231", CheckStatus.Failed, _ => Gateways(Status with { Providers = [] })),
            ("FAB-3232", CheckStatus.Warning, _ => Gateways(Status with { Providers = [Status.Providers[0] with { Bench = new BenchStatus(Now.AddMinutes(1), "overloaded") }] })),
            ("FAB-3233", CheckStatus.Warning, _ => Gateways(WithKeys(key => key.Name == "one" ? key with { Bench = new BenchStatus(Now.AddMinutes(1), "quota") } : key))),
            ("FAB-3234", CheckStatus.Failed, _ => Gateways(WithKeys(key => key with { Missing = true }))),
            ("FAB-3235", CheckStatus.Warning, _ => Gateways(Status with { Unpriced = ["mystery-1"] })),
            ("FAB-3235", CheckStatus.Unproven, _ => Gateways(Status with { Unpriced = null }))),
        .. Of(OptimizerChecks.Budgets, Optimizer,
            ("FAB-3241", CheckStatus.Failed, facts => facts with { Policy = Object("""{"metadata":{"name":"default"},"spec":{"experiments":{"maxConcurrent":-3}}}""") }),
            ("FAB-3242", CheckStatus.Warning, facts => facts with { Policy = Object("""{"metadata":{"name":"default"},"spec":{},"status":{"exhaustedBudgets":["search-day"]}}""") })),
        .. Of(NetworkChecks.Category, Network(),
            ("FAB-3251", CheckStatus.Failed, facts => facts with { Policies = List("""{"spec":{"podSelector":{"matchLabels":{"a":"b"}},"policyTypes":["Ingress","Egress"]}}""") }),
            ("FAB-3251", CheckStatus.Failed, facts => facts with { Policies = List("""{"spec":{"podSelector":{},"policyTypes":["Ingress"]}}""") }),
            ("FAB-3252", CheckStatus.Failed, facts => facts with { Proof = Proof(NetworkChecks.Peer) }),
            ("FAB-3253", CheckStatus.Failed, facts => facts with { Proof = Proof(NetworkChecks.ApiServer) }),
            ("FAB-3254", CheckStatus.Failed, facts => facts with { Proof = Proof(NetworkChecks.Metadata) }),
            ("FAB-3254", CheckStatus.Unproven, _ => Network(metadata: false))),
        .. Of(OptimizerChecks.Category, Optimizer,
            ("FAB-3261", CheckStatus.Failed, facts => facts with { Leader = Missing }),
            ("FAB-3261", CheckStatus.Failed, facts => facts with { Leader = Object(Lease("fabrik-leader", Now.AddMinutes(-5))) }),
            ("FAB-3261", CheckStatus.Failed, facts => facts with { Leader = Object(Lease("fabrik-leader", Now, "")) }),
            ("FAB-3262", CheckStatus.Warning, facts => facts with { Changes = List(Change("odd").Replace("4Gi", "much")) }),
            ("FAB-3263", CheckStatus.Warning, facts => facts with { Changes = List(Change("slow", days: 20)) }),
            ("FAB-3263", CheckStatus.Warning, facts => facts with { Changes = List(Change("waits", "queued", 20)) }),
            ("FAB-3264", CheckStatus.Warning, facts => facts with { Changes = List(Change("asks").Replace("\"PhaseReached\"", "\"ApprovalRequired\"")) }),
            ("FAB-3265", CheckStatus.Warning, facts => facts with { Overdue = Reading.Of<IReadOnlyList<string>>(["memory-ci"]) }),
            ("FAB-3266", CheckStatus.Warning, facts => facts with { Policy = Object("""{"spec":{"paused":true}}""") }),
            ("FAB-3267", CheckStatus.Failed, facts => facts with { Policy = Object("""{"spec":{},"status":{"conditions":[{"type":"StorageWritable","status":"False","reason":"DiskFull","message":"the disk is full"}]}}""") })),
        .. Of(ReleaseChecks.Category, Releases,
            ("FAB-3271", CheckStatus.Warning, facts => facts with { Api = Reading.Of("0.0.9") }),
            ("FAB-3272", CheckStatus.Warning, facts => facts with { Gateways = new Dictionary<string, string> { ["g"] = "0.2.0" } }),
            ("FAB-3273", CheckStatus.Warning, facts => facts with { Images = ["x/a:1", "x/b:2"] }),
            ("FAB-3274", CheckStatus.Warning, facts => facts with { Images = ["localhost:5000/a"] })),
        .. Of(LeftoverChecks.Category, Leftovers,
            ("FAB-3282", CheckStatus.Warning, facts => facts with { Unknown = ["ConfigMap ci/old"] }),
            ("FAB-3282", CheckStatus.Unproven, facts => facts with { Unread = ["secrets"] }),
            ("FAB-3283", CheckStatus.Failed, facts => facts with { Terminating = List(Namespace("fabrik-system")) }),
            ("FAB-3284", CheckStatus.Failed, facts => facts with { Canaries = ["namespaces fabrik-check-open-1: forbidden"] })),
        new("FAB-3281", CheckStatus.Warning, () => new CheckBook(CheckPhase.Before).Judge(LeftoverChecks.Category, Leftovers with { Unknown = ["Namespace fabrik-system"] })),
        new("FAB-3082", CheckStatus.Failed, () => new CheckBook(CheckPhase.After).Judge(WebhookChecks.Category, Hook with { Configuration = Object(Registration().GetRawText().Replace("\"Ignore\"", "\"Fail\"")) }).Where(result => result.Id != "FAB-3083")),
        .. Rights(CheckPhase.Before, question => $"this user may install {question.Resource}", question => question.User is null && question.Verb == "delete" && question.Name is null, title => title.StartsWith("this user may install", StringComparison.Ordinal)),
        new("FAB-3042", CheckStatus.Failed, () => new CheckBook(CheckPhase.Before).Judge(RightsChecks.Category, Healthy.Rights(question => question.Verb == "escalate"))),
        new("FAB-3043", CheckStatus.Failed, () => new CheckBook(CheckPhase.After).Judge(RightsChecks.Category, Healthy.Rights(question => question is { Verb: "create", Resource: "jobs", User: null }))),
        new("FAB-3044", CheckStatus.Failed, () => new CheckBook(CheckPhase.After).Judge(RightsChecks.Category, Healthy.Rights(question => question is { Verb: "watch", Resource: "limitranges" }))),
        new("FAB-3045", CheckStatus.Failed, () => new CheckBook(CheckPhase.After).Judge(RightsChecks.Category, Healthy.Rights(question => question is { Verb: "create", Resource: "tokenreviews" }))),
        new("FAB-3046", CheckStatus.Failed, () => new CheckBook(CheckPhase.After).Judge(RightsChecks.Category, Healthy.Rights(question => question.User == Names.GatewayUser && question.Resource == Names.Resources.Usage))),
        new("FAB-3047", CheckStatus.Failed, () => new CheckBook(CheckPhase.After).Judge(RightsChecks.Category, Healthy.Rights(question => question.User == Names.GatewayUser && question is { Resource: "secrets", Namespace: null }))),
        new("FAB-3048", CheckStatus.Failed, () => new CheckBook(CheckPhase.After).Judge(RightsChecks.Category, Healthy.Rights(question => question is { User: "system:serviceaccount:fabrik-runs:default", Resource: "pods" }))),
    ];

    public static TheoryData<string, int> Faults() => [.. All.Select((fault, place) => (fault.Id, place))];

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_planted_fault_is_found_by_its_check_alone(string id, int place)
    {
        var fault = All[place];
        var results = fault.Judge().Where(result => result.Status != CheckStatus.Passed).ToList();

        var found = results.Where(result => result.Status != CheckStatus.Skipped).ToList();
        found.Select(result => (result.Id, result.Status)).ShouldBe([(id, fault.Status)], string.Join('\n', results));
        found[0].Detail.ShouldNotBeNullOrEmpty();
        if (fault.Status is CheckStatus.Failed or CheckStatus.Warning) found[0].Next.ShouldNotBeNullOrEmpty();
    }

    [Fact]
    public void Every_check_has_a_fault_here_and_there_are_more_than_60()
    {
        All.Select(fault => fault.Id).Distinct().Order(StringComparer.Ordinal).ShouldBe(Catalogue.All.Select(info => info.Id).Order(StringComparer.Ordinal));
        Catalogue.All.Count.ShouldBeGreaterThan(100);
        Catalogue.All.Select(info => info.Id).ShouldBeUnique();
        Catalogue.All.Where(info => (info.Phase & CheckPhase.Before) != 0).Count().ShouldBeGreaterThan(40);
    }

    [Fact]
    public void Providers_without_keys_have_not_failed_while_nobody_uses_the_gateway_and_keys_that_are_set_aside_have()
    {
        Working(WithKeys(key => key with { Missing = true })).ShouldBe((CheckStatus.Skipped, "nobody uses the gateway yet: FAB-3223"));
        Working(WithKeys(key => key with { Bench = new BenchStatus(Now.AddMinutes(1), "quota") })).Status.ShouldBe(CheckStatus.Failed);

        static (CheckStatus Status, string? Detail) Working(GatewayStatus status)
        {
            var result = new CheckBook(CheckPhase.After).Judge(GatewayChecks.Providers, Gateways(status) with { Uses = Unused }).Single(one => one.Id == "FAB-3234");
            return (result.Status, result.Detail);
        }
    }

    private static Reading<IReadOnlyList<string>> Unused => Reading.Of<IReadOnlyList<string>>([]);

    private static GatewayStatus WithKeys(Func<KeyStatus, KeyStatus> change) => Status with { Providers = [Status.Providers[0] with { Keys = [.. Status.Providers[0].Keys.Select(change)] }] };

    private static Reading<NetworkProof> Proof(string reached) => Reading.Of(new NetworkProof(Network().Proof.Value!.Open, Network().Proof.Value!.Closed.ToDictionary(one => one.Key, one => one.Key == reached)));

    private static IEnumerable<Fault> Of<TFacts>(Category<TFacts> category, TFacts healthy, params (string Id, CheckStatus Status, Func<TFacts, TFacts> Plant)[] faults) where TFacts : class =>
        faults.Select(fault => new Fault(fault.Id, fault.Status, () => new CheckBook(CheckPhase.After).Judge(category, fault.Plant(healthy))));

    /// <summary>For each kind that is installed: only this one may not be deleted.</summary>
    private static IEnumerable<Fault> Rights(CheckPhase phase, Func<AccessQuestion, string> titled, Func<AccessQuestion, bool> wrong, Func<string, bool> which) =>
        RightsChecks.Category.Checks.Where(check => which(check.Title)).Select(check => new Fault(
            check.Id, CheckStatus.Failed, () => new CheckBook(phase).Judge(RightsChecks.Category, Healthy.Rights(question => wrong(question) && titled(question) == check.Title))));
}
