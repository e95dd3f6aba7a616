using System.Text;
using Fabrik.Gateway;
using Fabrik.Gateway.Metering;
using FsCheck;
using FsCheck.Fluent;

namespace Fabrik.Tests.Gateway;

public sealed class SseFramerTests
{
    [Theory]
    [InlineData("data: a\n\ndata: b\n\n", "a|b")]
    [InlineData("data: a\r\n\r\ndata: b\r\n\r\n", "a|b")]
    [InlineData("data: a\r\rdata: b\r\r", "a|b")]
    [InlineData("event: x\ndata:a\ndata: b\n\n", "a\nb")]
    [InlineData(": comment\n\ndata: a\n\n", "|a")]
    [InlineData("\n\ndata: a\n\n", "||a")]
    [InlineData("data: unfinished\n", "")]
    public void Events_are_cut_at_blank_lines_however_lines_end(string text, string expected) => Data(text, text.Length).ShouldBe(expected);

    /// <summary>Cut anywhere, the same events come out and no byte is lost.</summary>
    [Fact]
    public void Wherever_a_stream_is_split_its_events_are_the_same()
    {
        var lines = Gen.Elements("data: {\"a\":1}", "event: message_stop", "data:", ": ping", "", "id: 7", "data: ü");
        var ends = Gen.Elements("\n", "\r\n");
        var streams = from end in ends from count in Gen.Choose(0, 12) from some in lines.ListOf(count) from size in Gen.Choose(1, 9) select (Text: string.Concat(some.Select(line => line + end)), Size: size);
        Prop.ForAll(streams.ToArbitrary(), one =>
        {
            // A line feed that comes apart from its carriage return is a blank line of its own, and says nothing.
            string Said(int size) => string.Join("|", Events(one.Text, size).Where(read => read.Raw.Trim().Length > 0).Select(read => read.Data));
            Said(one.Size).ShouldBe(Said(int.MaxValue));
            Raw(one.Text, one.Size).ShouldBe(one.Text);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void An_event_that_is_too_long_is_told_and_the_next_is_read()
    {
        using var framer = new SseFramer();
        ReadOnlySpan<byte> much = new byte[SseFramer.Longest + 1];
        framer.TryRead(ref much, out _).ShouldBeFalse();
        framer.Overflowed.ShouldBeTrue();
        ReadOnlySpan<byte> next = "\n\ndata: a\n\n"u8;
        framer.TryRead(ref next, out _).ShouldBeTrue();
        framer.TryRead(ref next, out _).ShouldBeTrue();
        framer.TryRead(ref next, out var read).ShouldBeTrue();
        Encoding.UTF8.GetString(read.Data).ShouldBe("a");
    }

    [Fact]
    public void Whatever_a_provider_sends_is_read_without_an_exception()
    {
        var bytes = Gen.Elements("{", "}", "[", "]", "\"usage\"", ":", ",", "null", "1e400", "-5", "\"\\ud800\"", "\"type\"", "\"message_stop\"", "\"error\"", "\"delta\"", "\"choices\"", " ").ListOf().Select(parts => "data: " + string.Concat(parts) + "\n\n");
        Prop.ForAll(bytes.ToArbitrary(), text =>
        {
            foreach (var operation in Enum.GetValues<Operation>())
                foreach (var format in Enum.GetValues<WireFormat>())
                {
                    using var framer = new SseFramer();
                    var meter = new AnswerMeter(format, operation);
                    ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(text);
                    while (framer.TryRead(ref rest, out var read)) meter.Read(read);
                    var counts = meter.Usage.Counts(format);
                    (counts.Input >= 0 && counts.Output >= 0 && counts.CacheRead >= 0).ShouldBeTrue();
                }
        }).QuickCheckThrowOnFailure();
    }

    private static string Data(string text, int size) => string.Join("|", Events(text, size).Select(one => one.Data));

    private static string Raw(string text, int size)
    {
        var events = Events(text, size);
        return string.Concat(events.Select(one => one.Raw)) + Unfinished(text, size);
    }

    private static string Unfinished(string text, int size)
    {
        using var framer = new SseFramer();
        foreach (var chunk in Encoding.UTF8.GetBytes(text).Chunk(size))
        {
            ReadOnlySpan<byte> rest = chunk;
            while (framer.TryRead(ref rest, out _))
            {
            }
        }

        return Encoding.UTF8.GetString(framer.Unfinished);
    }

    private static List<(string Raw, string Data)> Events(string text, int size)
    {
        using var framer = new SseFramer();
        var found = new List<(string, string)>();
        foreach (var chunk in Encoding.UTF8.GetBytes(text).Chunk(size))
        {
            ReadOnlySpan<byte> rest = chunk;
            while (framer.TryRead(ref rest, out var read)) found.Add((Encoding.UTF8.GetString(read.Raw), Encoding.UTF8.GetString(read.Data)));
        }

        return found;
    }
}
