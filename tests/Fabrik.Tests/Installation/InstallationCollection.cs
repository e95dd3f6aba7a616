namespace Fabrik.Tests.Installation;

/// <summary>A cluster has one Fabrik: nobody else may use it while it is installed and removed.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class InstallationCollection
{
    public const string Name = "installation";
}
