using System.Globalization;
using System.Text.RegularExpressions;

namespace Fabrik.Tests.Sandbox.Kubectl;

/// <summary>One request of kubectl and its answer, read from what <c>kubectl -v=8</c> wrote. Bodies are cut after about a thousand characters.</summary>
public sealed record Exchange(string Verb, string Method, string Path, IReadOnlyDictionary<string, string> Headers, Body Request, int Status, IReadOnlyDictionary<string, string> ResponseHeaders, Body Response)
{
    public override string ToString() => $"{Verb}: {Method} {Path}";
}

/// <param name="Text">JSON or plain text; empty for binary bodies.</param>
/// <param name="Bytes">Of a binary body.</param>
public sealed record Body(string Text, byte[]? Bytes, bool Cut);

public static partial class Recording
{
    /// <summary>All exchanges in the order in which they were made.</summary>
    public static IReadOnlyList<Exchange> Read(IEnumerable<string> files) =>
        [.. files.Select(file => (Name: Path.GetFileNameWithoutExtension(file), Text: File.ReadAllText(file))).OrderBy(file => file.Text[..40], StringComparer.Ordinal).SelectMany(file => Parse(file.Name, file.Text))];

    private static IEnumerable<Exchange> Parse(string name, string text)
    {
        var lines = text.Split('\n');
        Body request = new("", null, Cut: false);
        for (var i = 0; i < lines.Length; i++)
        {
            if (lines[i].Contains("\"Request Body\"", StringComparison.Ordinal)) request = ReadBody(lines, ref i);
            var match = RequestLine().Match(lines[i]);
            if (!match.Success) continue;
            var (method, path) = (match.Groups["method"].Value, match.Groups["path"].Value);
            var headers = ReadHeaders(lines, ref i);
            while (i < lines.Length && !lines[i].Contains("Response Status:", StringComparison.Ordinal)) i++;
            var status = int.Parse(lines[i].Split("Response Status: ")[1][..3], CultureInfo.InvariantCulture);
            var responseHeaders = ReadHeaders(lines, ref i);
            Body response = new("", null, Cut: false);
            if (i + 1 < lines.Length && lines[i + 1].Contains("\"Response Body\"", StringComparison.Ordinal))
            {
                i++;
                response = ReadBody(lines, ref i);
            }

            yield return new(name, method, path, headers, request, status, responseHeaders, response);
            request = new("", null, Cut: false);
        }
    }

    private static Dictionary<string, string> ReadHeaders(string[] lines, ref int i)
    {
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        i++;
        if (i < lines.Length && lines[i].EndsWith("Headers:", StringComparison.Ordinal)) i++;
        for (; i < lines.Length && HeaderLine().Match(lines[i]) is { Success: true } match; i++) headers[match.Groups["name"].Value] = match.Groups["value"].Value.Trim();
        i--;
        return headers;
    }

    private static Body ReadBody(string[] lines, ref int i)
    {
        var inline = lines[i][(lines[i].IndexOf("body=", StringComparison.Ordinal) + 5)..];
        string content;
        if (inline != "<") content = Unquote(inline);
        else
        {
            var parts = new List<string>();
            while (lines[++i] != " >") parts.Add(lines[i].StartsWith('\t') ? lines[i][1..] : lines[i]);
            content = string.Join('\n', parts);
        }

        var cut = Truncated().Match(content);
        if (cut.Success) content = content[..cut.Index];
        if (!content.StartsWith("00000000 ", StringComparison.Ordinal)) return new(content, null, cut.Success);
        byte[] bytes = [.. content.Split('\n').Where(line => line.Length > 10).SelectMany(line => line[10..Math.Min(line.Length, 60)].Split('|')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries)).Select(hex => byte.Parse(hex, NumberStyles.HexNumber, CultureInfo.InvariantCulture))];
        return new("", bytes, cut.Success);
    }

    private static string Unquote(string text)
    {
        var inner = text.StartsWith('"') ? text[1..].TrimEnd('"') : text;
        return Escape().Replace(inner, match => match.Value switch { "\\n" => "\n", "\\t" => "\t", var other => other[1..] });
    }

    [GeneratedRegex(@"\] (?<method>GET|POST|PUT|PATCH|DELETE) https://[^/]+(?<path>/\S*)$", RegexOptions.NonBacktracking)]
    private static partial Regex RequestLine();

    [GeneratedRegex(@"\]     (?<name>[A-Za-z0-9-]+): (?<value>.*)$", RegexOptions.NonBacktracking)]
    private static partial Regex HeaderLine();

    [GeneratedRegex(@" \[truncated \d+ chars\]", RegexOptions.NonBacktracking)]
    private static partial Regex Truncated();

    [GeneratedRegex(@"\\.", RegexOptions.NonBacktracking)]
    private static partial Regex Escape();
}
