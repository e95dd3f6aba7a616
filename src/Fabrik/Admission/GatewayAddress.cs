using Fabrik.Gateway;

namespace Fabrik.Admission;

/// <summary>Where runs reach the LLM gateway, and what signs their tokens.</summary>
/// <param name="Url">http or https, without query; a path before the providers' own belongs to it.</param>
/// <param name="Keys">The gateway has the same.</param>
public sealed record GatewayAddress(Uri Url, RunTokenKeys Keys)
{
    /// <summary>As they stand in JSON. OpenAI's clients take the version as part of the base, Anthropic's append it.</summary>
    internal byte[] OpenAi { get; } = Json.String(Url.AbsoluteUri.TrimEnd('/') + Names.Paths.GatewayOpenAi);
    internal byte[] Anthropic { get; } = Json.String(Url.AbsoluteUri.TrimEnd('/') + Names.Paths.GatewayAnthropic);
}
