using System.Xml.Linq;
using Fabrik.Tests.Support;

namespace Fabrik.Tests;

public class ArchitectureTests
{
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["Fabrik"] = [],
        ["Fabrik.Kubernetes"] = ["Fabrik"],
        ["Fabrik.Storage"] = ["Fabrik"],
        ["Fabrik.Api"] = ["Fabrik.Kubernetes", "Fabrik.Storage"],
        ["Fabrik.Webhook"] = ["Fabrik.Kubernetes"],
        ["Fabrik.CronJobs"] = ["Fabrik.Kubernetes", "Fabrik.Storage"],
        ["Fabrik.Proxy"] = ["Fabrik.Kubernetes"],
        ["Fabrik.Sandbox"] = ["Fabrik.Api", "Fabrik.CronJobs", "Fabrik.Proxy", "Fabrik.Webhook"],
        ["Fabrik.Cli"] = ["Fabrik.Kubernetes", "Fabrik.Sandbox"],
    };

    [Fact]
    public void Every_project_references_what_the_dependency_table_allows_and_nothing_else()
    {
        var actual = Directory.GetFiles(TestData.Checkout, "*.csproj", SearchOption.AllDirectories)
            .Where(path => !Path.GetRelativePath(TestData.Checkout, path).StartsWith("tests", StringComparison.Ordinal))
            .ToDictionary(
                path => Path.GetFileNameWithoutExtension(path),
                path => XDocument.Load(path).Descendants("ProjectReference")
                    .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')))
                    .Order(StringComparer.Ordinal).ToArray(),
                StringComparer.Ordinal);

        actual.Keys.Order(StringComparer.Ordinal).ShouldBe(Allowed.Keys.Order(StringComparer.Ordinal));
        foreach (var (project, references) in actual) references.ShouldBe(Allowed[project], project);
    }
}
