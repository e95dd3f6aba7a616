using System.Text;
using System.Text.Json.Nodes;
using static Fabrik.Kubernetes.Configuration.Fields;

namespace Fabrik.Kubernetes.Configuration;

/// <summary>Several kubeconfig files as one: of entries with the same name, and for current-context, the first file's counts.</summary>
internal sealed class Kubeconfig
{
    private sealed record Entry(string File, JsonObject Value);

    private readonly Dictionary<string, Entry> clusters = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Entry> users = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Entry> contexts = new(StringComparer.Ordinal);
    private readonly string sources;
    private string? current;

    private Kubeconfig(IReadOnlyList<KubeconfigFile> files)
    {
        sources = string.Join(Path.PathSeparator, files.Select(file => file.Path));
        foreach (var file in files)
        {
            Merge(file, "clusters", "cluster", clusters);
            Merge(file, "users", "user", users);
            Merge(file, "contexts", "context", contexts);
            current ??= Text(file.Content, "current-context");
        }
    }

    /// <summary>The file named, else those of KUBECONFIG, else ~/.kube/config.</summary>
    public static Kubeconfig Load(string? path, string? context)
    {
        if (!string.IsNullOrEmpty(path)) return new Kubeconfig([KubeconfigFile.Read(Path.GetFullPath(path))]);
        var list = Environment.GetEnvironmentVariable(Names.Variables.Kubeconfig);
        var home = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".kube", "config");
        return Load(string.IsNullOrEmpty(list) ? [home] : list.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries), context);
    }

    /// <summary>A file of a list may be absent, as long as one is there.</summary>
    public static Kubeconfig Load(IReadOnlyList<string> paths, string? context = null)
    {
        var files = paths.Select(Path.GetFullPath).Distinct(StringComparer.Ordinal).Where(File.Exists).Select(KubeconfigFile.Read).ToList();
        return files.Count > 0
            ? new Kubeconfig(files)
            : throw new KubeconfigException($"There is no kubeconfig{(context is null ? "" : $" to find context \"{context}\" in")}: {string.Join(", ", paths)} does not exist. Name one with --kubeconfig or {Names.Variables.Kubeconfig}.");
    }

    /// <summary>In the order of the files.</summary>
    public IReadOnlyList<string> Contexts => [.. contexts.Keys];

    public string? Current => current;

    public ClusterConfig Resolve(string? context)
    {
        var name = context ?? current;
        if (string.IsNullOrEmpty(name))
            throw new KubeconfigException($"{sources} has no current-context. Choose one of: {List(contexts)} (kubectl config use-context NAME, or --context NAME).");
        var chosen = Find(contexts, "context", name, $"the {(context is null ? "current-context" : "context asked for")}").Value;
        var clusterName = Text(chosen, "cluster") ?? throw new KubeconfigException($"Context \"{name}\" in {sources} names no cluster. Add cluster: to it.");
        var cluster = Find(clusters, "cluster", clusterName, $"context \"{name}\"");
        var config = Cluster(cluster, clusterName) with { Namespace = Text(chosen, "namespace") ?? "default" };
        return Text(chosen, "user") is { } user ? User(config, Find(users, "user", user, $"context \"{name}\""), user, cluster) : config;
    }

    private static ClusterConfig Cluster(Entry entry, string name)
    {
        var cluster = entry.Value;
        var server = Text(cluster, "server") ?? throw new KubeconfigException($"Cluster \"{name}\" in {entry.File} has no server. Add server: https://HOST:PORT.");
        if (!Uri.TryCreate(server.Contains("://", StringComparison.Ordinal) ? server : "https://" + server, UriKind.Absolute, out var uri) || uri.Scheme is not ("https" or "http"))
            throw new KubeconfigException($"Cluster \"{name}\" in {entry.File}: server \"{server}\" is not an address. Write https://HOST:PORT.");
        var insecure = Flag(cluster, "insecure-skip-tls-verify", entry.File);
        var data = Pem(cluster, "certificate-authority-data", entry.File);
        var file = FileOf(cluster, "certificate-authority", entry.File);
        if (insecure && (data ?? file) is not null)
            throw new KubeconfigException($"Cluster \"{name}\" in {entry.File} has a certificate authority and insecure-skip-tls-verify: true. Keep one of the two.");
        return new ClusterConfig
        {
            Server = uri,
            CertificateAuthority = data,
            CertificateAuthorityFile = data is null ? file : null,
            InsecureSkipTlsVerify = insecure,
            TlsServerName = Text(cluster, "tls-server-name"),
            ProxyUrl = Proxy(cluster, name, entry.File),
        };
    }

    private static Uri? Proxy(JsonObject cluster, string name, string file)
    {
        if (Text(cluster, "proxy-url") is not { } text) return null;
        return Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" or "socks5"
            ? uri
            : throw new KubeconfigException($"Cluster \"{name}\" in {file}: proxy-url \"{text}\" is not an http, https or socks5 address.");
    }

    private static ClusterConfig User(ClusterConfig config, Entry entry, string name, Entry cluster)
    {
        var user = entry.Value;
        if (user["auth-provider"] is not null)
            throw new KubeconfigException($"User \"{name}\" in {entry.File} uses auth-provider, which Kubernetes removed in 1.26. Use its exec plugin instead.");
        var certificate = Pem(user, "client-certificate-data", entry.File);
        var key = Pem(user, "client-key-data", entry.File);
        var certificateFile = certificate is null ? FileOf(user, "client-certificate", entry.File) : null;
        var keyFile = key is null ? FileOf(user, "client-key", entry.File) : null;
        if ((certificate ?? certificateFile) is null != (key ?? keyFile) is null)
            throw new KubeconfigException($"User \"{name}\" in {entry.File} has {((key ?? keyFile) is null ? "a client certificate without its key: add client-key or client-key-data" : "a client key without its certificate: add client-certificate or client-certificate-data")}.");
        var username = Text(user, "username");
        var password = Text(user, "password");
        if (username is null && password is not null) throw new KubeconfigException($"User \"{name}\" in {entry.File} has a password without a username.");
        return config with
        {
            Token = Text(user, "token"),
            TokenFile = FileOf(user, "tokenFile", entry.File),
            ClientCertificate = certificate,
            ClientKey = key,
            ClientCertificateFile = certificateFile,
            ClientKeyFile = keyFile,
            Username = username,
            Password = password,
            Exec = Exec(user, name, entry.File, cluster.Value),
            Impersonate = Impersonate(user, name, entry.File),
        };
    }

    private static Impersonation? Impersonate(JsonObject user, string name, string file)
    {
        var groups = Strings(user, "as-groups");
        var extra = (user["as-user-extra"] as JsonObject ?? []).ToDictionary(
            pair => pair.Key, pair => (IReadOnlyList<string>)[.. (pair.Value as JsonArray ?? []).Select(Scalar).OfType<string>()], StringComparer.Ordinal);
        if (Text(user, "as") is { } who) return new Impersonation(who, Text(user, "as-uid"), groups, extra);
        return groups.Count + extra.Count == 0 && Text(user, "as-uid") is null
            ? null
            : throw new KubeconfigException($"User \"{name}\" in {file} impersonates groups without a user. Add as: NAME.");
    }

    private static ExecPlugin? Exec(JsonObject user, string name, string file, JsonObject cluster)
    {
        if (user["exec"] is not JsonObject exec) return null;
        var command = Text(exec, "command") ?? throw new KubeconfigException($"User \"{name}\" in {file}: exec has no command.");
        var version = Text(exec, "apiVersion") ?? "";
        if (version is not ("client.authentication.k8s.io/v1" or "client.authentication.k8s.io/v1beta1"))
            throw new KubeconfigException($"User \"{name}\" in {file}: exec has apiVersion \"{version}\"; client.authentication.k8s.io/v1 and v1beta1 are known. Update the plugin's configuration.");
        var mode = Text(exec, "interactiveMode") ?? "IfAvailable";
        if (mode is not ("Never" or "IfAvailable" or "Always"))
            throw new KubeconfigException($"User \"{name}\" in {file}: exec has interactiveMode \"{mode}\"; Never, IfAvailable and Always are known.");
        var extension = (cluster["extensions"] as JsonArray)?.OfType<JsonObject>().FirstOrDefault(entry => Text(entry, "name") == "client.authentication.k8s.io/exec");
        return new ExecPlugin
        {
            // A path is relative to the file, a bare name is looked up in PATH.
            Command = command.Contains('/', StringComparison.Ordinal) ? Path.GetFullPath(command, Path.GetDirectoryName(file)!) : command,
            ApiVersion = version,
            Arguments = Strings(exec, "args"),
            Environment = (exec["env"] as JsonArray ?? []).OfType<JsonObject>()
                .Where(variable => Text(variable, "name") is not null)
                .GroupBy(variable => Text(variable, "name")!, StringComparer.Ordinal)
                .ToDictionary(group => group.Key, group => Text(group.Last(), "value") ?? "", StringComparer.Ordinal),
            InstallHint = Text(exec, "installHint"),
            ProvideClusterInfo = Flag(exec, "provideClusterInfo", file),
            InteractiveMode = mode,
            ClusterExtension = extension?["extension"]?.ToJsonString(),
        };
    }

    private Entry Find(Dictionary<string, Entry> entries, string kind, string name, string by) =>
        entries.TryGetValue(name, out var entry)
            ? entry
            : throw new KubeconfigException($"{char.ToUpperInvariant(kind[0])}{kind[1..]} \"{name}\" ({by}) is not in {sources}. There: {List(entries)}.");

    private static string List(Dictionary<string, Entry> entries) => entries.Count == 0 ? "none" : string.Join(", ", entries.Keys.Order(StringComparer.Ordinal).Take(20));

    private static void Merge(KubeconfigFile file, string list, string field, Dictionary<string, Entry> into)
    {
        foreach (var item in file.Content[list] as JsonArray ?? [])
        {
            if (item is JsonObject entry && Text(entry, "name") is { } name) into.TryAdd(name, new Entry(file.Path, entry[field] as JsonObject ?? []));
        }
    }
}
