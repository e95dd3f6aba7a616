using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Fabrik.CronJobs.Usage;
using Fabrik.Tests.Support;

namespace Fabrik.Tests;

public partial class ArchitectureTests
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
        ["Fabrik.Gate"] = ["Fabrik"],
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

    /// <summary>Examples in messages, and the name that Kubernetes itself has in a message that is repeated.</summary>
    private static readonly string[] Told = ["HOST", "prometheus.monitoring", "www.iana.org", "gateway.fabrik-gateway", "api.openai.com", "fabrik-api.fabrik-system", "collector.monitoring", "provider"];

    [Theory]
    [InlineData("Fabrik.Core")]
    [InlineData("Fabrik.Kubernetes")]
    [InlineData("Fabrik.Storage")]
    [InlineData("Fabrik.Api")]
    [InlineData("Fabrik.CronJobs")]
    [InlineData("Fabrik.Proxy")]
    [InlineData("Fabrik.Webhook")]
    public void Checklist_36_what_runs_in_the_cluster_knows_no_address_by_itself_neither_inside_nor_outside(string assembly)
    {
        PrometheusOptions.Read(_ => null).ShouldBeNull();
        Literals(assembly).SelectMany(literal => Address().Matches(literal)).Select(found => found.Groups["host"].Value).Except(Told).ShouldBeEmpty();
    }

    /// <summary>Every text that stands in the code of an assembly.</summary>
    private static IEnumerable<string> Literals(string assembly)
    {
        using var file = new PEReader(File.OpenRead(Path.Combine(AppContext.BaseDirectory, assembly + ".dll")));
        var metadata = file.GetMetadataReader();
        var found = new List<string>();
        for (var literal = MetadataTokens.UserStringHandle(1); !literal.IsNil; literal = metadata.GetNextHandle(literal)) found.Add(metadata.GetUserString(literal));
        found.Count.ShouldBeGreaterThan(10);
        return found;
    }

    [GeneratedRegex("(https?|wss?)://(?<host>[^/:\\s\"'{]+)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Address();
}
