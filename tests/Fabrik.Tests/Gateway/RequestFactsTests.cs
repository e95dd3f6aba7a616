using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Gateway;
using Fabrik.Gateway.Wire;
using FsCheck;
using FsCheck.Fluent;

namespace Fabrik.Tests.Gateway;

public sealed class RequestFactsTests
{
    [Theory]
    [InlineData("""{"model":"m","stream":true}""", """{"stream_options":{"include_usage":true},"model":"m","stream":true}""")]
    [InlineData("""{ "model" : "m", "stream":true,"stream_options":{ }}""", """{ "model" : "m", "stream":true,"stream_options":{"include_usage":true }}""")]
    [InlineData("""{"model":"m","stream":true,"stream_options":{"include_obfuscation":false}}""", """{"model":"m","stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}""")]
    [InlineData("""{"model":"m","stream":true,"stream_options":{"include_usage":false}}""", """{"model":"m","stream":true,"stream_options":{"include_usage":true}}""")]
    [InlineData("""{"model":"m","stream":true,"stream_options":null}""", """{"model":"m","stream":true,"stream_options":{"include_usage":true}}""")]
    [InlineData("""{"model":"m","stream":true,"stream_options":{"include_usage":true}}""", null)]
    [InlineData("""{"model":"m","stream":false}""", null)]
    [InlineData("""{"model":"m"}""", null)]
    public void A_chat_stream_is_asked_for_its_usage_and_nothing_else_is_touched(string body, string? sent) => Rewritten(Operation.Chat, body, null).ShouldBe(sent);

    [Theory]
    [InlineData("""{"model":"m","input":"x"}""", """{"store":false,"model":"m","input":"x"}""")]
    [InlineData("""{"model":"m","input":"x","store":false}""", null)]
    public void A_response_is_never_stored(string body, string? sent) => Rewritten(Operation.Responses, body, null).ShouldBe(sent);

    [Theory]
    [InlineData("""{"model":"fast","messages":[{"model":"fast"}]}""", """{"model":"gpt-4o-mini","messages":[{"model":"fast"}]}""")]
    [InlineData("""{"mod\u0065l" : "fast"}""", """{"mod\u0065l" : "gpt-4o-mini"}""")]
    public void An_alias_is_rewritten_where_it_stands(string body, string sent) => Rewritten(Operation.Messages, body, "gpt-4o-mini").ShouldBe(sent);

    [Theory]
    [InlineData(Operation.Responses, """{"model":"m","store":true}""")]
    [InlineData(Operation.Responses, """{"model":"m","previous_response_id":"resp_1"}""")]
    [InlineData(Operation.Responses, """{"model":"m","conversation":{"id":"conv_1"}}""")]
    [InlineData(Operation.Responses, """{"model":"m","background":true}""")]
    [InlineData(Operation.Responses, """{"model":"m","tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]}""")]
    [InlineData(Operation.Chat, """{"model":"m","messages":[{"content":[{"type":"file","file":{"file_id":"file-abc"}}]}]}""")]
    [InlineData(Operation.Messages, """{"model":"m","messages":[{"content":[{"type":"document","source":{"type":"file","file_id":"file_abc"}}]}]}""")]
    public void What_is_stored_under_a_shared_key_is_refused(Operation operation, string body) => Read(operation, body).Refused.ShouldNotBeNull();

    [Theory]
    [InlineData(Operation.Responses, """{"model":"m","previous_response_id":null,"store":false,"background":false}""")]
    [InlineData(Operation.Chat, """{"model":"m","tools":[{"function":{"parameters":{"properties":{"file_id":{"type":"string"}}}}}]}""")]
    public void What_only_looks_like_it_is_not(Operation operation, string body) => Read(operation, body).Refused.ShouldBeNull();

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"model":""}""")]
    [InlineData("""{"model":5}""")]
    [InlineData("""{"model":"a","model":"b"}""")]
    [InlineData("""{"model":"a"} {"model":"b"}""")]
    [InlineData("""{"model":"a" """)]
    public void A_body_that_two_readers_could_read_in_two_ways_is_refused(string body) => Should.Throw<FormatException>(() => Read(Operation.Chat, body)).Message.ShouldStartWith("The request");

    [Theory]
    [InlineData("""{"model":"m","max_tokens":100}""", 100)]
    [InlineData("""{"model":"m","max_completion_tokens":100,"n":3}""", 300)]
    [InlineData("""{"model":"m","max_tokens":100,"max_completion_tokens":200}""", 200)]
    [InlineData("""{"model":"m","max_tokens":-5}""", null)]
    [InlineData("""{"model":"m","max_tokens":"many"}""", null)]
    public void The_most_that_can_be_generated_is_known_before(string body, int? most) => Read(Operation.Chat, body).MaxOutput.ShouldBe(most);

    [Fact]
    public void Any_json_is_read_or_refused_and_what_is_rewritten_means_the_same_but_for_what_was_put_in()
    {
        var values = Gen.Elements("1", "\"m\"", "null", "true", "[1,{\"a\":\"\\u00fc\"}]", "{\"include_usage\":false}", "{}", "\"\\\\\\\"\"");
        var members = from name in Gen.Elements("model", "stream", "stream_options", "messages", "n", "store", "max_tokens", "x y", "\\u006dodel") from value in values select $"\"{name}\" :{value}";
        var bodies = Gen.Elements(Enum.GetValues<Operation>()).SelectMany(operation => members.ListOf().Select(some => (operation, Body: $"{{{string.Join(", ", some)}}}")));
        Prop.ForAll(bodies.ToArbitrary(), one =>
        {
            RequestFacts facts;
            try
            {
                facts = Read(one.operation, one.Body);
            }
            catch (FormatException)
            {
                return;
            }

            if (facts.Rewrite(Encoding.UTF8.GetBytes(one.Body), "other") is not { } sent) return;
            var read = RequestFacts.Read(one.operation, sent);
            read.Model.ShouldBe("other");
            if (one.operation == Operation.Chat && facts.Stream) read.AsksForUsage.ShouldBeTrue();
            read.Rewrite(sent, "other").ShouldBeNull();
        }).QuickCheckThrowOnFailure();
    }

    private static RequestFacts Read(Operation operation, string body) => RequestFacts.Read(operation, Encoding.UTF8.GetBytes(body));

    private static string? Rewritten(Operation operation, string body, string? model) => Read(operation, body).Rewrite(Encoding.UTF8.GetBytes(body), model) is { } sent ? Encoding.UTF8.GetString(sent) : null;
}
