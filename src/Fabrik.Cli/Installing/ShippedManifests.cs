using System.Text.Json.Nodes;
using Fabrik.Installation;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Installing;

/// <summary>The checkout's manifests/, embedded, so that the command needs no files beside it.</summary>
internal static class ShippedManifests
{
    /// <summary>What <c>kubectl kustomize manifests/overlays/PROFILE</c> prints, as objects.</summary>
    public static IReadOnlyList<JsonObject> Overlay(string profile) => Kustomization.Render($"overlays/{profile}", Read);

    /// <summary>As an installation with these settings applies them.</summary>
    public static IReadOnlyList<JsonObject> For(InstallSettings settings)
    {
        var items = Overlay(settings.Profile);
        settings.Adjust(items);
        return items;
    }

    public static IReadOnlyList<JsonObject> Read(string path)
    {
        using var stream = typeof(ShippedManifests).Assembly.GetManifestResourceStream("manifests/" + path) ?? throw new FormatException($"this command has no manifest {path}");
        using var reader = new StreamReader(stream);
        return Manifest.Read(reader.ReadToEnd());
    }
}
