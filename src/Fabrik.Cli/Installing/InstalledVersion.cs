using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Kubernetes;
using Fabrik.Storage;

namespace Fabrik.Cli.Installing;

/// <summary>What a cluster has of Fabrik.</summary>
/// <param name="Tag">Of the API's image.</param>
/// <param name="Schema">Of the control database, as the installed version knows it; null where it was not installed by the command.</param>
internal sealed record InstalledVersion(string Tag, int? Schema)
{
    /// <summary>Of this command and the manifests that it carries.</summary>
    public static string Own { get; } = typeof(InstalledVersion).Assembly.GetName().Version!.ToString(3);

    /// <summary>Null where it is not installed.</summary>
    public static async Task<InstalledVersion?> ReadAsync(KubernetesClient cluster, CancellationToken ct)
    {
        if (await cluster.FindAsync(Kinds.StatefulSet, Names.SystemNamespace, Names.Objects.Control, ct) is not { } control) return null;
        var image = control.Json.List("spec", "template", "spec", "containers").Select(container => container.Text("image")).FirstOrDefault() ?? "";
        var colon = image.LastIndexOf(':');
        var schema = int.TryParse(control.Annotation(Names.Annotations.DatabaseSchema), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : (int?)null;
        return new InstalledVersion(colon > image.LastIndexOf('/') ? image[(colon + 1)..] : "an unknown version", schema);
    }

    /// <summary>A database that a newer version has written cannot be read by an older one, which would not start.</summary>
    public static void RefuseDowngrade(InstalledVersion? installed)
    {
        if (installed is null) return;
        if (installed.Schema is { } schema && schema > Database.Schema)
            throw Refusal(installed, $"the control database has schema {schema}, and this version knows up to {Database.Schema}: its API and scheduler would not start");
        if (installed.Schema is null && Version.TryParse(installed.Tag, out var there) && Version.TryParse(Own, out var own) && there > own)
            throw Refusal(installed, $"{installed.Tag} is newer than {Own}, and which schema its database has is not written down");
    }

    /// <summary>Writes down what <see cref="RefuseDowngrade"/> reads.</summary>
    public static void Mark(IEnumerable<JsonObject> items)
    {
        foreach (var control in items.Where(item => item.Kind() == "StatefulSet" && item.Name() == Names.Objects.Control))
        {
            if (control["metadata"]!["annotations"] is not JsonObject annotations) control["metadata"]!["annotations"] = annotations = [];
            annotations[Names.Annotations.DatabaseSchema] = Database.Schema.ToString(CultureInfo.InvariantCulture);
        }
    }

    private static CommandException Refusal(InstalledVersion installed, string why) =>
        new(ExitCode.Error, "FAB-1109", $"this command is {Own} and the cluster has {installed.Tag}: that would be a downgrade", why, $"use the command of version {installed.Tag}, or restore a backup of the database from before its upgrade and uninstall with --keep-data first");
}
