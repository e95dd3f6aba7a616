using System.Text.Json;
using Fabrik.Cli.Output;
using YamlDotNet.Serialization;

namespace Fabrik.Tests.Cli;

public class OutputTests
{
    private static readonly string[] Headers = ["NAME", "REASON"];
    private static readonly string[][] Rows = [["one", "short"], ["two", new string('x', 100)]];

    [Fact]
    public void A_pipe_gets_every_row_whole_on_one_line()
    {
        var lines = Print(new Terminal(new StringWriter(), TextWriter.Null) { Width = 20 });

        lines.Length.ShouldBe(3);
        lines[0].ShouldBe("NAME   REASON");
        lines[2].ShouldBe("two    " + new string('x', 100));
    }

    [Fact]
    public void A_terminal_gets_rows_that_fit_its_width()
    {
        var lines = Print(new Terminal(new StringWriter(), TextWriter.Null) { Interactive = true, Width = 40 });

        lines.ShouldAllBe(line => line.Length <= 40);
        lines[2].ShouldEndWith("…");
    }

    [Fact]
    public void Colours_do_not_shift_columns_and_stay_away_without_a_terminal()
    {
        Func<string, string>?[] colours = [Colours.Red, null];
        var plain = Print(new Terminal(new StringWriter(), TextWriter.Null), colours);
        var coloured = Print(new Terminal(new StringWriter(), TextWriter.Null) { Colours = true }, colours);

        plain.ShouldAllBe(line => !line.Contains('\e'));
        coloured[1].ShouldBe("\e[31mone\e[0m    short");
    }

    [Fact]
    public void A_word_that_is_cut_keeps_its_colour()
    {
        var output = new StringWriter();

        TableWriter.Write(new Terminal(output, TextWriter.Null) { Interactive = true, Colours = true, Width = 30 }, ["NAME", "PHASE"], [["a-name-of-some-length", "experiment_running"]], colours: [null, Colours.Phase]);

        output.ToString().ShouldContain("\e[36mexperim…\e[0m");
    }

    [Fact]
    public void Control_characters_of_foreign_text_never_reach_the_terminal()
    {
        var output = new StringWriter();

        TableWriter.Write(new Terminal(output, TextWriter.Null), ["NAME"], [["evil\e[2J\nname"]]);

        output.ToString().ShouldNotContain("\e");
        output.ToString().TrimEnd().Split('\n').Length.ShouldBe(2);
    }

    [Theory]
    [InlineData(45, "45s")]
    [InlineData(119, "119s")]
    [InlineData(330, "5m30s")]
    [InlineData(600, "10m")]
    [InlineData(3 * 3600 + 720, "3h12m")]
    [InlineData(9 * 3600, "9h")]
    [InlineData(2 * 86400 + 4 * 3600, "2d4h")]
    [InlineData(30 * 86400, "30d")]
    [InlineData(-5, "0s")]
    public void Ages_read_as_kubectl_shortens_them(int seconds, string expected) => Age.Of(TimeSpan.FromSeconds(seconds)).ShouldBe(expected);

    [Fact]
    public void Yaml_reads_back_as_the_same_values_with_the_same_types()
    {
        const string json = """{"name":"a: b","number":3,"yes":true,"nothing":null,"looks":["true","null","0x10","1e3","3","~","","- x","#c","no","2026-11-20"],"text":"two\nlines\n","empty":{},"none":[],"deep":[{"a":[1.5]}]}""";
        using var document = JsonDocument.Parse(json);
        var yaml = new StringWriter();
        YamlWriter.Write(yaml, document.RootElement);

        var back = new SerializerBuilder().JsonCompatible().Build()
            .Serialize(new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build().Deserialize(new StringReader(yaml.ToString())));

        using var read = JsonDocument.Parse(back!);
        JsonElement.DeepEquals(document.RootElement, read.RootElement).ShouldBeTrue(yaml + back);
    }

    private static string[] Print(Terminal terminal, IReadOnlyList<Func<string, string>?>? colours = null)
    {
        TableWriter.Write(terminal, Headers, Rows, colours: colours);
        return terminal.Out.ToString()!.TrimEnd().ReplaceLineEndings("\n").Split('\n');
    }
}
