namespace Fabrik.Experiments;

/// <summary>The manifests of manifests/crds, embedded: whoever installs Fabrik applies them as they are.</summary>
public static class CustomResources
{
    public static string OptimizationChanges { get; } = Read("optimizationchanges.yaml");

    public static string OptimizerPolicies { get; } = Read("optimizerpolicies.yaml");

    /// <summary>Every CustomResourceDefinition as YAML, one document each.</summary>
    public static IReadOnlyList<string> All { get; } = [OptimizationChanges, OptimizerPolicies];

    private static string Read(string file)
    {
        using var stream = typeof(CustomResources).Assembly.GetManifestResourceStream("crds/" + file)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
