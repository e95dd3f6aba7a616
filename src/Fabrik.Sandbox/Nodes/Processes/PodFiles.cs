using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;

namespace Fabrik.Sandbox.Nodes.Processes;

/// <summary>The volumes of one Pod as directories of this machine, kept as the objects say.</summary>
internal sealed class PodFiles(KubernetesClient client, TimeProvider clock, KubeObject pod, string root)
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1), TokenLife = TimeSpan.FromMinutes(8);
    private readonly Dictionary<string, long> tokens = new(StringComparer.Ordinal);
    private long? lastSync;

    public string Home { get; } = Path.Combine(root, "pods", pod.Uid!);

    public string Volume(string name) => pod.Json.List("spec", "volumes").FirstOrDefault(volume => volume.Text("name") == name).Text("persistentVolumeClaim", "claimName") is { } claim
        ? Path.Combine(root, "claims", $"{pod.Namespace}-{claim}")
        : Path.Combine(Home, "volumes", name);

    /// <returns>Null when all volumes are there; else what is missing.</returns>
    public async Task<string?> SyncAsync(CancellationToken ct)
    {
        if (lastSync is { } last && clock.GetElapsedTime(last) < Every) return null;
        foreach (var volume in pod.Json.List("spec", "volumes"))
        {
            var name = volume.Text("name")!;
            var directory = Volume(name);
            Directory.CreateDirectory(directory);
            if (await FillAsync(volume, directory, ct) is { } missing) return missing;
        }

        lastSync = clock.GetTimestamp();
        return null;
    }

    private async Task<string?> FillAsync(JsonElement volume, string directory, CancellationToken ct)
    {
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        if (volume.At("secret") is { ValueKind: JsonValueKind.Object } secret)
        {
            if (await ReadAsync(Kinds.Secret, secret.Text("secretName"), secret, files, ct) is { } missing) return missing;
        }
        else if (volume.At("configMap") is { ValueKind: JsonValueKind.Object } map)
        {
            if (await ReadAsync(Kinds.ConfigMap, map.Text("name"), map, files, ct) is { } missing) return missing;
        }
        else if (volume.At("projected") is { ValueKind: JsonValueKind.Object } projected)
        {
            foreach (var source in projected.List("sources"))
            {
                if (source.At("secret") is { ValueKind: JsonValueKind.Object } one && await ReadAsync(Kinds.Secret, one.Text("name"), one, files, ct) is { } noSecret) return noSecret;
                if (source.At("configMap") is { ValueKind: JsonValueKind.Object } two && await ReadAsync(Kinds.ConfigMap, two.Text("name"), two, files, ct) is { } noMap) return noMap;
                foreach (var item in source.List("downwardAPI", "items")) files[item.Text("path")!] = Encoding.UTF8.GetBytes(Field(item.Text("fieldRef", "fieldPath")));
                if (source.At("serviceAccountToken") is { ValueKind: JsonValueKind.Object } token) await TokenAsync(token, directory, files, ct);
            }
        }
        else
        {
            return null; // emptyDir and claims are what is in them
        }

        foreach (var (name, content) in files)
        {
            var path = Path.Combine(directory, name);
            if (File.Exists(path) && (await File.ReadAllBytesAsync(path, ct)).AsSpan().SequenceEqual(content)) continue;
            await File.WriteAllBytesAsync(path + ".new", content, ct);
            File.Move(path + ".new", path, overwrite: true);
        }

        foreach (var stale in Directory.GetFiles(directory).Where(path => !files.ContainsKey(Path.GetFileName(path)))) File.Delete(stale);
        return null;
    }

    private async Task<string?> ReadAsync(ResourceKind kind, string? name, JsonElement source, Dictionary<string, byte[]> files, CancellationToken ct)
    {
        KubeObject found;
        try
        {
            found = await client.GetAsync(kind, pod.Namespace, name!, ct);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return source.Says("optional") ? null : $"{kind.Kind} {name} not found";
        }

        var names = source.List("items").ToDictionary(item => item.Text("key")!, item => item.Text("path")!, StringComparer.Ordinal);
        foreach (var entry in found.Json.Map("data"))
        {
            if (names.Count > 0 && !names.ContainsKey(entry.Name)) continue;
            files[names.GetValueOrDefault(entry.Name, entry.Name)] = kind == Kinds.Secret ? entry.Value.GetBytesFromBase64() : Encoding.UTF8.GetBytes(entry.Value.GetString() ?? "");
        }

        return null;
    }

    private async Task TokenAsync(JsonElement source, string directory, Dictionary<string, byte[]> files, CancellationToken ct)
    {
        var name = source.Text("path") ?? "token";
        var path = Path.Combine(directory, name);
        if (File.Exists(path) && tokens.TryGetValue(path, out var made) && clock.GetElapsedTime(made) < TokenLife)
        {
            files[name] = await File.ReadAllBytesAsync(path, ct);
            return;
        }

        var account = pod.Json.Text("spec", "serviceAccountName") ?? "default";
        files[name] = Encoding.UTF8.GetBytes(await client.TokenAsync(pod.Namespace!, account, ct, source.Text("audience"), TimeSpan.FromSeconds(3607), pod));
        tokens[path] = clock.GetTimestamp();
    }

    /// <summary>The downward API.</summary>
    public string Field(string? path) => path switch
    {
        "metadata.name" => pod.Name,
        "metadata.namespace" => pod.Namespace!,
        "metadata.uid" => pod.Uid!,
        "spec.nodeName" => pod.Json.Text("spec", "nodeName") ?? "",
        "spec.serviceAccountName" => pod.Json.Text("spec", "serviceAccountName") ?? "",
        "status.podIP" or "status.hostIP" => "127.0.0.1",
        _ when path?.StartsWith("metadata.labels['", StringComparison.Ordinal) == true => pod.Label(path[17..^2]) ?? "",
        _ when path?.StartsWith("metadata.annotations['", StringComparison.Ordinal) == true => pod.Annotation(path[22..^2]) ?? "",
        _ => "",
    };
}
