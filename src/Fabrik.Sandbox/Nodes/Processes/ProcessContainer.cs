using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;

namespace Fabrik.Sandbox.Nodes.Processes;

/// <summary>One container as a process: started, probed, started again when it ends.</summary>
internal sealed partial class ProcessContainer
{
    private static readonly TimeSpan LongestBackOff = TimeSpan.FromSeconds(10);
    private readonly TimeProvider clock;
    private readonly ProcessNodeOptions options;
    private readonly KubeObject pod;
    private readonly JsonElement spec;
    private readonly PodFiles files;
    private readonly IReadOnlyDictionary<int, int> ports;
    private readonly ServiceEndpoints endpoints;
    private readonly Action<string> said;
    private readonly Probe? startup, liveness, readiness;
    private Process? process;
    private string startedAt = "";
    private JsonObject? lastState;
    private int restarts = -1;
    private long? endedAt;

    public ProcessContainer(
        TimeProvider clock, ProcessNodeOptions options, KubeObject pod, JsonElement spec, PodFiles files, IReadOnlyDictionary<int, int> ports, ServiceEndpoints endpoints, Action<string> said)
    {
        (this.clock, this.options, this.pod, this.spec, this.files, this.ports, this.endpoints, this.said) = (clock, options, pod, spec, files, ports, endpoints, said);
        startup = Probe.Of(spec.At("startupProbe"), PortOf, clock);
        liveness = Probe.Of(spec.At("livenessProbe"), PortOf, clock);
        readiness = Probe.Of(spec.At("readinessProbe"), PortOf, clock);
    }

    public bool Ready => Runs && Started && readiness?.Good is not false;

    private bool Runs => process is { HasExited: false };

    private bool Started => startup is null || startup.Good == true;

    public async Task StepAsync(KubernetesClient client, CancellationToken ct)
    {
        if (process is { HasExited: true })
        {
            lastState = new JsonObject
            {
                ["terminated"] = new JsonObject { ["exitCode"] = process.ExitCode, ["reason"] = process.ExitCode == 0 ? "Completed" : "Error", ["startedAt"] = startedAt, ["finishedAt"] = clock.GetUtcNow().Stamp() },
            };
            process.Dispose();
            process = null;
            endedAt = clock.GetTimestamp();
        }

        if (process is null)
        {
            if (endedAt is { } ended && clock.GetElapsedTime(ended) < BackOff) return;
            await StartAsync(client, ct);
            return;
        }

        if (!Started)
        {
            await startup!.AskAsync(ct);
            if (startup.Failed) process.Kill(entireProcessTree: true);
            return;
        }

        if (liveness is not null)
        {
            await liveness.AskAsync(ct);
            if (liveness.Failed)
            {
                process.Kill(entireProcessTree: true);
                return;
            }
        }

        if (readiness is not null) await readiness.AskAsync(ct);
    }

    /// <summary>SIGTERM, and SIGKILL when the grace is over.</summary>
    public async Task EndAsync(TimeSpan grace)
    {
        if (process is not { HasExited: false } alive) return;
        if (grace > TimeSpan.Zero)
        {
            using (var kill = Process.Start("kill", ["-TERM", ProcessPod.Number(alive.Id)])) await kill.WaitForExitAsync();
            using var patience = new CancellationTokenSource(grace, clock);
            try
            {
                await alive.WaitForExitAsync(patience.Token);
                return;
            }
            catch (OperationCanceledException)
            {
                // As the kubelet does.
            }
        }

        try
        {
            alive.Kill(entireProcessTree: true);
            await alive.WaitForExitAsync();
        }
        catch (InvalidOperationException)
        {
            // It has ended meanwhile.
        }
    }

    public JsonObject Status()
    {
        var state = Runs ? new JsonObject { ["running"] = new JsonObject { ["startedAt"] = startedAt } }
            : new JsonObject { ["waiting"] = new JsonObject { ["reason"] = lastState is null ? "ContainerCreating" : "CrashLoopBackOff" } };
        var status = new JsonObject
        {
            ["name"] = spec.Text("name"),
            ["image"] = spec.Text("image"),
            ["imageID"] = "",
            ["ready"] = Ready,
            ["started"] = Runs && Started,
            ["restartCount"] = Math.Max(0, restarts),
            ["state"] = state,
        };
        if (lastState is not null) status["lastState"] = lastState.DeepClone();
        return status;
    }

    private TimeSpan BackOff => TimeSpan.FromSeconds(Math.Min(LongestBackOff.TotalSeconds, 1 << Math.Clamp(restarts, 0, 10)));

    private async Task StartAsync(KubernetesClient client, CancellationToken ct)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(options.Programs, Programs.Of(spec.Text("image"))!)])
        {
            WorkingDirectory = files.Home,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("FABRIK_", StringComparison.Ordinal) || name is Names.Variables.Kubeconfig or Names.Variables.KubernetesServiceHost).ToList()) start.Environment.Remove(name);
        foreach (var variable in spec.List("env")) start.Environment[variable.Text("name")!] = Rewritten(await ValueAsync(client, variable, ct));
        if (Mounted(Names.Paths.ServiceAccount) is { } account) start.Environment[Names.Variables.Kubeconfig] = await KubeconfigAsync(client.Config.Server, account, ct);
        if (Mounted("/tmp") is { } temporary) start.Environment["TMPDIR"] = temporary;
        start.Environment["DOTNET_gcServer"] = "0";
        startup?.Reset();
        liveness?.Reset();
        readiness?.Reset();
        startedAt = clock.GetUtcNow().Stamp();
        restarts++;
        process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => Said(line.Data);
        process.ErrorDataReceived += (_, line) => Said(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    private void Said(string? line)
    {
        if (line is not null) said(line);
    }

    private async Task<string> ValueAsync(KubernetesClient client, JsonElement variable, CancellationToken ct)
    {
        if (variable.Text("value") is { } value) return value;
        if (variable.Text("valueFrom", "fieldRef", "fieldPath") is { } path) return files.Field(path);
        foreach (var (field, kind) in new[] { ("secretKeyRef", Kinds.Secret), ("configMapKeyRef", Kinds.ConfigMap) })
        {
            if (variable.At("valueFrom", field) is not { ValueKind: JsonValueKind.Object } reference) continue;
            var found = await client.GetAsync(kind, pod.Namespace, reference.Text("name")!, ct);
            var text = found.Json.Text("data", reference.Text("key")!) ?? "";
            return kind == Kinds.Secret ? Encoding.UTF8.GetString(Convert.FromBase64String(text)) : text;
        }

        return "";
    }

    /// <summary>Paths below a mount, ports of the container, and addresses of Services, as they are on this machine.</summary>
    private string Rewritten(string value)
    {
        if (int.TryParse(value, out var number) && ports.TryGetValue(number, out var own)) return ProcessPod.Number(own);
        if (value.StartsWith('/') && Mounted(value) is { } path) return path;
        return Service().Match(value) is { Success: true } service
            ? $"{service.Groups["scheme"].Value}://localhost:{endpoints.Relay(service.Groups["namespace"].Value, service.Groups["name"].Value, service.Groups["port"] is { Success: true } port ? int.Parse(port.ValueSpan) : service.Groups["scheme"].Value == "https" ? 443 : 80)}{service.Groups["path"].Value}"
            : value;
    }

    /// <summary>Where a path of the container is on this machine; null where no volume is mounted.</summary>
    private string? Mounted(string path)
    {
        var mount = spec.List("volumeMounts").Where(one => path == one.Text("mountPath") || path.StartsWith(one.Text("mountPath") + "/", StringComparison.Ordinal)).OrderByDescending(one => one.Text("mountPath")!.Length).FirstOrDefault();
        if (mount.ValueKind != JsonValueKind.Object) return null;
        var directory = Path.Combine(files.Volume(mount.Text("name")!), mount.Text("subPath") ?? "");
        Directory.CreateDirectory(directory);
        var below = path[mount.Text("mountPath")!.Length..].TrimStart('/');
        return below.Length == 0 ? directory : Path.Combine(directory, below);
    }

    private async Task<string> KubeconfigAsync(Uri server, string account, CancellationToken ct)
    {
        var path = Path.Combine(files.Home, "kubeconfig");
        await File.WriteAllTextAsync(path, $$"""
            apiVersion: v1
            kind: Config
            clusters: [ { name: c, cluster: { server: "{{server.GetLeftPart(UriPartial.Authority)}}", certificate-authority: "{{Path.Combine(account, "ca.crt")}}" } } ]
            users: [ { name: u, user: { tokenFile: "{{Path.Combine(account, "token")}}" } } ]
            contexts: [ { name: x, context: { cluster: c, user: u, namespace: "{{pod.Namespace}}" } } ]
            current-context: x
            """, ct);
        return path;
    }

    private int PortOf(JsonElement port)
    {
        if (port.ValueKind == JsonValueKind.Number) return ports.GetValueOrDefault(port.GetInt32());
        var named = spec.List("ports").FirstOrDefault(one => one.Text("name") == port.GetString());
        return ports.GetValueOrDefault(named.Int("containerPort") ?? 0);
    }

    [GeneratedRegex("^(?<scheme>https?)://(?<name>[a-z0-9-]+)\\.(?<namespace>[a-z0-9-]+)\\.svc(:(?<port>[0-9]+))?(?<path>/.*)?$", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Service();
}
