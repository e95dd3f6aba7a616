using System.Globalization;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fabrik.Admission;
using Fabrik.Api;
using Fabrik.Cli.Installing;
using Fabrik.Gateway;
using Fabrik.Proxy;
using Fabrik.Webhook;

namespace Fabrik.Tests.Manifests;

/// <summary>What the manifests say of the processes, against the processes.</summary>
public partial class WorkloadTests
{
    private const string OwnPrefix = "FABRIK_";

    /// <summary>By container: whose program it runs.</summary>
    private static readonly Dictionary<string, Assembly> Programs = new(StringComparer.Ordinal)
    {
        ["webhook"] = typeof(Fabrik.Webhook.Program).Assembly,
        ["api"] = typeof(Fabrik.Api.Program).Assembly,
        ["scheduler"] = typeof(Fabrik.CronJobs.Program).Assembly,
        ["gateway"] = typeof(Fabrik.Proxy.Program).Assembly,
    };

    public static TheoryData<string> Containers => [.. ManifestFiles.Containers.Select(one => ManifestFiles.Name(one.Container))];

    [Fact]
    public void Each_process_has_a_container_and_each_container_is_one_of_them() => Containers.Select(row => row.Data).Order().ShouldBe(Programs.Keys.Order());

    [Theory]
    [MemberData(nameof(Containers))]
    public void Each_variable_is_one_of_ours_and_the_process_reads_it(string name)
    {
        var known = typeof(Names.Variables).GetFields().Select(field => (string)field.GetRawConstantValue()!).ToHashSet(StringComparer.Ordinal);
        var read = Literals(Programs[name]).ToHashSet(StringComparer.Ordinal);
        var set = ManifestFiles.Environment(ManifestFiles.Container(name)).Keys.ToList();

        set.ShouldNotBeEmpty();
        set.Except(known).ShouldBeEmpty();
        set.Except(read).ShouldBeEmpty();
        set.ShouldAllBe(variable => variable.StartsWith(OwnPrefix, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Containers))]
    public void Each_port_that_a_process_is_told_is_one_that_its_container_has_and_the_reverse(string name)
    {
        var container = ManifestFiles.Container(name);
        var told = ManifestFiles.Environment(container).Where(one => one.Key.EndsWith("_PORT", StringComparison.Ordinal)).Select(one => one.Value);

        told.Order().ShouldBe(container["ports"]!.AsArray().Select(port => ((long)port!["containerPort"]!).ToString(CultureInfo.InvariantCulture)).Order());
        container["ports"]!.AsArray().ShouldAllBe(port => (long)port!["containerPort"]! > 1024);
    }

    [Fact]
    public void Ports_are_the_ones_that_processes_take_by_default()
    {
        Port("webhook", "https").ShouldBe(WebhookOptions.DefaultPort);
        Port("api", "https").ShouldBe(ApiOptions.DefaultPort);
        Port("gateway", "http").ShouldBe(ProxyOptions.DefaultPort);
    }

    [Theory]
    [MemberData(nameof(Containers))]
    public void Each_container_has_probes_of_all_three_kinds_on_paths_and_ports_that_are_there(string name)
    {
        var container = ManifestFiles.Container(name);
        foreach (var (probe, path) in (ReadOnlySpan<(string, string)>)[("startupProbe", Names.Paths.Live), ("livenessProbe", Names.Paths.Live), ("readinessProbe", Names.Paths.Ready)])
        {
            var asked = container[probe]!["httpGet"]!;
            ((string)asked["path"]!).ShouldBe(path, probe);
            var port = container["ports"]!.AsArray().Single(one => (string)one!["name"]! == (string)asked["port"]!)!;
            // The API has one port, and that speaks TLS; others are probed where no certificate is needed.
            ((string?)asked["scheme"]).ShouldBe((string)port["name"]! == "https" ? "HTTPS" : null, probe);
        }

        // A certificate that a new cluster's Pods wait for comes into mounted files within two minutes.
        var startup = container["startupProbe"]!;
        ((long)startup["periodSeconds"]! * (long)startup["failureThreshold"]!).ShouldBeGreaterThan(2 * 120);
    }

    [Fact]
    public void The_api_is_reached_while_the_scheduler_beside_it_is_not_ready()
    {
        var service = ManifestFiles.Find("Service", Names.Objects.ApiService);
        ((bool?)service["spec"]!["publishNotReadyAddresses"]).ShouldBe(true);

        // With more Pods than one it would send callers to one that does not serve.
        ((long)ManifestFiles.Find("StatefulSet", Names.Objects.Control)["spec"]!["replicas"]!).ShouldBe(1);
    }

    [Theory]
    [MemberData(nameof(Containers))]
    public void Each_file_that_a_process_is_told_lies_in_a_volume_of_its_pod(string name)
    {
        var (workload, container) = ManifestFiles.Containers.Single(one => ManifestFiles.Name(one.Container) == name);
        var mounts = container["volumeMounts"]!.AsArray().Select(mount => ((string)mount!["mountPath"]!, (string)mount["name"]!)).ToList();
        foreach (var (variable, path) in ManifestFiles.Environment(container).Where(one => one.Value.StartsWith('/')))
            mounts.ShouldContain(mount => path == mount.Item1 || path.StartsWith(mount.Item1 + "/", StringComparison.Ordinal), $"{variable} = {path}");

        var there = (ManifestFiles.Pod(workload)["volumes"]?.AsArray() ?? []).Concat(workload["spec"]!["volumeClaimTemplates"]?.AsArray() ?? []).Select(volume => ManifestFiles.Name(volume!.AsObject())).ToList();
        mounts.Select(mount => mount.Item2).Except(there).ShouldBeEmpty();
    }

    [Fact]
    public void Each_volume_of_a_secret_or_config_map_is_of_one_that_the_manifests_have_and_those_of_secrets_are_empty()
    {
        foreach (var workload in ManifestFiles.Workloads)
        {
            foreach (var volume in ManifestFiles.Pod(workload)["volumes"]!.AsArray())
            {
                if ((string?)volume!["secret"]?["secretName"] is { } secret) ManifestFiles.Find("Secret", secret, ManifestFiles.Namespace(workload));
                if ((string?)volume["configMap"]?["name"] is { } map) ManifestFiles.Find("ConfigMap", map, ManifestFiles.Namespace(workload));
            }
        }

        // What is applied again must take away nothing that was filled in.
        ManifestFiles.Base.Where(item => ManifestFiles.Kind(item) == "Secret").ShouldAllBe(secret => secret["data"] == null && secret["stringData"] == null && secret["type"] == null);
    }

    [Fact]
    public void Names_of_secrets_and_of_their_files_are_those_of_the_code()
    {
        ManifestFiles.Find("Secret", Names.Objects.AssignmentKeySecret, Names.SystemNamespace);
        ManifestFiles.Find("Secret", Names.Objects.RunTokenKeySecret, Names.SystemNamespace);
        ManifestFiles.Find("Secret", Names.Objects.RunTokenKeySecret, Names.GatewayNamespace);
        ManifestFiles.Find("Secret", Names.Objects.VirtualKeySecret, Names.GatewayNamespace);
        ManifestFiles.Find("ConfigMap", Names.Objects.ApiDiscovery, Names.SystemNamespace);
        ManifestFiles.Find("ServiceAccount", Names.Objects.Reader, Names.SystemNamespace);
        var gateway = ManifestFiles.Environment(ManifestFiles.Container("gateway"));
        Path.GetFileName(gateway[Names.Variables.RunTokenKeyFile]).ShouldBe(Names.Objects.RunTokenKeyFile);
        Path.GetFileName(gateway[Names.Variables.VirtualKeyFile]).ShouldBe(Names.Objects.VirtualKeyFile);
        $"system:serviceaccount:{Names.GatewayNamespace}:{Names.Objects.Gateway}".ShouldBe(Names.GatewayUser);
    }

    [Fact]
    public void Requirement_108_no_container_is_root_or_may_become_more_and_none_writes_where_it_has_no_volume()
    {
        foreach (var (workload, container) in ManifestFiles.Containers)
        {
            var pod = ManifestFiles.Pod(workload)["securityContext"]!;
            ((bool)pod["runAsNonRoot"]!, (long)pod["runAsUser"]!, (string)pod["seccompProfile"]!["type"]!).ShouldBe((true, 65532, "RuntimeDefault"));
            var own = container["securityContext"]!;
            ((bool)own["allowPrivilegeEscalation"]!, (bool)own["readOnlyRootFilesystem"]!).ShouldBe((false, true));
            own["capabilities"]!["drop"]!.AsArray().Select(one => (string)one!).ShouldBe(["ALL"]);
            own["capabilities"]!["add"].ShouldBeNull();
            container["volumeMounts"]!.AsArray().ShouldContain(mount => (string)mount!["mountPath"]! == "/tmp");
        }
    }

    [Fact]
    public void Requirement_107_each_container_asks_for_a_quarter_of_a_core_and_256_mebibytes_and_may_have_twice_that()
    {
        foreach (var (_, container) in ManifestFiles.Containers)
        {
            var (asked, most) = (container["resources"]!["requests"]!, container["resources"]!["limits"]!);
            ((string)asked["cpu"]!, (string)asked["memory"]!, (string)most["cpu"]!, (string)most["memory"]!).ShouldBe(("250m", "256Mi", "500m", "512Mi"));
        }
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("prod")]
    public void Where_it_is_installed_nothing_takes_a_core_away_from_the_webhook_while_a_creation_waits_for_it(string overlay)
    {
        var webhook = ShippedManifests.Overlay(overlay).Single(one => (ManifestFiles.Type(one).Kind, ManifestFiles.Name(one)) == ("Deployment", Names.Objects.Webhook));

        var resources = ManifestFiles.Pod(webhook)["containers"]![0]!["resources"]!;

        resources["limits"]!.AsObject().Select(limit => limit.Key).ShouldBe(["memory"]);
        resources["requests"]!["cpu"].ShouldNotBeNull();
    }

    [Fact]
    public void Pods_get_no_variables_from_services_of_like_names_and_tokens_only_where_they_call_kubernetes()
    {
        foreach (var workload in ManifestFiles.Workloads)
        {
            var pod = ManifestFiles.Pod(workload);
            // Service fabrik-gateway would set FABRIK_GATEWAY_PORT to tcp://ADDRESS:8080.
            ((bool)pod["enableServiceLinks"]!).ShouldBeFalse();
            ((bool)pod["automountServiceAccountToken"]!).ShouldBe(ManifestFiles.Name(workload) != Names.Objects.Gateway);
            ((bool)ManifestFiles.Find("ServiceAccount", (string)pod["serviceAccountName"]!)["automountServiceAccountToken"]!).ShouldBeFalse();
        }
    }

    [Fact]
    public void The_gateway_shows_the_api_a_token_that_is_good_for_nothing_else()
    {
        var source = ManifestFiles.Pod(ManifestFiles.Find("StatefulSet", Names.Objects.Gateway))["volumes"]!.AsArray().Single(one => one!["projected"] is not null)!["projected"]!["sources"]!.AsArray().Single()!["serviceAccountToken"]!;
        ((string)source["audience"]!).ShouldBe(Names.Audience);
        ManifestFiles.Environment(ManifestFiles.Container("gateway"))[Names.Variables.ApiTokenFile].ShouldEndWith("/" + (string)source["path"]!);
    }

    [Fact]
    public void Addresses_between_the_processes_are_those_of_services_that_lead_there()
    {
        var gateway = new Uri(ManifestFiles.Environment(ManifestFiles.Container("webhook"))[Names.Variables.GatewayUrl]);
        var api = new Uri(ManifestFiles.Environment(ManifestFiles.Container("gateway"))[Names.Variables.ApiUrl]);
        Leads(gateway, "gateway", "http", "http");
        Leads(api, "api", "https", "https");
        foreach (var entry in ManifestFiles.Find("MutatingWebhookConfiguration", Names.Objects.WebhookConfiguration)["webhooks"]!.AsArray())
        {
            var service = entry!["clientConfig"]!["service"]!;
            Leads(new Uri($"https://{(string)service["name"]!}.{(string)service["namespace"]!}.svc:{(long)service["port"]!}"), "webhook", "https", "https");
        }

        static void Leads(Uri address, string container, string scheme, string port)
        {
            address.Scheme.ShouldBe(scheme);
            var host = address.Host.Split('.');
            host[2..].ShouldBe(["svc"]);
            var service = ManifestFiles.Find("Service", host[0], host[1]);
            var led = service["spec"]!["ports"]!.AsArray().Single(one => (long)one!["port"]! == address.Port)!;
            var (workload, target) = ManifestFiles.Containers.Single(one => ManifestFiles.Name(one.Container) == container);
            ManifestFiles.Namespace(workload).ShouldBe(host[1]);
            foreach (var (label, value) in service["spec"]!["selector"]!.AsObject()) ((string)workload["spec"]!["template"]!["metadata"]!["labels"]![label]!).ShouldBe((string)value!);
            ((string)led["targetPort"]!).ShouldBe(port);
            target["ports"]!.AsArray().ShouldContain(one => (string)one!["name"]! == port);
        }
    }

    [Fact]
    public void Every_port_of_a_service_leads_to_one_of_its_pods()
    {
        foreach (var service in ManifestFiles.Base.Where(item => ManifestFiles.Kind(item) == "Service"))
        {
            var workload = ManifestFiles.Workloads.Single(one => Selects(service["spec"]!["selector"]!, one) && ManifestFiles.Namespace(one) == ManifestFiles.Namespace(service));
            var ports = ManifestFiles.Pod(workload)["containers"]!.AsArray().SelectMany(container => container!["ports"]!.AsArray().Select(port => (string)port!["name"]!));
            service["spec"]!["ports"]!.AsArray().Select(port => (string)port!["targetPort"]!).Except(ports).ShouldBeEmpty(ManifestFiles.Name(service));
        }
    }

    [Fact]
    public void What_scales_spreads_and_protects_is_about_pods_that_exist()
    {
        foreach (var workload in ManifestFiles.Workloads)
        {
            Selects(workload["spec"]!["selector"]!["matchLabels"]!, workload).ShouldBeTrue();
            foreach (var spread in ManifestFiles.Pod(workload)["topologySpreadConstraints"]?.AsArray() ?? []) Selects(spread!["labelSelector"]!["matchLabels"]!, workload).ShouldBeTrue();
        }

        var protectedOnes = ManifestFiles.Base.Where(item => ManifestFiles.Kind(item) == "PodDisruptionBudget").Select(one => ManifestFiles.Name(ManifestFiles.Workloads.Single(workload => Selects(one["spec"]!["selector"]!["matchLabels"]!, workload))));
        protectedOnes.Order().ShouldBe([Names.Objects.Gateway, Names.Objects.Webhook]);
    }

    [Fact]
    public void Requirement_106_the_gateway_has_two_to_ten_replicas_by_load_and_what_is_applied_again_does_not_set_them_back()
    {
        var scaling = ManifestFiles.Find("HorizontalPodAutoscaler", Names.Objects.Gateway)["spec"]!;
        ((long)scaling["minReplicas"]!, (long)scaling["maxReplicas"]!, (long)scaling["metrics"]![0]!["resource"]!["target"]!["averageUtilization"]!).ShouldBe((2, 10, 70));
        var target = ManifestFiles.Find((string)scaling["scaleTargetRef"]!["kind"]!, (string)scaling["scaleTargetRef"]!["name"]!);
        target["spec"]!["replicas"].ShouldBeNull();
    }

    [Fact]
    public void A_pod_that_goes_has_the_time_that_its_process_takes()
    {
        var gateway = ManifestFiles.Environment(ManifestFiles.Container("gateway"));
        Seconds(Names.Objects.Gateway).ShouldBeGreaterThanOrEqualTo(Number(gateway[Names.Variables.DrainSeconds]) + Number(gateway[Names.Variables.StreamSeconds]) + 5);
        Seconds(Names.Objects.Webhook).ShouldBeGreaterThan((long)WebhookOptions.DefaultDrainGrace.TotalSeconds + 5);

        static long Seconds(string workload) => (long)ManifestFiles.Pod(ManifestFiles.Workloads.Single(one => ManifestFiles.Name(one) == workload))["terminationGracePeriodSeconds"]!;
        static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
    }

    [Fact]
    public void Volumes_are_for_one_pod_alone()
    {
        var claims = ManifestFiles.Workloads.SelectMany(workload => workload["spec"]!["volumeClaimTemplates"]?.AsArray() ?? []).ToList();
        claims.Count.ShouldBe(2);
        claims.ShouldAllBe(claim => claim!["spec"]!["accessModes"]!.AsArray().Single()!.GetValue<string>() == "ReadWriteOncePod");
    }

    [Fact]
    public void Requirements_27_and_99_runs_have_the_limits_of_the_specification_and_containers_that_say_nothing_have_some()
    {
        var hard = ManifestFiles.Find("ResourceQuota", "fabrik-runs")["spec"]!["hard"]!;
        ((string)hard["count/jobs.batch"]!, (string)hard["limits.memory"]!, (string)hard["limits.cpu"]!, (string)hard["persistentvolumeclaims"]!).ShouldBe(("100", "200Gi", "100", "50"));
        var container = ManifestFiles.Find("LimitRange", "fabrik-runs")["spec"]!["limits"]!.AsArray().Single(one => (string)one!["type"]! == "Container")!;
        foreach (var resource in (string[])["cpu", "memory"])
        {
            container["default"]![resource].ShouldNotBeNull();
            container["defaultRequest"]![resource].ShouldNotBeNull();
        }
    }

    [Fact]
    public void The_webhook_is_registered_as_the_code_says()
    {
        var written = ManifestFiles.Find("MutatingWebhookConfiguration", Names.Objects.WebhookConfiguration);
        var meant = WebhookRegistration.Configuration(new JsonObject
        {
            ["service"] = new JsonObject { ["namespace"] = Names.SystemNamespace, ["name"] = Names.Objects.Webhook, ["path"] = Names.Paths.MutateJobs, ["port"] = 443L },
        });

        Plain(written).ShouldBe(Plain(meant));

        // CEL is the same however it is broken into lines.
        static string Plain(JsonObject item) => Spaces().Replace(item.ToJsonString().Replace("\\u0027", "'", StringComparison.Ordinal).Replace("\\u0026", "&", StringComparison.Ordinal), " ");
    }

    [Fact]
    public void Namespaces_are_those_of_the_code_and_enforce_the_strictest_pod_security()
    {
        var namespaces = ManifestFiles.Base.Where(item => ManifestFiles.Kind(item) == "Namespace").ToList();
        namespaces.Select(ManifestFiles.Name).ShouldBe([Names.SystemNamespace, Names.GatewayNamespace, "fabrik-runs"]);
        namespaces.ShouldAllBe(ns => (string)ns["metadata"]!["labels"]!["pod-security.kubernetes.io/enforce"]! == "restricted");
        foreach (var label in (string[])[Names.Labels.Enabled, Names.Labels.Gateway]) ((string)namespaces[2]["metadata"]!["labels"]![label]!).ShouldBe("true");
    }

    [Fact]
    public void Every_object_can_be_found_by_its_label_and_goes_when_it_is_told_to()
    {
        foreach (var item in ManifestFiles.Base)
        {
            ((string?)item["metadata"]!["labels"]?[Names.Labels.PartOf]).ShouldBe("fabrik", ManifestFiles.Said(item));
            item["metadata"]!["finalizers"].ShouldBeNull(ManifestFiles.Said(item));
        }

        foreach (var workload in ManifestFiles.Workloads)
        {
            ((string?)workload["spec"]!["template"]!["metadata"]!["labels"]![Names.Labels.PartOf]).ShouldBe("fabrik");
            foreach (var claim in workload["spec"]!["volumeClaimTemplates"]?.AsArray() ?? []) ((string?)claim!["metadata"]!["labels"]![Names.Labels.PartOf]).ShouldBe("fabrik");
        }
    }

    [Fact]
    public void Every_label_and_annotation_of_ours_that_the_manifests_write_is_one_of_the_code()
    {
        var known = new[] { typeof(Names.Labels), typeof(Names.Annotations) }.SelectMany(one => one.GetFields()).Select(field => (string)field.GetRawConstantValue()!).ToHashSet(StringComparer.Ordinal);
        var written = Directory.GetFiles(ManifestFiles.Folder, "*.yaml", SearchOption.AllDirectories).SelectMany(file => Ours().Matches(File.ReadAllText(file)).Select(found => found.Value)).Distinct().ToList();

        written.Count.ShouldBeGreaterThan(3);
        written.Except(known).ShouldBeEmpty();
    }

    [Fact]
    public void The_gateway_starts_with_the_providers_that_are_shipped_once_it_has_a_key()
    {
        var text = (string)ManifestFiles.Find("ConfigMap", "fabrik-gateway-config")["data"]![Path.GetFileName(ManifestFiles.Environment(ManifestFiles.Container("gateway"))[Names.Variables.GatewayConfig])]!;
        GatewayConfig.Parse(Encoding.UTF8.GetBytes(text)).Providers.Select(provider => provider.Name).ShouldBe(["openai", "anthropic"]);
    }

    private static int Port(string container, string name) => (int)(long)ManifestFiles.Container(container)["ports"]!.AsArray().Single(port => (string)port!["name"]! == name)!["containerPort"]!;

    private static bool Selects(JsonNode selector, JsonObject workload) =>
        selector.AsObject().All(label => (string?)workload["spec"]!["template"]!["metadata"]!["labels"]![label.Key] == (string)label.Value!);

    /// <summary>Every text that stands in the code of an assembly.</summary>
    private static List<string> Literals(Assembly assembly)
    {
        using var file = new PEReader(File.OpenRead(assembly.Location));
        var metadata = file.GetMetadataReader();
        var found = new List<string>();
        for (var literal = MetadataTokens.UserStringHandle(1); !literal.IsNil; literal = metadata.GetNextHandle(literal)) found.Add(metadata.GetUserString(literal));
        return found;
    }

    [GeneratedRegex("(?<![A-Za-z0-9.-])((permit\\.)?fabrik|optimizer)\\.dev/(?!v1\\b)[a-z][a-z-]*", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 60_000)]
    private static partial Regex Ours();

    [GeneratedRegex("\\s+", RegexOptions.NonBacktracking)]
    private static partial Regex Spaces();
}
