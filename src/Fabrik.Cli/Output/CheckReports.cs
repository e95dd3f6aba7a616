using System.Text.Encodings.Web;
using System.Text.Json;
using System.Xml;
using Fabrik.Checks;

namespace Fabrik.Cli.Output;

/// <summary>Results of checks for programs.</summary>
internal static class CheckReports
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Json(CheckBook book)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Indented))
        {
            json.WriteStartObject();
            json.WriteString("phase", book.Phase == CheckPhase.Before ? "pre" : "health");
            json.WriteStartObject("summary");
            foreach (var status in Enum.GetValues<CheckStatus>()) json.WriteNumber(Word(status), book.Count(status));
            json.WriteEndObject();
            json.WriteStartArray("checks");
            foreach (var result in book.Results)
            {
                json.WriteStartObject();
                json.WriteString("id", result.Id);
                json.WriteString("category", result.Category);
                json.WriteString("title", result.Title);
                json.WriteString("status", Word(result.Status));
                if (result.Detail is not null) json.WriteString("detail", result.Detail);
                if (result.Next is not null) json.WriteString("next", result.Next);
                json.WriteString("see", result.Anchor);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>As CI systems read it: a suite for each category. What is unproven is skipped there, and says so; a warning is text beside a passed case.</summary>
    public static string Junit(CheckBook book)
    {
        using var text = new StringWriter();
        using (var xml = XmlWriter.Create(text, new XmlWriterSettings { Indent = true, OmitXmlDeclaration = true, CheckCharacters = false }))
        {
            xml.WriteStartElement("testsuites");
            xml.WriteAttributeString("name", "fabrik check");
            Counts(xml, book.Results);
            foreach (var category in book.Results.GroupBy(result => result.Category, StringComparer.Ordinal))
            {
                xml.WriteStartElement("testsuite");
                xml.WriteAttributeString("name", category.Key);
                Counts(xml, [.. category]);
                foreach (var result in category) Case(xml, result);
                xml.WriteEndElement();
            }

            xml.WriteEndElement();
        }

        return text.ToString();
    }

    private static void Case(XmlWriter xml, CheckResult result)
    {
        xml.WriteStartElement("testcase");
        xml.WriteAttributeString("classname", $"fabrik.{result.Category}");
        xml.WriteAttributeString("name", $"{result.Id} {result.Title}");
        var cause = Clean(result.Detail ?? "");
        var whole = $"{cause}\nnext: {Clean(result.Next ?? "-")}\nsee:  {result.Anchor}";
        switch (result.Status)
        {
            case CheckStatus.Failed:
                xml.WriteStartElement("failure");
                xml.WriteAttributeString("type", result.Id);
                xml.WriteAttributeString("message", cause);
                xml.WriteString(whole);
                xml.WriteEndElement();
                break;
            case CheckStatus.Skipped or CheckStatus.Unproven:
                xml.WriteStartElement("skipped");
                xml.WriteAttributeString("message", result.Status == CheckStatus.Unproven ? $"unproven: {cause}" : cause);
                xml.WriteEndElement();
                break;
            case CheckStatus.Warning:
                xml.WriteElementString("system-out", $"warning: {whole}");
                break;
        }

        xml.WriteEndElement();
    }

    private static void Counts(XmlWriter xml, IReadOnlyList<CheckResult> results)
    {
        xml.WriteAttributeString("tests", XmlConvert.ToString(results.Count));
        xml.WriteAttributeString("failures", XmlConvert.ToString(results.Count(result => result.Status == CheckStatus.Failed)));
        xml.WriteAttributeString("skipped", XmlConvert.ToString(results.Count(result => result.Status is CheckStatus.Skipped or CheckStatus.Unproven)));
    }

    /// <summary>XML has no way to write control characters.</summary>
    private static string Clean(string text) => new([.. TableWriter.WithoutControls(text, lines: true).Select(one => XmlConvert.IsXmlChar(one) ? one : '\uFFFD')]);

    private static string Word(CheckStatus status) => status.ToString().ToLowerInvariant();
}
