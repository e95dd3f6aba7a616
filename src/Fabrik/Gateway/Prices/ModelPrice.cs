namespace Fabrik.Gateway.Prices;

/// <summary>What a million tokens of each class cost with one model. A cache class without a price costs what input costs, never nothing.</summary>
public record TokenPrices
{
    public decimal Input { get; set; }
    public decimal Output { get; set; }
    public decimal? CacheRead { get; set; }
    public decimal? CacheWrite { get; set; }
    public decimal? CacheWriteHour { get; set; }

    internal decimal Of(in TokenCounts tokens) =>
        (tokens.Input * Input) + (tokens.CacheRead * (CacheRead ?? Input)) + (tokens.CacheWrite * (CacheWrite ?? Input))
        + (tokens.CacheWriteHour * (CacheWriteHour ?? CacheWrite ?? Input)) + (tokens.Output * Output);

    internal decimal DearestInput => Math.Max(Math.Max(Input, CacheRead ?? 0), Math.Max(CacheWrite ?? 0, CacheWriteHour ?? 0));
}

/// <summary>Prices of a call that reads more than so many tokens, from a cache or not: then all of it costs this.</summary>
public sealed record PriceStep : TokenPrices
{
    public long Tokens { get; set; }
}

/// <summary>A row of the price book.</summary>
public sealed record ModelPrice : TokenPrices
{
    public required string Name { get; set; }
    public IReadOnlyList<PriceStep> Above { get; set; } = [];

    /// <summary>A thousand searches of the web that the provider makes.</summary>
    public decimal WebSearch { get; set; }

    /// <summary>Tokens that one answer can have; null where not known.</summary>
    public long? MaxOutput { get; set; }

    /// <summary>Where the prices are from, for people.</summary>
    public string? Source { get; set; }

    /// <summary>The ceiling for models that the book does not know.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsUnknown { get; init; }

    internal TokenPrices For(long allInput)
    {
        TokenPrices prices = this;
        var above = -1L;
        foreach (var step in Above)
            if (allInput > step.Tokens && step.Tokens > above) (prices, above) = (step, step.Tokens);
        return prices;
    }
}
