using System.Text.Json.Serialization;
using Fabrik.Experiments;

namespace Fabrik.Gateway;

/// <summary>Whose API a call speaks; a call is never translated into another's.</summary>
[JsonConverter(typeof(WordConverter<WireFormat>))]
public enum WireFormat
{
    [JsonStringEnumMemberName("openai")]
    OpenAi,
    [JsonStringEnumMemberName("anthropic")]
    Anthropic,
}

/// <summary>What a call asks for, as far as it is metered.</summary>
[JsonConverter(typeof(WordConverter<Operation>))]
public enum Operation
{
    /// <summary>OpenAI's chat completions.</summary>
    [JsonStringEnumMemberName("chat")]
    Chat,

    /// <summary>OpenAI's responses.</summary>
    [JsonStringEnumMemberName("responses")]
    Responses,

    /// <summary>OpenAI's embeddings.</summary>
    [JsonStringEnumMemberName("embeddings")]
    Embeddings,

    /// <summary>Anthropic's messages.</summary>
    [JsonStringEnumMemberName("messages")]
    Messages,

    /// <summary>Anthropic's count of a message's tokens: free.</summary>
    [JsonStringEnumMemberName("count_tokens")]
    CountTokens,

    /// <summary>A list of models, or one of them: free.</summary>
    [JsonStringEnumMemberName("models")]
    Models,

    /// <summary>What the provider of one project is asked besides, by a path that its configuration names: what it costs is known only where the answer tells.</summary>
    [JsonStringEnumMemberName("other")]
    Other,
}
