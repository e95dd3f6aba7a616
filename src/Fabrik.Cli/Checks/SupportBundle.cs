using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Cli.Commands;
using Fabrik.Cli.Output;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Checks;

/// <summary>
/// One archive for whoever helps: results, objects, Events, ends of logs, measurements. Everything passes <see cref="Redaction"/>, which knows the values of the Secrets
/// that this user may read, so that they are found in logs too; the values themselves are never written.
/// </summary>
internal sealed class SupportBundle(FactReader reader)
{
    private const int Lines = 500;
    private const int MostEvents = 2000;
    private static readonly string[] Ours = [Names.SystemNamespace, Names.GatewayNamespace, Names.RunsNamespace];
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Kinds that belong to the cluster and say much about it.</summary>
    private static readonly ResourceKind[] Around = [Kinds.Node, Kinds.StorageClass, Kinds.RuntimeClass, Kinds.OptimizationChange, Kinds.OptimizerPolicy];

    /// <summary>Where processes show what they measure.</summary>
    private static readonly (string Name, string Namespace, string Port)[] Measured =
        [(Names.Objects.Webhook, Names.SystemNamespace, "9090"), (Names.Objects.Control, Names.SystemNamespace, "9091"), (Names.Objects.Control, Names.SystemNamespace, "https:8443"), (Names.Objects.Gateway, Names.GatewayNamespace, "8080")];

    private readonly List<(string Name, string Text)> files = [];
    private readonly List<string> missing = [];

    /// <returns>How many files are in it, and what could not be read.</returns>
    public async Task<(int Files, IReadOnlyList<string> Missing)> WriteAsync(string path, CheckBook book, CancellationToken ct)
    {
        var objects = new List<(string File, List<JsonNode?> Items)>();
        foreach (var kind in LeftoverGathering.Installed) await AddAsync(objects, kind, null, Names.Labels.Ours, ct);
        foreach (var kind in Around) await AddAsync(objects, kind, null, null, ct);
        foreach (var ns in Ours)
            foreach (var kind in (ResourceKind[])[Kinds.Pod, Kinds.Job, Kinds.PersistentVolumeClaim, Kinds.Lease, Kinds.Secret]) await AddAsync(objects, kind, ns, null, ct);
        foreach (var ns in (string[])[.. Ours, "default"]) await AddAsync(objects, Kinds.Event, ns, null, ct, MostEvents);

        var redaction = new Redaction(objects.SelectMany(one => one.Items).SelectMany(Redaction.Of));
        foreach (var (file, items) in objects) Add($"objects/{file}.json", new JsonArray([.. items.Select(item => redaction.Object(item))]).ToJsonString(Indented));
        await LogsAsync(objects.SelectMany(one => one.Items).Where(item => item?["kind"]?.ToString() == "Pod").DistinctBy(item => $"{item!["metadata"]!["namespace"]}/{item["metadata"]!["name"]}", StringComparer.Ordinal), redaction, ct);
        await MetricsAsync(objects.SelectMany(one => one.Items), redaction, ct);
        Add("checks.json", redaction.Object(JsonNode.Parse(CheckReports.Json(book)))!.ToJsonString(Indented));
        var version = await reader.RawAsync(Names.Paths.Version, ct);
        Add("version.json", new JsonObject { ["command"] = VersionCommand.Own, ["kubernetes"] = version.IsRead ? JsonObject.Create(version.Value) : version.Why }.ToJsonString(Indented));
        Add("missing.txt", redaction.Text(string.Join('\n', missing) + "\n"));
        await SaveAsync(path, ct);
        return (files.Count, missing);
    }

    private async Task AddAsync(List<(string, List<JsonNode?>)> objects, ResourceKind kind, string? ns, string? labels, CancellationToken ct, int most = int.MaxValue)
    {
        var found = await reader.ListAsync(kind, ns, ct, labels);
        if (found.State is ReadState.Forbidden or ReadState.Broken) missing.Add($"{kind}{(ns is null ? "" : " in " + ns)}: {found.Why}");
        if (!found.IsRead || found.Value.Count == 0) return;
        var items = found.Value.TakeLast(most).Select(item =>
        {
            var node = JsonObject.Create(item)!;
            // Items of lists do not say what they are.
            node["apiVersion"] ??= kind.ApiVersion;
            node["kind"] ??= kind.Kind;
            return (JsonNode?)node;
        });
        objects.Add((ns is null ? kind.ToString() : $"{kind}-{ns}", [.. items]));
    }

    private async Task LogsAsync(IEnumerable<JsonNode?> pods, Redaction redaction, CancellationToken ct)
    {
        foreach (var pod in pods)
        {
            var (ns, name) = (pod!["metadata"]!["namespace"]!.ToString(), pod["metadata"]!["name"]!.ToString());
            // What runs write is theirs.
            if (ns == Names.RunsNamespace) continue;
            foreach (var container in pod["spec"]?["containers"] as JsonArray ?? [])
            {
                var text = await FactReader.TryAsync(() => reader.Client.LogsAsync(ns, name, ct, container!["name"]!.ToString(), Lines));
                if (text.IsRead) Add($"logs/{ns}/{name}/{container!["name"]}.log", redaction.Text(text.Value));
                else missing.Add($"log of {ns}/{name}: {text.Why}");
            }
        }
    }

    private async Task MetricsAsync(IEnumerable<JsonNode?> objects, Redaction redaction, CancellationToken ct)
    {
        var pods = objects.Where(item => item?["kind"]?.ToString() == "Pod").ToList();
        foreach (var (process, ns, port) in Measured)
        {
            foreach (var pod in pods.Where(pod => pod!["metadata"]!["namespace"]!.ToString() == ns && pod["metadata"]!["labels"]?["app.kubernetes.io/name"]?.ToString() == process).Select(pod => pod!["metadata"]!["name"]!.ToString()).Distinct(StringComparer.Ordinal))
            {
                var (scheme, number) = port.Split(':') is [var before, var after] ? (before + ":", after) : ("", port);
                foreach (var page in process == Names.Objects.Gateway ? (string[])[Names.Paths.Metrics, Names.Paths.GatewayStatus] : [Names.Paths.Metrics])
                {
                    var text = await reader.TextAsync($"/api/v1/namespaces/{ns}/pods/{scheme}{pod}:{number}/proxy{page}", ct);
                    if (text.IsRead) Add($"metrics/{pod}-{number}{page.Replace('/', '-')}.txt", redaction.Text(text.Value));
                    else missing.Add($"{page} of {ns}/{pod}: {text.Why}");
                }
            }
        }
    }

    private void Add(string name, string text) => files.Add((name, text));

    /// <summary>Readable by its owner alone, and whole or not there.</summary>
    private async Task SaveAsync(string path, CancellationToken ct)
    {
        var part = path + ".part";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Options = FileOptions.Asynchronous };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            await using (var file = new FileStream(part, options))
            await using (var zip = new GZipStream(file, CompressionLevel.SmallestSize))
            await using (var tar = new TarWriter(zip, TarEntryFormat.Pax))
            {
                foreach (var (name, text) in files)
                    await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, $"fabrik-support/{name}") { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)) }, ct);
            }

            File.Move(part, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Error, "FAB-1053", $"the bundle cannot be written to {path}", e.Message, "name a file in a directory that you may write to: --bundle FILE.tgz");
        }
    }
}
