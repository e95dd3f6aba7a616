using System.Text.RegularExpressions;
using Fabrik.Checks;
using Fabrik.Tests.Checks;

namespace Fabrik.Tests;

public partial class DocumentTests
{
    [Fact]
    public void Every_error_id_of_the_source_is_explained_once_and_no_other()
    {
        var used = Directory.EnumerateFiles(Path.Combine(TestData.Checkout, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .SelectMany(path => Id().Matches(File.ReadAllText(path)).Select(match => match.Groups["id"].Value))
            .Where(id => !IsCheck(id)).Distinct().Order(StringComparer.Ordinal);
        var explained = File.ReadLines(Path.Combine(TestData.Checkout, Names.Documents.Errors)).Where(line => line.StartsWith("## FAB-", StringComparison.Ordinal)).Select(line => line[3..].Trim());

        explained.ShouldBe(used);
    }

    [Fact]
    public void Every_check_has_a_heading_of_its_own_in_the_troubleshooting_page_and_no_other_has_one()
    {
        var headings = File.ReadLines(Path.Combine(TestData.Checkout, Names.Documents.Troubleshooting)).Where(line => line.StartsWith("## FAB-", StringComparison.Ordinal)).Select(line => line[3..].Trim()).ToList();

        headings.ShouldBe(Catalogue.All.Select(info => info.Id).Order(StringComparer.Ordinal));
        headings.ShouldAllBe(id => IsCheck(id));
        foreach (var info in Catalogue.All)
            new CheckResult(info.Id, info.Category, info.Title, CheckStatus.Failed, "", "").Anchor.ShouldBe($"{Names.Documents.Troubleshooting}#{info.Id.ToLowerInvariant()}"); // as Markdown makes anchors of headings
    }

    [Fact]
    public void The_admission_policies_that_are_looked_for_are_those_of_the_manifests()
    {
        var shipped = Directory.EnumerateFiles(Path.Combine(TestData.Checkout, "manifests", "base"), "*.yaml").SelectMany(file => Fabrik.Kubernetes.Manifest.Read(File.ReadAllText(file)))
            .Where(item => item["kind"]?.ToString() == "ValidatingAdmissionPolicy").Select(item => item["metadata"]!["name"]!.ToString());

        SecurityChecks.PolicyNames.ShouldBe(shipped.Order(StringComparer.Ordinal));
    }

    /// <summary>FAB-3nnn are found by checks, and explained where those are.</summary>
    private static bool IsCheck(string id) => id.StartsWith("FAB-3", StringComparison.Ordinal);

    [Fact]
    public void The_readme_names_only_folders_that_exist_and_every_project_stands_in_one()
    {
        var named = Row().Matches(File.ReadAllText(Path.Combine(TestData.Checkout, "README.md"))).Select(match => match.Groups["path"].Value).ToList();

        named.ShouldNotBeEmpty();
        foreach (var path in named) Directory.Exists(Path.Combine(TestData.Checkout, path)).ShouldBeTrue(path);
        foreach (var project in Directory.GetFiles(TestData.Checkout, "*.csproj", SearchOption.AllDirectories))
            named.ShouldContain(path => Path.GetRelativePath(TestData.Checkout, project).StartsWith(path, StringComparison.Ordinal), project);
    }

    [Fact]
    public void Every_test_that_the_gateways_page_names_is_there_and_runs()
    {
        var named = Test().Matches(File.ReadAllText(Path.Combine(TestData.Checkout, Names.Documents.Gateway))).Select(match => (Class: match.Groups["class"].Value, Method: match.Groups["method"].Value)).Distinct().ToList();

        named.Count.ShouldBeGreaterThan(30);
        var tests = typeof(DocumentTests).Assembly.GetTypes().Where(type => type.Namespace == "Fabrik.Tests.Proxy")
            .SelectMany(type => type.GetMethods().Where(method => method.GetCustomAttributes(typeof(FactAttribute), inherit: true).OfType<FactAttribute>().Any(fact => fact.Skip is null)).Select(method => (type.Name, method.Name))).ToHashSet();
        foreach (var test in named) tests.ShouldContain(test);
    }

    [Fact]
    public void Every_test_that_the_page_on_surviving_names_is_there_and_runs()
    {
        var named = Test().Matches(File.ReadAllText(Path.Combine(TestData.Checkout, Names.Documents.Surviving))).Select(match => (Class: match.Groups["class"].Value, Method: match.Groups["method"].Value)).Distinct().ToList();

        named.Count.ShouldBeGreaterThan(10);
        var tests = typeof(DocumentTests).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods().Where(method => method.GetCustomAttributes(typeof(FactAttribute), inherit: true).OfType<FactAttribute>().Any(fact => fact.Skip is null)).Select(method => (type.Name, method.Name))).ToHashSet();
        foreach (var test in named) tests.ShouldContain(test);
    }

    [GeneratedRegex("`(?<class>[A-Z][A-Za-z]+Tests)\\.(?<method>[A-Za-z0-9_]+)`", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Test();

    [GeneratedRegex("\"(?<id>FAB-[0-9]{4})\"", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Id();

    [GeneratedRegex("^\\| `(?<path>[a-zA-Z./]+)` \\|", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking | RegexOptions.Multiline)]
    private static partial Regex Row();
}
