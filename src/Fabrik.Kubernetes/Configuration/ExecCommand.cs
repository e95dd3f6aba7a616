using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fabrik.Kubernetes.Configuration;

/// <summary>What a credential plugin printed. Expires null: valid until refused.</summary>
internal sealed record ExecCredential(string? Token, string? Certificate, string? Key, DateTimeOffset? Expires);

/// <summary>Runs a credential plugin once.</summary>
internal static class ExecCommand
{
    private const int MaxOutput = 1 << 20;
    private const int MaxComplaint = 2000;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    // A person may have to fetch a phone.
    private static readonly TimeSpan PatienceWithPeople = TimeSpan.FromMinutes(10);

    public static async Task<ExecCredential> RunAsync(ExecPlugin plugin, ClusterConfig cluster, TimeProvider clock, CancellationToken ct)
    {
        var interactive = plugin.InteractiveMode != "Never" && !Console.IsInputRedirected;
        if (plugin.InteractiveMode == "Always" && !interactive)
            throw new KubeconfigException($"The credential plugin {plugin.Command} must ask on a terminal, and standard input is none. Run this in a terminal, or set interactiveMode: IfAvailable.");

        using var timeout = new CancellationTokenSource(interactive ? PatienceWithPeople : Patience, clock);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        using var process = Start(plugin, cluster, interactive);
        try
        {
            if (!interactive) process.StandardInput.Close();
            var complaint = interactive ? Task.FromResult("") : ReadAsync(process.StandardError.BaseStream, MaxComplaint, true, stop.Token);
            var output = await ReadAsync(process.StandardOutput.BaseStream, MaxOutput, false, stop.Token);
            await process.WaitForExitAsync(stop.Token);
            if (process.ExitCode != 0)
                throw new KubeconfigException($"The credential plugin {plugin.Command} failed with exit code {process.ExitCode}: {Tidy(await complaint)}. Run it by hand to see why.");
            return Parse(plugin, output);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new KubeconfigException($"The credential plugin {plugin.Command} did not end in time. Run it by hand to see what it waits for.", e);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    private static Process Start(ExecPlugin plugin, ClusterConfig cluster, bool interactive)
    {
        var start = new ProcessStartInfo(Find(plugin), plugin.Arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardInput = !interactive,
            RedirectStandardError = !interactive,
        };
        foreach (var (name, value) in plugin.Environment) start.Environment[name] = value;
        start.Environment[Names.Variables.KubernetesExecInfo] = Info(plugin, cluster, interactive).ToJsonString();
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw Missing(plugin, e.Message, e);
        }
    }

    // Process.Start would look into the working directory before PATH.
    private static string Find(ExecPlugin plugin)
    {
        if (plugin.Command.Contains('/', StringComparison.Ordinal)) return plugin.Command;
        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Where(Path.IsPathRooted)
            .Select(directory => Path.Combine(directory, plugin.Command))
            .FirstOrDefault(File.Exists) ?? throw Missing(plugin, "it is not in PATH", null);
    }

    private static KubeconfigException Missing(ExecPlugin plugin, string why, Exception? inner) =>
        new($"The credential plugin {plugin.Command} cannot be started: {why}. {(plugin.InstallHint is { } hint ? Tidy(hint) : "Install it, or correct command: in the kubeconfig.")}", inner);

    private static JsonObject Info(ExecPlugin plugin, ClusterConfig cluster, bool interactive)
    {
        var spec = new JsonObject { ["interactive"] = interactive };
        if (plugin.ProvideClusterInfo)
        {
            var authority = cluster.CertificateAuthority ?? (cluster.CertificateAuthorityFile is { } file ? BoundedFile.Text(file) : null);
            var info = new JsonObject { ["server"] = cluster.Server.ToString().TrimEnd('/') };
            if (cluster.TlsServerName is not null) info["tls-server-name"] = cluster.TlsServerName;
            if (cluster.InsecureSkipTlsVerify) info["insecure-skip-tls-verify"] = true;
            if (authority is not null) info["certificate-authority-data"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(authority));
            if (cluster.ProxyUrl is not null) info["proxy-url"] = cluster.ProxyUrl.ToString();
            if (plugin.ClusterExtension is not null) info["config"] = JsonNode.Parse(plugin.ClusterExtension);
            spec["cluster"] = info;
        }

        return new JsonObject { ["kind"] = "ExecCredential", ["apiVersion"] = plugin.ApiVersion, ["spec"] = spec };
    }

    private static ExecCredential Parse(ExecPlugin plugin, string output)
    {
        JsonNode? printed;
        try
        {
            printed = JsonNode.Parse(output);
        }
        catch (JsonException)
        {
            printed = null; // the message of the parser could quote a secret
        }

        if (printed is not JsonObject credential || credential["status"] is not JsonObject status)
            throw new KubeconfigException($"The credential plugin {plugin.Command} printed no ExecCredential with a status. Run it by hand to see what it prints.");
        if (Fields.Text(credential, "apiVersion") is var version && version != plugin.ApiVersion)
            throw new KubeconfigException($"The credential plugin {plugin.Command} answered in {version}, the kubeconfig asks for {plugin.ApiVersion}. Make the two equal.");
        var result = new ExecCredential(
            Fields.Text(status, "token"),
            Fields.Text(status, "clientCertificateData"),
            Fields.Text(status, "clientKeyData"),
            DateTimeOffset.TryParse(Fields.Text(status, "expirationTimestamp"), out var expires) ? expires : null);
        if (result.Token is null && result.Certificate is null)
            throw new KubeconfigException($"The credential plugin {plugin.Command} printed neither a token nor a client certificate. Run it by hand to see what it prints.");
        return result.Certificate is null == result.Key is null
            ? result
            : throw new KubeconfigException($"The credential plugin {plugin.Command} printed only one of clientCertificateData and clientKeyData.");
    }

    private static async Task<string> ReadAsync(Stream stream, int limit, bool cut, CancellationToken ct)
    {
        var all = new MemoryStream();
        var chunk = new byte[4096];
        for (int read; (read = await stream.ReadAsync(chunk, ct)) > 0;)
        {
            if (all.Length + read <= limit) all.Write(chunk, 0, read);
            else if (!cut) throw new KubeconfigException($"The credential plugin printed more than {limit >> 20} MiB.");
        }

        return Encoding.UTF8.GetString(all.GetBuffer(), 0, (int)all.Length);
    }

    private static string Tidy(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).TrimEnd('.') is { Length: > 0 } tidy ? tidy : "it said nothing";
}
