namespace Fabrik.Gateway;

/// <summary>Whose API a call speaks; a call is never translated into another's.</summary>
public enum WireFormat
{
    OpenAi,
    Anthropic,
}

/// <summary>What a call asks for, as far as it is metered.</summary>
public enum Operation
{
    /// <summary>OpenAI's chat completions.</summary>
    Chat,

    /// <summary>OpenAI's responses.</summary>
    Responses,

    /// <summary>OpenAI's embeddings.</summary>
    Embeddings,

    /// <summary>Anthropic's messages.</summary>
    Messages,

    /// <summary>Anthropic's count of a message's tokens: free.</summary>
    CountTokens,

    /// <summary>A list of models, or one of them: free.</summary>
    Models,
}
