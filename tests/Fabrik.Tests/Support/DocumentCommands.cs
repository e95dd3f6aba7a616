using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Fabrik.Tests.Support;

/// <summary>What a page asks its reader to type: its blocks of sh, and the steps of its pipelines.</summary>
internal static partial class DocumentCommands
{
    /// <param name="page">Under the checkout, such as docs/how-do-i.md.</param>
    /// <returns>Each with the heading it stands under, in order.</returns>
    public static IEnumerable<(string Heading, string Script)> Of(string page)
    {
        var text = File.ReadAllText(Path.Combine(TestData.Checkout, page));
        foreach (var block in Block().Matches(text).Cast<Match>())
        {
            var heading = Heading().Matches(text[..block.Index]).LastOrDefault()?.Groups["heading"].Value ?? page;
            if (block.Groups["kind"].Value == "sh") yield return (heading, block.Groups["body"].Value);
            else if (Steps(block.Groups["body"].Value) is { Length: > 0 } steps) yield return (heading, string.Join('\n', steps));
        }
    }

    /// <summary>Every run of a GitHub workflow and every script of a GitLab one; other documents have none.</summary>
    private static string[] Steps(string yaml)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        return [.. stream.Documents.SelectMany(document => Steps(document.RootNode))];
    }

    private static IEnumerable<string> Steps(YamlNode node) => node switch
    {
        YamlMappingNode map => map.Children.SelectMany(child => (child.Key, child.Value) switch
        {
            (YamlScalarNode { Value: "run" }, YamlScalarNode run) => [run.Value!],
            (YamlScalarNode { Value: "script" }, YamlSequenceNode script) => script.Children.Cast<YamlScalarNode>().Select(line => line.Value!),
            var (_, value) => Steps(value),
        }),
        YamlSequenceNode list => list.Children.SelectMany(Steps),
        _ => [],
    };

    [GeneratedRegex("^```(?<kind>sh|yaml)\\n(?<body>.*?)^```", RegexOptions.ExplicitCapture | RegexOptions.Multiline | RegexOptions.Singleline | RegexOptions.NonBacktracking)]
    private static partial Regex Block();

    [GeneratedRegex("^#+ (?<heading>.*)$", RegexOptions.ExplicitCapture | RegexOptions.Multiline | RegexOptions.NonBacktracking)]
    private static partial Regex Heading();
}
