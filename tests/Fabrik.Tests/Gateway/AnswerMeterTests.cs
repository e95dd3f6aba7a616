using System.Text;
using Fabrik.Gateway;
using Fabrik.Gateway.Metering;

namespace Fabrik.Tests.Gateway;

public sealed class AnswerMeterTests
{
    private static readonly string[] Names = ["id", "object", "model", "choices", "delta", "content", "text", "usage", "error", "tool_calls", "arguments", "service_tier", "refusal", "type", "message", "code", "index", "usa\\u0067e", "a\\\"b"];
    private static readonly string[] Values = ["\"gpt-4o-mini\"", "\"words in it\"", "\"a \\\"usage\\\": {} in text\"", "\"\"", "\"größer\"", "null", "1", "true", "{}", "[]", "{\"prompt_tokens\":3,\"completion_tokens\":5}", "\"default\"", "\"content_block_delta\""];

    [Theory]
    [InlineData(Operation.Chat, WireFormat.OpenAi)]
    [InlineData(Operation.Responses, WireFormat.OpenAi)]
    [InlineData(Operation.Messages, WireFormat.Anthropic)]
    public void However_an_event_is_spaced_it_means_the_same(Operation operation, WireFormat format)
    {
        var random = new Random(20261127);
        var content = 0;
        for (var round = 0; round < 100_000; round++)
        {
            var close = Event(random, operation);
            var wide = close.Replace("\\\":", "@", StringComparison.Ordinal).Replace("\":", "\" :", StringComparison.Ordinal).Replace("@", "\\\":", StringComparison.Ordinal);
            var (left, right) = (Meter(operation, format), Meter(operation, format));
            var kind = Read(left, close);
            Read(right, wide).ShouldBe(kind, close);
            right.OutputBytes.ShouldBe(left.OutputBytes, close);
            right.ServedModel.ShouldBe(left.ServedModel, close);
            right.ServiceTier.ShouldBe(left.ServiceTier, close);
            right.Error.ShouldBe(left.Error, close);
            right.Usage.Counts(format).ShouldBe(left.Usage.Counts(format), close);
            (right.NullUsageAt is null).ShouldBe(left.NullUsageAt is null, close);
            if (left.NullUsageAt is { } at) Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(close)[at]).Replace("\\u0067", "g", StringComparison.Ordinal).TrimStart(',').ShouldBe("\"usage\":null");
            if (kind == EventKind.Content && left.OutputBytes > 0) content++;
        }

        content.ShouldBeGreaterThan(5_000);
    }

    [Theory]
    [InlineData("""{"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"word"}}],"usage":null,"obfuscation":"aB3"}""", 4)]
    [InlineData("""{"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]}}]}""", 7)]
    public void A_chunk_with_words_is_content_and_its_text_is_counted_as_written(string chunk, int bytes)
    {
        var meter = Meter(Operation.Chat, WireFormat.OpenAi);
        var before = meter.OutputBytes;
        Read(meter, chunk).ShouldBe(EventKind.Content);
        (meter.OutputBytes - before).ShouldBe(bytes);
    }

    [Fact]
    public void A_text_that_looks_like_a_usage_is_text()
    {
        var meter = Meter(Operation.Chat, WireFormat.OpenAi);
        Read(meter, """{"model":"gpt-4o-mini","choices":[{"delta":{"content":"\"usage\":{\"prompt_tokens\":9}"}}]}""").ShouldBe(EventKind.Content);
        meter.Usage.HasInput.ShouldBeFalse();
    }

    private static AnswerMeter Meter(Operation operation, WireFormat format)
    {
        var meter = new AnswerMeter(format, operation);
        if (operation == Operation.Chat) Read(meter, """{"model":"gpt-4o-mini","service_tier":"default","choices":[{"delta":{"role":"assistant"}}]}""");
        return meter;
    }

    private static EventKind Read(AnswerMeter meter, string data) => meter.Read(new SseEvent { Data = Encoding.UTF8.GetBytes(data) });

    /// <summary>Mostly as providers write them, with something odd in it now and then, and sometimes cut off.</summary>
    private static string Event(Random random, Operation operation)
    {
        var members = new List<string>();
        if (operation != Operation.Chat) members.Add($"\"type\":\"{(random.Next(4) switch { 0 => "content_block_delta", 1 => "response.output_text.delta", 2 => "message_delta", _ => "error" })}\"");
        var words = random.Next(2) == 0 ? "\"some \\\"words\\\"\"" : "\"\"";
        members.Add(operation == Operation.Chat
            ? $"\"model\":\"gpt-4o-mini\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{words}{(random.Next(4) == 0 ? "," + Member(random) : "")}}}}}]"
            : random.Next(2) == 0 ? $"\"delta\":{words}" : $"\"delta\":{{\"type\":\"text_delta\",\"text\":{words}}}");
        while (random.Next(3) == 0) members.Insert(random.Next(members.Count + 1), Member(random));
        if (operation == Operation.Chat && random.Next(3) == 0) members.Add("\"usage\":null");
        var text = $"{{{string.Join(",", members)}}}";
        return random.Next(20) == 0 ? text[..random.Next(text.Length)] : text;
    }

    private static string Member(Random random) => $"\"{Names[random.Next(Names.Length)]}\":{Values[random.Next(Values.Length)]}";
}
