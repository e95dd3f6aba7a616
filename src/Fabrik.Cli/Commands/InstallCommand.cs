using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Cli.Installing;
using Fabrik.Cli.Output;
using Fabrik.Installation;
using Fabrik.Kubernetes;
using YamlDotNet.Core;

namespace Fabrik.Cli.Commands;

/// <summary>Brings Fabrik into a cluster, or what is there to this version.</summary>
public static class InstallCommand
{
    private static readonly Option<string?> FileOption = new("--file", "-f") { Description = $"Settings that fabrik init wrote (default: {InstallSettings.DefaultFile} where it is there)" };
    private static readonly Option<string?> Profile = Choice("--profile", "dev: one of each on a small machine; prod: replicas, spread and priority", [.. InstallSettings.Profiles]);
    private static readonly Option<string?> StorageClass = new("--storage-class") { Description = "Of Fabrik's volumes (default: the cluster's)" };
    private static readonly Option<string?> Registry = new("--registry") { Description = $"Where images are pulled from instead of {Names.Images.Registry.TrimEnd('/')}" };
    private static readonly Option<bool> Monitoring = CreateMonitoring();
    private static readonly Option<string?> Certificates = CreateCertificates();
    private static readonly Option<string[]> OptIn = new("--opt-in") { Description = "A namespace whose Jobs are Fabrik's business; may be given several times" };
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Have the cluster check everything and store nothing" };
    private static readonly Option<bool> Wait = new("--wait") { Description = "Wait until all Pods serve before the webhook is registered (default: true)", DefaultValueFactory = _ => true };
    private static readonly Option<int> Timeout = new("--timeout") { Description = "Seconds to wait for Pods", DefaultValueFactory = _ => 300 };

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("install", "Install Fabrik in a cluster; run again, it changes nothing that is right")
        {
            Options = { FileOption, Profile, StorageClass, Registry, Monitoring, Certificates, OptIn, DryRun, Wait, Timeout },
        };
        command.SetAction((parsed, cancel) => RunAsync(parsed, globals, terminal, clock, upgrade: false, cancel));
        return command;
    }

    public static Command CreateUpgrade(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("upgrade", "Bring an installed Fabrik to this command's version, one part after another and without a failed admission")
        {
            Options = { FileOption, Profile, StorageClass, Registry, Monitoring, Certificates, OptIn, DryRun, Wait, Timeout },
        };
        command.SetAction((parsed, cancel) => RunAsync(parsed, globals, terminal, clock, upgrade: true, cancel));
        return command;
    }

    private static async Task RunAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, bool upgrade, CancellationToken cancel)
    {
        var path = parsed.GetValue(FileOption) ?? (File.Exists(InstallSettings.DefaultFile) ? InstallSettings.DefaultFile : null);
        var file = path is null ? null : Read(path);
        foreach (var (name, source) in file?.ProviderKeys ?? new Dictionary<string, KeySource>()) ClusterSecrets.ProviderKey(name, source, terminal);
        if (parsed.GetValue(Timeout) <= 0) throw new CommandException(ExitCode.Usage, "FAB-1106", "--timeout must be above 0", "it is a number of seconds", "give a number such as 300");
        var options = new InstallOptions { DryRun = parsed.GetValue(DryRun), Wait = parsed.GetValue(Wait), Timeout = TimeSpan.FromSeconds(parsed.GetValue(Timeout)), Rolling = upgrade };
        using var cluster = new KubernetesClient(ClusterConfig.FromKubeconfig(parsed.GetValue(globals.Kubeconfig), parsed.GetValue(globals.Context) ?? file?.Context), clock);
        var steps = new Steps(terminal, clock);
        var installed = await InstalledVersion.ReadAsync(cluster, cancel);
        var settings = With(parsed, file ?? installed?.Settings ?? new InstallSettings { Profile = parsed.GetValue(Profile) ?? InstallSettings.ProfileFor(await cluster.ListAsync(Kinds.Node, null, cancel).CountAsync(cancel)) });
        if (path is null) steps.Note($"{(installed?.Settings is null ? "" : "settings as it was installed: ")}{settings}");
        var certificates = CertificateChoice.Of(settings.Certificates, await CertificateFindings.ReadAsync(cluster, cancel));
        var items = ShippedManifests.For(settings with { Certificates = certificates is { IsCertManager: true, Foreign: false } ? InstallSettings.CertManager : InstallSettings.Own });
        await new Preflight(cluster, settings, certificates, items, steps).RunAsync(cancel);
        if (upgrade && installed is null)
            throw new CommandException(ExitCode.NotFound, "FAB-1107", "there is no Fabrik in this cluster to upgrade", $"StatefulSet {Names.SystemNamespace}/{Names.Objects.Control} is not there", "fabrik install");
        InstalledVersion.RefuseDowngrade(installed);
        InstalledVersion.Mark(items, settings);
        if (upgrade) steps.Note($"from {installed!.Tag} to {InstalledVersion.Own}");
        await new Installer(cluster, settings, certificates, options, terminal, steps, clock).RunAsync(items, cancel);
        terminal.Out.WriteLine(options.DryRun
            ? "Nothing was written: the cluster would take all of it."
            : $"Fabrik {InstalledVersion.Own} is {(upgrade ? "upgraded" : "installed")}.");
        terminal.Error.WriteLine(options.DryRun ? $"next: fabrik {(upgrade ? "upgrade" : "install")}" : $"next: fabrik run --image busybox -n {(settings.Namespaces.Count > 0 ? settings.Namespaces[0] : Names.RunsNamespace)} -- echo hello");
    }

    /// <summary>What is said on the command line goes before the file, or where there is none before what was installed.</summary>
    private static InstallSettings With(ParseResult parsed, InstallSettings settings) => settings with
    {
        Profile = parsed.GetValue(Profile) ?? settings.Profile,
        StorageClass = parsed.GetValue(StorageClass) ?? settings.StorageClass,
        Registry = parsed.GetValue(Registry)?.TrimEnd('/') ?? settings.Registry,
        Monitoring = settings.Monitoring || parsed.GetValue(Monitoring),
        Certificates = parsed.GetValue(Certificates) ?? settings.Certificates,
        Namespaces = [.. settings.Namespaces.Union(parsed.GetValue(OptIn) ?? [], StringComparer.Ordinal)],
    };

    internal static InstallSettings Read(string path)
    {
        try
        {
            var documents = Manifest.Read(File.ReadAllText(path));
            return InstallSettings.Parse(documents.Count == 1 ? documents[0] : documents.Count == 0 ? [] : throw new FormatException("there must be one document"));
        }
        catch (Exception e) when (e is FormatException or YamlException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, "FAB-1108", $"the settings in {path} cannot be used", e.Message, "correct the file, or write a new one: fabrik init");
        }
    }

    internal static Option<bool> CreateMonitoring() => new("--monitoring") { Description = "ServiceMonitors and alerts too, for the Prometheus operator that is in the cluster" };

    internal static Option<string?> CreateCertificates() =>
        Choice("--certificates", "Who keeps certificates: own (Fabrik itself), cert-manager, or auto (who does already; else cert-manager where the cluster has it)", [.. InstallSettings.Keepers]);

    internal static Option<string?> Choice(string name, string description, params string[] values)
    {
        var option = new Option<string?>(name) { Description = description };
        option.AcceptOnlyFromAmong(values);
        return option;
    }
}
