using System.Text.Json;

namespace Fabrik.Sandbox.Models;

/// <summary>OpenAI's chat completions.</summary>
internal static class ChatText
{
    public static string Whole(Asked call) =>
        $$$"""{"id":"chatcmpl-1","object":"chat.completion","created":1789000000,"model":"{{{call.Model}}}","choices":[{"index":0,"message":{"role":"assistant","content":"{{{call.Text}}}","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{{{Usage(call)}}},"service_tier":"default"}""";

    public static IEnumerable<(string Event, long Output)> Events(Asked call)
    {
        var none = call.WantsUsage ? ",\"usage\":null" : "";
        yield return (Chunk(call, "{\"role\":\"assistant\",\"content\":\"\"}", "null", none), 0);
        var count = 0;
        foreach (var word in call.Words) yield return (Chunk(call, $"{{\"content\":\"{word}\"}}", "null", none), ++count);
        yield return (Chunk(call, "{}", "\"stop\"", none), count);
        if (call.WantsUsage) yield return ($"data: {{{Head(call)},\"choices\":[],\"usage\":{Usage(call)}}}\n\n", count);
        yield return ("data: [DONE]\n\n", count);
    }

    private static string Chunk(Asked call, string delta, string finish, string usage) => $"data: {{{Head(call)},\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]{usage}}}\n\n";

    private static string Head(Asked call) => $"\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1789000000,\"model\":\"{call.Model}\",\"service_tier\":\"default\"";

    private static string Usage(Asked call) => $$$$"""{"prompt_tokens":{{{{call.Input}}}},"completion_tokens":{{{{call.Output}}}},"total_tokens":{{{{call.Input + call.Output}}}},"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}""";
}

/// <summary>OpenAI's responses.</summary>
internal static class ResponsesText
{
    public static string Whole(Asked call) => Response(call, "completed", Usage(call), call.Text);

    public static IEnumerable<(string Event, long Output)> Events(Asked call)
    {
        yield return (Event("response.created", $"\"response\":{Response(call, "in_progress", "null", "")}", 0), 0);
        yield return (Event("response.output_item.added", "\"output_index\":0,\"item\":{\"id\":\"msg_1\",\"type\":\"message\",\"status\":\"in_progress\",\"content\":[],\"role\":\"assistant\"}", 1), 0);
        yield return (Event("response.content_part.added", "\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"output_text\",\"annotations\":[],\"text\":\"\"}", 2), 0);
        var count = 0;
        foreach (var word in call.Words) yield return (Event("response.output_text.delta", $"\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\"{word}\"", count + 3), ++count);
        yield return (Event("response.completed", $"\"response\":{Response(call, "completed", Usage(call), call.Text)}", count + 3), count);
    }

    private static string Event(string type, string members, int number) => $"event: {type}\ndata: {{\"type\":\"{type}\",\"sequence_number\":{number},{members}}}\n\n";

    private static string Response(Asked call, string status, string usage, string text) =>
        $$$"""{"id":"resp_1","object":"response","created_at":1789000000,"status":"{{{status}}}","error":null,"model":"{{{call.Model}}}","output":[{"id":"msg_1","type":"message","status":"{{{status}}}","role":"assistant","content":[{"type":"output_text","annotations":[],"text":"{{{text}}}"}]}],"usage":{{{usage}}},"service_tier":"default","store":false}""";

    private static string Usage(Asked call) => $$"""{"input_tokens":{{call.Input}},"input_tokens_details":{"cached_tokens":0},"output_tokens":{{call.Output}},"output_tokens_details":{"reasoning_tokens":0},"total_tokens":{{call.Input + call.Output}}}""";
}

/// <summary>Anthropic's messages.</summary>
internal static class AnthropicText
{
    public static string Whole(Asked call) =>
        $$$"""{"id":"msg_1","type":"message","role":"assistant","model":"{{{call.Model}}}","content":[{"type":"text","text":"{{{call.Text}}}"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{{Usage(call, call.Output)}}}}""";

    public static IEnumerable<(string Event, long Output)> Events(Asked call)
    {
        yield return (Event("message_start", $$$$"""{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"{{{{call.Model}}}}","content":[],"stop_reason":null,"stop_sequence":null,"usage":{{{{Usage(call, 1)}}}}}}"""), 0);
        yield return (Event("content_block_start", """{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"""), 0);
        yield return (Event("ping", """{"type":"ping"}"""), 0);
        var count = 0;
        foreach (var word in call.Words) yield return (Event("content_block_delta", $$$$"""{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":{{{{JsonSerializer.Serialize(word)}}}}}}"""), ++count);
        yield return (Event("content_block_stop", """{"type":"content_block_stop","index":0}"""), count);
        yield return (Event("message_delta", $$$$"""{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":{{{{call.Output}}}}}}"""), count);
        yield return (Event("message_stop", """{"type":"message_stop"}"""), count);
    }

    private static string Event(string name, string data) => $"event: {name}\ndata: {data}\n\n";

    private static string Usage(Asked call, long output) => $$"""{"input_tokens":{{call.Input}},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":{{output}},"service_tier":"standard"}""";
}
