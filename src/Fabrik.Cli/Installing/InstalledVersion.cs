using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Installation;
using Fabrik.Kubernetes;
using Fabrik.Storage;

namespace Fabrik.Cli.Installing;

/// <summary>What a cluster has of Fabrik.</summary>
/// <param name="Tag">Of the API's image.</param>
/// <param name="Schema">Of the control database, as the installed version knows it; null where it was not installed by the command.</param>
/// <param name="Settings">As they were remembered; null where they were not, or not in a form that this version reads.</param>
internal sealed record InstalledVersion(string Tag, int? Schema, InstallSettings? Settings)
{
    /// <summary>Of this command and the manifests that it carries.</summary>
    public static string Own { get; } = typeof(InstalledVersion).Assembly.GetName().Version!.ToString(3);

    /// <summary>Null where it is not installed, and where nothing may be read: who installs is then told all that he may not.</summary>
    public static async Task<InstalledVersion?> ReadAsync(KubernetesClient cluster, CancellationToken ct)
    {
        KubeObject? control;
        try
        {
            control = await cluster.FindAsync(Kinds.StatefulSet, Names.SystemNamespace, Names.Objects.Control, ct);
        }
        catch (KubernetesException e) when (e.IsForbidden)
        {
            return null;
        }

        if (control is null) return null;
        var image = control.Json.List("spec", "template", "spec", "containers").Select(container => container.Text("image")).FirstOrDefault() ?? "";
        var colon = image.LastIndexOf(':');
        var schema = int.TryParse(control.Annotation(Names.Annotations.DatabaseSchema), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : (int?)null;
        return new InstalledVersion(colon > image.LastIndexOf('/') ? image[(colon + 1)..] : "an unknown version", schema, Read(control.Annotation(Names.Annotations.InstallSettings)));
    }

    private static InstallSettings? Read(string? annotation)
    {
        try
        {
            return annotation is not null && JsonNode.Parse(annotation) is JsonObject document ? InstallSettings.Parse(document) : null;
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            return null;
        }
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

    /// <summary>Writes down what <see cref="ReadAsync"/> reads.</summary>
    public static void Mark(IEnumerable<JsonObject> items, InstallSettings settings)
    {
        foreach (var control in items.Where(item => item.Kind() == "StatefulSet" && item.Name() == Names.Objects.Control))
        {
            if (control["metadata"]!["annotations"] is not JsonObject annotations) control["metadata"]!["annotations"] = annotations = [];
            annotations[Names.Annotations.DatabaseSchema] = Database.Schema.ToString(CultureInfo.InvariantCulture);
            annotations[Names.Annotations.InstallSettings] = settings.Remembered().ToJson().ToJsonString();
        }
    }

    private static CommandException Refusal(InstalledVersion installed, string why) =>
        new(ExitCode.Error, "FAB-1109", $"this command is {Own} and the cluster has {installed.Tag}: that would be a downgrade", why, $"use the command of version {installed.Tag}, or restore a backup of the database from before its upgrade and uninstall with --keep-data first");
}
