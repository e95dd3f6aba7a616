using System.Text.Encodings.Web;
using System.Text.Json;

namespace Fabrik.Cli.Output;

/// <summary>Prints objects in the form the caller asked for.</summary>
public sealed class Printer(Terminal terminal, OutputFormat format, bool headers)
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="items">The rows.</param>
    /// <param name="columns">For table and wide.</param>
    /// <param name="name">For name: kind/name.</param>
    /// <param name="empty">Message on the error stream when there is nothing.</param>
    public void List(IReadOnlyList<JsonElement> items, IReadOnlyList<Column> columns, Func<JsonElement, string> name, string empty)
    {
        switch (format)
        {
            case OutputFormat.Json:
            case OutputFormat.Yaml:
                Structured(writer =>
                {
                    writer.WriteStartObject();
                    writer.WriteStartArray("items");
                    foreach (var item in items) item.WriteTo(writer);
                    writer.WriteEndArray();
                    writer.WriteEndObject();
                });
                break;
            case OutputFormat.Name:
                foreach (var item in items) terminal.Out.WriteLine(name(item));
                break;
            default:
                if (items.Count == 0) terminal.Error.WriteLine(empty);
                var shown = columns.Where(column => !column.Wide || format == OutputFormat.Wide).ToArray();
                if (items.Count > 0)
                    TableWriter.Write(terminal, [.. shown.Select(column => column.Header)], items.Select(item => shown.Select(column => column.Cell(item) ?? "-").ToArray()), headers, [.. shown.Select(column => column.Colour)]);
                break;
        }
    }

    /// <param name="details">For table and wide: label and text, a null text is left out.</param>
    public void One(JsonElement item, IEnumerable<(string Label, string? Text)> details, string name)
    {
        switch (format)
        {
            case OutputFormat.Json:
            case OutputFormat.Yaml:
                Structured(item.WriteTo);
                break;
            case OutputFormat.Name:
                terminal.Out.WriteLine(name);
                break;
            default:
                var lines = details.Where(line => line.Text is not null).ToArray();
                var width = lines.Max(line => line.Label.Length) + 3;
                foreach (var (label, text) in lines)
                    terminal.Out.WriteLine(label.Length == 0 ? string.Empty : $"{label + ":"}".PadRight(width) + TableWriter.WithoutControls(text!.ReplaceLineEndings("\n"), lines: true).ReplaceLineEndings(Environment.NewLine + new string(' ', width)));
                break;
        }
    }

    /// <summary>What was written: one line such as "kind/name approved", or the object as it is now.</summary>
    public void Done(JsonElement item, string name, string what)
    {
        if (format is OutputFormat.Json or OutputFormat.Yaml) Structured(item.WriteTo);
        else terminal.Out.WriteLine(format == OutputFormat.Name ? name : $"{name} {what}");
    }

    private void Structured(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, Indented)) write(writer);
        if (format == OutputFormat.Json)
        {
            terminal.Out.WriteLine(global::System.Text.Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
            return;
        }

        using var document = JsonDocument.Parse(buffer.GetBuffer().AsMemory(0, (int)buffer.Length));
        YamlWriter.Write(terminal.Out, document.RootElement);
    }
}
