using System.CommandLine;
using System.Text.Json;
using Fabrik.Checks;
using Fabrik.Cli.Installing;
using Fabrik.Cli.Output;
using Fabrik.Installation;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Commands;

/// <summary>Writes the settings of an installation: asks for what was not said where a person sits at a terminal, and nowhere else.</summary>
public static class InitCommand
{
    /// <summary>Names of the gateway's shipped configuration, and the variables in which people have such keys.</summary>
    private static readonly (string Key, string Variable)[] Providers = [("openai", Names.ClientVariables.OpenAiKey), ("anthropic", Names.ClientVariables.AnthropicKey)];

    private static readonly Option<string> FileOption = new("--file", "-f") { Description = "Where the settings are written", DefaultValueFactory = _ => InstallSettings.DefaultFile };
    private static readonly Option<string?> Profile = InstallCommand.Choice("--profile", "dev: one of each on a small machine; prod: replicas, spread and priority", [.. InstallSettings.Profiles]);
    private static readonly Option<string?> StorageClass = new("--storage-class") { Description = "Of Fabrik's volumes (default: the cluster's)" };
    private static readonly Option<string?> Registry = new("--registry") { Description = $"Where images are pulled from instead of {Names.Images.Registry.TrimEnd('/')}" };
    private static readonly Option<bool> Monitoring = InstallCommand.CreateMonitoring();
    private static readonly Option<string?> Certificates = InstallCommand.CreateCertificates();
    private static readonly Option<string[]> OptIn = new("--opt-in") { Description = "A namespace whose Jobs are Fabrik's business; may be given several times" };
    private static readonly Option<string[]> Keys = new("--provider-key") { Description = "NAME=env:VARIABLE or NAME=file:PATH, such as openai=env:OPENAI_API_KEY: where install finds a key for the gateway" };
    private static readonly Option<bool> Force = new("--force") { Description = "Write over a file that is there" };

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("init", $"Write {InstallSettings.DefaultFile}, which fabrik install reads") { Options = { FileOption, Profile, StorageClass, Registry, Monitoring, Certificates, OptIn, Keys, Force } };
        command.SetAction(async (parsed, cancel) =>
        {
            var path = parsed.GetValue(FileOption)!;
            if (File.Exists(path) && !parsed.GetValue(Force) && terminal.Ask?.Invoke($"{path} is there. Write over it? [y/N]: ")?.Trim() is not ("y" or "yes"))
                throw new CommandException(ExitCode.Error, "FAB-1118", $"{path} is there already", "it was not written over", "fabrik init --force, or another file with --file");
            var settings = await AskAsync(parsed, globals, terminal, clock, cancel);
            await using (var writer = new StreamWriter(path))
            {
                await writer.WriteLineAsync("# Of fabrik init; fabrik install and fabrik upgrade read it. Keys of providers stand in variables or files, never here.");
                using var document = JsonDocument.Parse(settings.ToJson().ToJsonString());
                YamlWriter.Write(writer, document.RootElement);
            }

            terminal.Out.WriteLine($"{path} written");
            terminal.Error.WriteLine($"next: fabrik install{(path == InstallSettings.DefaultFile ? "" : $" --file {path}")}");
        });
        return command;
    }

    private static async Task<InstallSettings> AskAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        var (contexts, current) = ClusterConfig.Contexts(parsed.GetValue(globals.Kubeconfig));
        var context = parsed.GetValue(globals.Context) ?? (contexts.Count > 1 ? Ask(terminal, $"Cluster, of the contexts {string.Join(", ", contexts)}", current) : current);
        using var cluster = new KubernetesClient(ClusterConfig.FromKubeconfig(parsed.GetValue(globals.Kubeconfig), context), clock);
        var version = await cluster.GetRawAsync(Names.Paths.Version, cancel);
        terminal.Error.WriteLine($"{context}: Kubernetes {version.Text("gitVersion")} at {cluster.Config.Server}");
        var nodes = await cluster.ListAsync(Kinds.Node, null, cancel).CountAsync(cancel);
        var profile = parsed.GetValue(Profile) ?? Ask(terminal, $"Profile, dev (one of each, for a small machine) or prod (replicas on several nodes); there {(nodes == 1 ? "is 1 node" : $"are {nodes} nodes")}", InstallSettings.ProfileFor(nodes));
        var classes = new List<string>();
        await foreach (var one in cluster.ListAsync(Kinds.StorageClass, null, cancel)) classes.Add(one.Name);
        var storage = parsed.GetValue(StorageClass) ?? (classes.Count > 1 ? Ask(terminal, $"Storage class of Fabrik's volumes, of {string.Join(", ", classes)}; empty for the cluster's default", "") : null);
        var monitoring = parsed.GetValue(Monitoring);
        if (!monitoring && terminal.Ask is not null && (await Preflight.UnmonitoredAsync(cluster, cancel)).Count == 0)
            monitoring = Ask(terminal, "The Prometheus operator is here. ServiceMonitors and alerts too (yes or no)", "no") is "y" or "yes";
        var keys = new Dictionary<string, KeySource>(StringComparer.Ordinal);
        foreach (var given in parsed.GetValue(Keys) ?? []) keys.Add(Source(given, out var source), source);
        foreach (var (key, variable) in Providers)
        {
            if (keys.ContainsKey(key) || terminal.Ask is null) continue;
            var known = terminal.Variable(variable) is { Length: > 0 };
            var answer = Ask(terminal, $"Key of {key} for the gateway: a variable's name, or a path; empty for none", known ? variable : "");
            if (!string.IsNullOrEmpty(answer)) keys[key] = answer.Contains('/', StringComparison.Ordinal) || File.Exists(answer) ? new KeySource(null, answer) : new KeySource(answer, null);
        }

        var namespaces = parsed.GetValue(OptIn) is { Length: > 0 } said ? said : (Ask(terminal, $"Namespaces to opt in besides {Names.RunsNamespace}, with commas between them", "") ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return Checked(new InstallSettings
        {
            Context = context,
            Profile = profile ?? InstallSettings.DefaultProfile,
            StorageClass = string.IsNullOrEmpty(storage) ? null : storage,
            Registry = parsed.GetValue(Registry),
            Monitoring = monitoring,
            Certificates = parsed.GetValue(Certificates) ?? InstallSettings.Auto,
            Namespaces = namespaces,
            ProviderKeys = keys,
        });
    }

    /// <summary>The default where nobody can be asked, or who was asked says nothing.</summary>
    private static string? Ask(Terminal terminal, string question, string? otherwise)
    {
        if (terminal.Ask is not { } ask) return otherwise;
        var answer = ask(string.IsNullOrEmpty(otherwise) ? $"{question}: " : $"{question} [{otherwise}]: ")?.Trim();
        return string.IsNullOrEmpty(answer) ? otherwise : answer;
    }

    private static InstallSettings Checked(InstallSettings settings)
    {
        try
        {
            return InstallSettings.Parse(settings.ToJson());
        }
        catch (FormatException e)
        {
            throw new CommandException(ExitCode.Usage, "FAB-1119", "these settings cannot be used", e.Message, "give another value");
        }
    }

    private static string Source(string given, out KeySource source)
    {
        if (given.Split('=', 2) is [{ Length: > 0 } name, var where] && where.Split(':', 2) is [("env" or "file") and var kind, { Length: > 0 } value])
        {
            source = kind == "env" ? new KeySource(value, null) : new KeySource(null, value);
            return name;
        }

        throw new CommandException(ExitCode.Usage, "FAB-1119", "these settings cannot be used", "--provider-key must be NAME=env:VARIABLE or NAME=file:PATH, never the key itself", "such as --provider-key openai=env:OPENAI_API_KEY");
    }
}
