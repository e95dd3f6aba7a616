using System.Net;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Access;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Admission;

/// <summary>manifests/base/run-security.yaml as functions.</summary>
internal static class RunPolicies
{
    private static readonly string[] Written = [Names.Labels.RunId, Names.Labels.Variant, Names.Labels.Experiment, Names.Labels.RolledBack];
    private static readonly string[] OfPods = [.. Written, Names.Labels.ControllerUid, Names.Labels.JobName, Names.Labels.OldControllerUid, Names.Labels.OldJobName];
    private static readonly string[] JobControllers = ["system:serviceaccount:kube-system:job-controller", "system:kube-controller-manager"];
    private static readonly IPAddress[] Metadata = [.. new[] { "169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16" }.Select(IPAddress.Parse)];
    private static readonly int[] Mail = [25, 465, 587, 2525];

    public static IReadOnlyList<PolicyTwin> Twins { get; } =
    [
        new("ada89f654d5e01eb", IsPrivileged, SharesHost, HasHostPath, IsRoot, Escalates, HasCapabilities, HasToken, ChoosesNode, HasNoLimits, HasNoEnd),
        new("64382c998f230cdd", ForeignImages, WritesImage),
        new("9dc3217cf9dc1d15", HasNoDeadline, Edits, Forges, CopiesRecord),
        new("506ba51eae144b7c", PosesAsRun),
        new("f9e0ac94c90ed613", question => question.May(new AccessQuestion("debug", Names.Group, Names.Resources.Runs, "", question.Request.Namespace ?? "", "")) ? null : ""),
        new("8b8dfa49f5bcbbb1", LeadsEverywhere, ReachesMetadata, SendsMail),
    ];

    private static bool IsJob(PolicyQuestion question) => question.Request.Type == BuiltInTypes.Job;

    private static JsonNode? Pod(PolicyQuestion question) => IsJob(question) ? question.Object.At("spec", "template", "spec") : question.Object.At("spec");

    private static JsonNode?[] Containers(PolicyQuestion question) => [.. Pod(question).Items("containers"), .. Pod(question).Items("initContainers")];

    private static string? Unless(bool holds) => holds ? null : "";

    private static string? IsPrivileged(PolicyQuestion question) => Unless(Containers(question).All(one => one.Flag("securityContext", "privileged") != true));

    private static string? SharesHost(PolicyQuestion question) => Unless(
        new[] { "hostNetwork", "hostPID", "hostIPC" }.All(shared => Pod(question).Flag(shared) != true)
        && Containers(question).All(one => one.Items("ports").All(port => port.Number("hostPort") is null or 0)));

    private static string? HasHostPath(PolicyQuestion question) => Unless(Pod(question).Items("volumes").All(volume => volume.At("hostPath") is null));

    private static string? IsRoot(PolicyQuestion question)
    {
        var pod = Pod(question).At("securityContext");
        return Unless(
            Containers(question).All(one => (one.Flag("securityContext", "runAsNonRoot") ?? pod.Flag("runAsNonRoot")) == true && one.Number("securityContext", "runAsUser") != 0)
            && pod.Number("runAsUser") != 0);
    }

    private static string? Escalates(PolicyQuestion question) => Unless(Containers(question).All(one => one.Flag("securityContext", "allowPrivilegeEscalation") == false));

    private static string? HasCapabilities(PolicyQuestion question) => Unless(Containers(question).All(one =>
        !one.Texts("securityContext", "capabilities", "add").Any() && one.Texts("securityContext", "capabilities", "drop").Contains("ALL")));

    private static string? HasToken(PolicyQuestion question) => Unless(
        Pod(question).Flag("automountServiceAccountToken") == false
        && Pod(question).Items("volumes").All(volume => volume.Items("projected", "sources").All(source => source.At("serviceAccountToken") is null)));

    private static string? ChoosesNode(PolicyQuestion question) => Unless(string.IsNullOrEmpty(Pod(question).Text("nodeName")));

    private static string? HasNoLimits(PolicyQuestion question) =>
        Unless(IsJob(question) || Containers(question).All(one => one.At("resources", "limits", "memory") is not null && one.At("resources", "limits", "cpu") is not null));

    private static string? HasNoEnd(PolicyQuestion question) => Unless(
        IsJob(question) || Pod(question).Number("activeDeadlineSeconds") is not null
        || question.Object.Items("metadata", "ownerReferences").Any(owner => owner.Text("kind") == "Job" && owner.Flag("controller") == true));

    private static string? ForeignImages(PolicyQuestion question)
    {
        string[] registries = [.. question.Parameters.Texts("spec", "runs", "registries")];
        if (registries.Length == 0) return null;
        var known = question.Old.At("spec").Items("containers").Concat(question.Old.At("spec").Items("initContainers")).Select(one => one.Text("image")).ToHashSet(StringComparer.Ordinal);
        string[] foreign = [.. Containers(question).Where(one => IsForeign(one.Text("image") ?? "", one.Text("name"))).Select(one => one.Text("image")!)];
        return foreign.Length == 0 ? null
            : $"images of runs come from {string.Join(", ", registries)}; these do not: {string.Join(", ", foreign)}. Next: push them there and name them in full, or add their registry: kubectl edit optimizerpolicy default (spec.runs.registries)";

        bool IsForeign(string image, string? name) =>
            !known.Contains(image) && !registries.Any(registry => image.StartsWith(registry + '/', StringComparison.Ordinal))
            && !(name == Names.Objects.GateContainer && question.Texts.GetValueOrDefault("gate") is { } gate && (image.StartsWith(gate + ':', StringComparison.Ordinal) || image.StartsWith(gate + '@', StringComparison.Ordinal)));
    }

    private static string? WritesImage(PolicyQuestion question) => Unless(
        question.Old is not null || question.Parameters.Flag("spec", "runs", "readOnlyRootFilesystem") == false
        || Containers(question).All(one => one.Flag("securityContext", "readOnlyRootFilesystem") == true));

    private static string? HasNoDeadline(PolicyQuestion question) =>
        Unless(question.Object.Number("spec", "activeDeadlineSeconds") is not null || (question.Old is not null && question.Old.Number("spec", "activeDeadlineSeconds") is null));

    private static string? Edits(PolicyQuestion question) =>
        Unless(question.Old is null || (Record(question.Object) == Record(question.Old) && Same(question, Written)));

    private static string? Forges(PolicyQuestion question)
    {
        var (labels, template) = (question.Object.At("metadata", "labels"), question.Object.At("spec", "template", "metadata", "labels"));
        var id = labels.Text(Names.Labels.RunId);
        return Unless(
            question.Old is not null || Written.All(key => labels.Text(key) is null && template.Text(key) is null)
            || (id is not null && template.Text(Names.Labels.RunId) == id && Record(question.Object).Contains($"\"runId\":\"{id}\"", StringComparison.Ordinal)));
    }

    private static string? CopiesRecord(PolicyQuestion question)
    {
        var (record, metadata) = (Record(question.Object), question.Object.At("metadata"));
        return Unless(
            question.Old is not null || record.Length == 0
            || (Says("namespace", question.Request.Namespace) && metadata.Text("labels", Names.Labels.RunId) is not null && (Says("name", metadata.Text("name")) || Says("generateName", metadata.Text("generateName")))));

        bool Says(string name, string? value) => value is not null && record.Contains($"\"{name}\":\"{value}\"", StringComparison.Ordinal);
    }

    private static string? PosesAsRun(PolicyQuestion question) => Unless(Same(question, OfPods) || (question.Old is null && JobControllers.Contains(question.User)));

    private static bool Same(PolicyQuestion question, string[] keys) => keys.All(key => question.Object.Text("metadata", "labels", key) == question.Old.Text("metadata", "labels", key));

    private static string Record(JsonObject? job) => job.Text("metadata", "annotations", Names.Annotations.Assignment) ?? "";

    /// <summary>Rules that lead out of the cluster.</summary>
    private static JsonNode?[] Open(PolicyQuestion question) =>
        [.. question.Object.Items("spec", "egress").Where(rule => !rule.Items("to").Any() || rule.Items("to").Any(peer => peer.At("ipBlock") is not null))];

    private static string? LeadsEverywhere(PolicyQuestion question) => Unless(Open(question).All(rule => rule.Items("to").Any()));

    private static string? ReachesMetadata(PolicyQuestion question) => Unless(
        Open(question).SelectMany(rule => rule.Items("to")).Where(peer => peer.At("ipBlock") is not null)
            .All(peer => Metadata.All(address => !Contains(peer.Text("ipBlock", "cidr"), address) || peer.Texts("ipBlock", "except").Any(except => Contains(except, address)))));

    private static string? SendsMail(PolicyQuestion question) => Unless(Open(question).All(rule => rule.Items("ports").Any() && rule.Items("ports").All(IsOtherThanMail)));

    private static bool IsOtherThanMail(JsonNode? port) =>
        port.Number("port") is { } first && Mail.All(mail => mail < first || mail > (port.Number("endPort") ?? first));

    private static bool Contains(string? cidr, IPAddress address) => IPNetwork.TryParse(cidr, out var network) && network.Contains(address);
}
