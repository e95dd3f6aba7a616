using System.Runtime.InteropServices;
using System.Text.Json.Serialization;

namespace Fabrik.Gateway;

/// <summary>Tokens of one call by the classes in which they are priced; each token is in one class alone, but for <paramref name="Reasoning"/>.</summary>
/// <param name="Input">Neither read from a cache nor written to one.</param>
/// <param name="CacheRead">Read from a cache.</param>
/// <param name="CacheWrite">Written to a cache that lives for five minutes, or, for OpenAI, for the provider's own time.</param>
/// <param name="CacheWriteHour">Written to a cache that lives for an hour.</param>
/// <param name="Output">All that was generated, reasoning too.</param>
/// <param name="Reasoning">Part of <paramref name="Output"/>; for people, not priced apart.</param>
/// <param name="WebSearches">Searches that the provider made, each priced.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct TokenCounts(long Input, long CacheRead, long CacheWrite, long CacheWriteHour, long Output, long Reasoning, long WebSearches)
{
    /// <summary>All that was read, from a cache or not.</summary>
    [JsonIgnore]
    public long AllInput => Input + CacheRead + CacheWrite + CacheWriteHour;

    public static TokenCounts operator +(TokenCounts one, TokenCounts other) => new(
        one.Input + other.Input, one.CacheRead + other.CacheRead, one.CacheWrite + other.CacheWrite, one.CacheWriteHour + other.CacheWriteHour, one.Output + other.Output, one.Reasoning + other.Reasoning, one.WebSearches + other.WebSearches);

    [JsonIgnore]
    public long All => AllInput + Output;
}
