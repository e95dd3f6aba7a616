using System.Text.Json;

namespace Fabrik.Checks;

/// <param name="PodMetrics">What metrics.k8s.io answers.</param>
/// <param name="Definition">The CustomResourceDefinition of ServiceMonitors: without it there is no operator of Prometheus here.</param>
/// <param name="Ours">ServiceMonitors and PrometheusRules with Fabrik's label.</param>
public sealed record MetricsFacts(
    Reading<IReadOnlyList<JsonElement>> PodMetrics, Reading<JsonElement> Definition, Reading<IReadOnlyList<JsonElement>> Monitors, Reading<IReadOnlyList<JsonElement>> Rules,
    Reading<IReadOnlyList<JsonElement>> Prometheuses, Reading<IReadOnlyList<JsonElement>> Namespaces);

/// <summary>Whether anything tells what runs use, and whether a Prometheus here sees Fabrik.</summary>
public static class MetricsChecks
{
    private const string NoOperator = "no operator of Prometheus is installed; Pods have the annotations prometheus.io/scrape";

    public static readonly Category<MetricsFacts> Usage = new("metrics",
    [
        new("FAB-3171", "metrics.k8s.io tells what Pods use", facts => facts.PodMetrics.Judge(
            pods => Finding.Passed($"{pods.Count} Pods"),
            () => Finding.Warning($"there is no metrics-server: sizes can only be proposed where {Names.Variables.PrometheusUrl} names a Prometheus, or kubelets may be asked", "install metrics-server (k3s brings it; elsewhere kubernetes-sigs/metrics-server), or name a Prometheus"),
            "kubectl get apiservice v1beta1.metrics.k8s.io")),
    ])
    { Needs = [AccessChecks.Answers] };

    public static readonly Category<MetricsFacts> Discovery = new("prometheus-discovery",
    [
        new("FAB-3181", "Fabrik's ServiceMonitors are there", facts => WithOperator(facts, () => facts.Monitors.Judge(monitors => monitors.Count > 0
            ? Finding.Passed($"{monitors.Count}")
            : Finding.Warning("an operator of Prometheus is installed, and nothing tells it of Fabrik", "fabrik install --monitoring, or kubectl apply -k manifests/overlays/monitoring")))),
        new("FAB-3182", "a Prometheus selects every one of them", facts => WithOperator(facts, () => facts.Monitors.Judge(monitors => Selected(facts, monitors, "serviceMonitorSelector", "serviceMonitorNamespaceSelector")))) { Needs = ["FAB-3181"] },
        new("FAB-3183", "a Prometheus selects Fabrik's alerts", facts => WithOperator(facts, () => facts.Rules.Judge(rules => rules.Count == 0
            ? Finding.Warning("there is no PrometheusRule of Fabrik: nobody is told when it is down", "fabrik install --monitoring, or kubectl apply -k manifests/overlays/monitoring")
            : Selected(facts, rules, "ruleSelector", "ruleNamespaceSelector")))),
    ])
    { Needs = [AccessChecks.Answers], Phase = CheckPhase.After };

    private static Finding WithOperator(MetricsFacts facts, Func<Finding> judge) => facts.Definition.Judge(_ => judge(), () => Finding.Skipped(NoOperator));

    private static Finding Selected(MetricsFacts facts, IReadOnlyList<JsonElement> ours, string selector, string namespaces) => facts.Prometheuses.Judge(all =>
    {
        if (all.Count == 0) return Finding.Warning("the operator is installed, and there is no Prometheus", "kubectl get prometheuses -A");
        var unseen = ours.Where(one => !all.Any(prometheus => Selects(prometheus.At("spec", selector), one.At("metadata", "labels")) && SeesNamespace(facts, prometheus, namespaces, one))).ToList();
        if (unseen.Count == 0) return Finding.Passed($"{ours.Count} by {all.Select(prometheus => $"{prometheus.Namespace()}/{prometheus.Name()}").Few()}");
        var wanted = all.SelectMany(prometheus => prometheus.Map("spec", selector, "matchLabels")).Select(label => $"{label.Name}={label.Value}").FirstOrDefault();
        var (first, plural) = (unseen[0], selector.StartsWith("rule", StringComparison.Ordinal) ? "prometheusrule" : "servicemonitor");
        return Finding.Warning(
            $"{unseen.Select(one => $"{one.Namespace()}/{one.Name()}").Few()}: no Prometheus' {selector} and {namespaces} match",
            wanted is null ? $"kubectl get prometheuses -A -o yaml | grep -A3 {selector}" : $"kubectl -n {first.Namespace()} label {plural} {first.Name()} {wanted}");
    });

    private static bool SeesNamespace(MetricsFacts facts, JsonElement prometheus, string field, JsonElement one)
    {
        var selector = prometheus.At("spec", field);
        if (selector.ValueKind != JsonValueKind.Object) return prometheus.Namespace() == one.Namespace();
        return facts.Namespaces.IsRead && facts.Namespaces.Value.FirstOrDefault(ns => ns.Name() == one.Namespace()) is { ValueKind: JsonValueKind.Object } ns && Selects(selector, ns.At("metadata", "labels"));
    }

    /// <summary>As Kubernetes matches a label selector; one that is not there selects nothing, an empty one everything.</summary>
    public static bool Selects(JsonElement selector, JsonElement labels) =>
        selector.ValueKind == JsonValueKind.Object
        && selector.Map("matchLabels").All(wanted => labels.Text(wanted.Name) == wanted.Value.GetString())
        && selector.List("matchExpressions").All(rule => (rule.Text("operator"), labels.Text(rule.Text("key") ?? "")) switch
        {
            ("In", var value) => value is not null && rule.Texts("values").Contains(value),
            ("NotIn", var value) => value is null || !rule.Texts("values").Contains(value),
            ("Exists", var value) => value is not null,
            ("DoesNotExist", var value) => value is null,
            _ => false,
        });
}
