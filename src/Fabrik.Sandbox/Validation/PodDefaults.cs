using System.Buffers;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Validation;

/// <summary>Defaults of Pods and of the templates of Pods; requests follow limits only on Pods.</summary>
internal static class PodDefaults
{
    private static readonly SearchValues<char> ImageCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/:");

    private const int FileMode = 420; // 0644

    public static void Pod(JsonObject spec)
    {
        Defaults.Set(spec, "enableServiceLinks", true);
        Spec(spec);
        foreach (var container in spec["containers"].Objects().Concat(spec["initContainers"].Objects()))
        {
            if (container.At("resources", "limits") is not JsonObject limits) continue;
            var requests = container.Child("resources").Child("requests");
            foreach (var (name, amount) in limits)
            {
                if (requests[name] is null) requests[name] = amount?.DeepClone();
            }
        }

        if (spec["hostNetwork"].Bool() != true) return;
        foreach (var port in spec["containers"].Objects().Concat(spec["initContainers"].Objects()).SelectMany(container => container["ports"].Objects()))
        {
            if (port["hostPort"].Long() is null or 0) port["hostPort"] = port["containerPort"]?.DeepClone();
        }
    }

    public static void Template(JsonObject template)
    {
        template.Child("metadata");
        Spec(template.Child("spec"));
    }

    private static void Spec(JsonObject spec)
    {
        Defaults.Set(spec, "dnsPolicy", "ClusterFirst");
        Defaults.Set(spec, "restartPolicy", "Always");
        Defaults.Set(spec, "terminationGracePeriodSeconds", 30);
        Defaults.Set(spec, "schedulerName", "default-scheduler");
        spec.Child("securityContext");

        // One field under two names; the newer one counts.
        var account = spec["serviceAccountName"].String() is { Length: > 0 } name ? name : spec["serviceAccount"].String();
        if (!string.IsNullOrEmpty(account)) (spec["serviceAccountName"], spec["serviceAccount"]) = (account, account);

        foreach (var list in (ReadOnlySpan<string>)["containers", "initContainers", "ephemeralContainers"])
        {
            foreach (var container in spec[list].Objects()) Container(container);
        }

        foreach (var volume in spec["volumes"].Objects()) Volume(volume);
    }

    private static void Container(JsonObject container)
    {
        Defaults.Set(container, "imagePullPolicy", PullPolicy(container["image"].String() ?? ""));
        Defaults.Set(container, "terminationMessagePath", "/dev/termination-log");
        Defaults.Set(container, "terminationMessagePolicy", "File");
        container.Child("resources");
        foreach (var port in container["ports"].Objects()) Defaults.Set(port, "protocol", "TCP");
        foreach (var field in container["env"].Objects().Select(variable => variable.At("valueFrom", "fieldRef")).OfType<JsonObject>()) Defaults.Set(field, "apiVersion", "v1");
        foreach (var divided in container["env"].Objects().Select(variable => variable.At("valueFrom", "resourceFieldRef")).OfType<JsonObject>()) Defaults.Set(divided, "divisor", "0");
        foreach (var name in (ReadOnlySpan<string>)["livenessProbe", "readinessProbe", "startupProbe"])
        {
            if (container[name] is JsonObject probe) Probe(probe);
        }

        foreach (var hook in (ReadOnlySpan<string>)["postStart", "preStop"])
        {
            if (container.At("lifecycle", hook, "httpGet") is JsonObject get) HttpGet(get);
        }
    }

    /// <summary>Always for latest (also unsaid), else IfNotPresent; also for what is no name of an image.</summary>
    internal static string PullPolicy(string image)
    {
        var name = image[(image.LastIndexOf('/') + 1)..];
        if (image.Contains('@', StringComparison.Ordinal) || name.Length == 0 || image.AsSpan().ContainsAnyExcept(ImageCharacters) || char.IsAsciiLetterUpper(name[0])) return "IfNotPresent";
        var colon = name.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 || name[(colon + 1)..] == "latest" ? "Always" : "IfNotPresent";
    }

    private static void Probe(JsonObject probe)
    {
        foreach (var (name, value) in (ReadOnlySpan<(string, int)>)[("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)])
        {
            if (probe[name].Long() is null or 0) probe[name] = value;
        }

        if (probe["httpGet"] is JsonObject get) HttpGet(get);
        if (probe["grpc"] is JsonObject grpc && grpc["service"] is null) grpc["service"] = "";
    }

    private static void HttpGet(JsonObject get)
    {
        Defaults.Set(get, "path", "/");
        Defaults.Set(get, "scheme", "HTTP");
    }

    private static void Volume(JsonObject volume)
    {
        if (volume.Count == 0 || volume is { Count: 1 } && volume.ContainsKey("name")) volume["emptyDir"] = new JsonObject();
        foreach (var name in (ReadOnlySpan<string>)["secret", "configMap", "downwardAPI", "projected"])
        {
            if (volume[name] is JsonObject files) Defaults.Set(files, "defaultMode", FileMode);
        }

        if (volume["hostPath"] is JsonObject path && path["type"] is null) path["type"] = "";
        foreach (var item in volume.At("downwardAPI", "items").Objects()) DownwardFile(item);
        foreach (var source in volume.At("projected", "sources").Objects())
        {
            foreach (var item in source.At("downwardAPI", "items").Objects()) DownwardFile(item);
            if (source["serviceAccountToken"] is JsonObject token) Defaults.Set(token, "expirationSeconds", 3600);
        }

        if (volume.At("ephemeral", "volumeClaimTemplate", "spec") is JsonObject claim) Defaults.Set(claim, "volumeMode", "Filesystem");
        if (volume["image"] is JsonObject image) Defaults.Set(image, "pullPolicy", PullPolicy(image["reference"].String() ?? ""));
        if (volume["iscsi"] is JsonObject iscsi) Defaults.Set(iscsi, "iscsiInterface", "default");
        if (volume["rbd"] is JsonObject rbd)
        {
            Defaults.Set(rbd, "pool", "rbd");
            Defaults.Set(rbd, "user", "admin");
            Defaults.Set(rbd, "keyring", "/etc/ceph/keyring");
        }

        if (volume["azureDisk"] is JsonObject disk)
        {
            Defaults.Set(disk, "cachingMode", "ReadWrite");
            Defaults.Set(disk, "kind", "Shared");
            if (disk["fsType"] is null) disk["fsType"] = "ext4";
            if (disk["readOnly"] is null) disk["readOnly"] = false;
        }

        if (volume["scaleIO"] is JsonObject scale)
        {
            Defaults.Set(scale, "storageMode", "ThinProvisioned");
            Defaults.Set(scale, "fsType", "xfs");
        }
    }

    private static void DownwardFile(JsonObject item)
    {
        if (item["fieldRef"] is JsonObject field) Defaults.Set(field, "apiVersion", "v1");
    }
}
