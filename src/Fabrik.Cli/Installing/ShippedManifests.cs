using System.Text.Json.Nodes;
using Fabrik.Installation;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Installing;

/// <summary>The checkout's manifests/, embedded, so that the command needs no files beside it.</summary>
internal static class ShippedManifests
{
    /// <summary>The overlay that comes beside a profile.</summary>
    public const string Monitoring = "monitoring";
    private const string Prefix = "manifests/";

    /// <summary>What <c>kubectl kustomize manifests/overlays/PROFILE</c> prints, as objects.</summary>
    public static IReadOnlyList<JsonObject> Overlay(string profile) => Kustomization.Render($"overlays/{profile}", Read);

    /// <summary>What kubectl makes of a kustomization that has an overlay as its resource, and the component with cert-manager's objects over it.</summary>
    private static IReadOnlyList<JsonObject> WithCertManager(string profile)
    {
        var over = new JsonObject { ["resources"] = new JsonArray($"../overlays/{profile}"), ["components"] = new JsonArray("../components/cert-manager") };
        return Kustomization.Render("over", path => path == "over/kustomization.yaml" ? [over] : Read(path));
    }

    /// <summary>What cert-manager makes certificates from, and the Secret that is its own.</summary>
    public static IReadOnlyList<JsonObject> ForCertManager() => Read("components/cert-manager/certificates.yaml");

    /// <summary>As an installation with these settings applies them.</summary>
    public static IReadOnlyList<JsonObject> For(InstallSettings settings)
    {
        var items = settings.Certificates == InstallSettings.CertManager ? WithCertManager(settings.Profile) : Overlay(settings.Profile);
        if (settings.Monitoring) items = [.. items, .. Overlay(Monitoring)];
        settings.Adjust(items);
        return items;
    }

    /// <summary>Every object of every overlay.</summary>
    public static IEnumerable<JsonObject> All() => typeof(ShippedManifests).Assembly.GetManifestResourceNames()
        .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && !name.EndsWith("kustomization.yaml", StringComparison.Ordinal))
        .SelectMany(name => Read(name[Prefix.Length..])).Where(item => item["kind"] is not null);

    /// <param name="path">Under manifests/, such as base/runs.yaml.</param>
    public static IReadOnlyList<JsonObject> Read(string path)
    {
        using var stream = typeof(ShippedManifests).Assembly.GetManifestResourceStream(Prefix + path) ?? throw new FormatException($"this command has no manifest {path}");
        using var reader = new StreamReader(stream);
        return Manifest.Read(reader.ReadToEnd());
    }
}
