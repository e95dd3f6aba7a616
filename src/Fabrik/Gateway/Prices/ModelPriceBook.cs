using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fabrik.Gateway.Prices;

/// <summary>What models cost: dated data, which an operator's own rows come before.</summary>
public sealed class ModelPriceBook
{
    /// <summary>Of a provider's cheaper or dearer class of service, times its standard price. OpenAI's page of prices, August 2026.</summary>
    private const decimal Flex = 0.5m;
    private const int LongestFile = 4 << 20;
    private const decimal Dearest = 100_000m;

    /// <summary>No single call without a stated or known maximum gives more.</summary>
    private const long MostOutput = 128_000;

    private readonly Dictionary<string, ModelPrice> models;
    private readonly ModelPrice ceiling;

    private ModelPriceBook(string version, string currency, IEnumerable<ModelPrice> rows, ModelPrice? ownCeiling)
    {
        (Version, Currency) = (version, currency);
        models = rows.ToDictionary(row => row.Name, StringComparer.Ordinal);
        var steps = models.Values.SelectMany(row => row.Above.Cast<TokenPrices>().Prepend(row)).ToList();
        ceiling = (ownCeiling ?? new ModelPrice
        {
            Name = "",
            Input = steps.Max(row => row.Input),
            Output = steps.Max(row => row.Output),
            CacheRead = steps.Max(row => row.CacheRead ?? 0),
            CacheWrite = steps.Max(row => row.CacheWrite ?? 0),
            CacheWriteHour = steps.Max(row => row.CacheWriteHour ?? 0),
            Source = "the dearest of every class: the model is in no price book",
        }) with
        { IsUnknown = true };
    }

    /// <summary>What Fabrik ships.</summary>
    public static ModelPriceBook Default { get; } = Shipped();

    /// <summary>Of the file, and of an operator's own if there is one: kept with each row of the ledger.</summary>
    public string Version { get; }

    /// <summary>ISO 4217.</summary>
    public string Currency { get; }

    public IEnumerable<ModelPrice> Models => models.Values;

    /// <summary>The same with an operator's own rows, which come before.</summary>
    /// <exception cref="FormatException">They cannot be used; the message says which and why.</exception>
    public ModelPriceBook With(ReadOnlySpan<byte> json)
    {
        var file = Read(json);
        if (file.Currency is { } currency && currency != Currency) throw new FormatException($"The prices are in {currency}, those that Fabrik ships in {Currency}: one ledger cannot hold both.");
        var rows = new Dictionary<string, ModelPrice>(models, StringComparer.Ordinal);
        foreach (var row in file.Models) rows[row.Name] = row;
        return new ModelPriceBook($"{Version}+{Convert.ToHexStringLower(SHA256.HashData(json).AsSpan(0, 4))}", Currency, rows.Values, file.Unknown);
    }

    /// <summary>The row for a model: by its name, or by its name without a date or <c>-latest</c> behind it. Null where there is none.</summary>
    public ModelPrice? Find(string model)
    {
        if (models.TryGetValue(model, out var row)) return row;
        return Base(model) is { } name && models.TryGetValue(name, out row) ? row : null;
    }

    /// <summary>By the model that answered, else the one that was asked, else the ceiling for what nobody knows.</summary>
    public ModelPrice Of(string? served, string asked) => (served is null ? null : Find(served)) ?? Find(asked) ?? ceiling;

    /// <summary>Millionths of <see cref="Currency"/>, rounded once.</summary>
    public static long MicrosOf(ModelPrice price, in TokenCounts tokens, string? serviceTier)
    {
        // Per million tokens, so the sum of tokens times prices is millionths already.
        var micros = price.For(tokens.AllInput).Of(tokens);
        if (serviceTier is "flex" or "batch") micros *= Flex;
        micros += tokens.WebSearches * price.WebSearch * 1000;
        return (long)Math.Round(micros, MidpointRounding.AwayFromZero);
    }

    /// <summary>Tokens that a call can generate at most.</summary>
    /// <param name="output">That it asks for; null: what the model can give.</param>
    public static long MostOutputOf(ModelPrice price, long? output) => Math.Min(output ?? long.MaxValue, price.MaxOutput ?? output ?? MostOutput);

    /// <summary>What a call can cost at most.</summary>
    /// <param name="input">Tokens; it cannot read more.</param>
    /// <param name="output">Tokens; null: what the model can give.</param>
    public static long MostMicros(ModelPrice price, long input, long? output)
    {
        var most = MostOutputOf(price, output);
        var micros = 0m;
        foreach (var step in price.Above.Cast<TokenPrices>().Prepend(price))
            if (step is not PriceStep above || input > above.Tokens) micros = Math.Max(micros, (input * step.DearestInput) + (most * step.Output));
        return (long)Math.Ceiling(micros);
    }

    /// <summary>A date of eight digits or with dashes, or <c>-latest</c>, at the end: nothing else is left out, so a smaller model is never taken for its larger one.</summary>
    private static string? Base(string model)
    {
        const string latest = "-latest";
        if (model.EndsWith(latest, StringComparison.Ordinal)) return model[..^latest.Length];
        if (model.Length > 9 && model[^9] == '-' && IsDigits(model.AsSpan(model.Length - 8))) return model[..^9];
        return model.Length > 11 && model[^11] == '-' && model[^6] == '-' && model[^3] == '-' && IsDigits(model.AsSpan(model.Length - 10, 4)) && IsDigits(model.AsSpan(model.Length - 5, 2)) && IsDigits(model.AsSpan(model.Length - 2)) ? model[..^11] : null;
    }

    private static bool IsDigits(ReadOnlySpan<char> text) => !text.ContainsAnyExceptInRange('0', '9');

    private static ModelPriceBook Shipped()
    {
        using var stream = typeof(ModelPriceBook).Assembly.GetManifestResourceStream("model-prices.json")!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        var file = Read(bytes);
        return new ModelPriceBook(file.Version!, file.Currency!, file.Models, file.Unknown);
    }

    private static PriceFile Read(ReadOnlySpan<byte> json)
    {
        if (json.Length > LongestFile) throw new FormatException($"The prices are longer than {LongestFile >> 20} MiB.");
        PriceFile file;
        try
        {
            file = JsonSerializer.Deserialize(json, PricesJson.Default.PriceFile) ?? throw new FormatException("The prices are empty.");
        }
        catch (JsonException e)
        {
            throw new FormatException($"The prices cannot be read: {e.Message}", e);
        }

        foreach (var row in file.Unknown is null ? file.Models : file.Models.Append(file.Unknown))
            foreach (var prices in row.Above.Cast<TokenPrices>().Prepend(row))
                foreach (var price in (ReadOnlySpan<decimal>)[prices.Input, prices.Output, prices.CacheRead ?? 0, prices.CacheWrite ?? 0, prices.CacheWriteHour ?? 0])
                    if (price is < 0 or > Dearest) throw new FormatException($"{row.Name} has a price of {price} for a million tokens; it must be from 0 to {Dearest}.");
        if (file.Models.GroupBy(row => row.Name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice) throw new FormatException($"{twice.Key} stands there twice.");
        return file;
    }
}

/// <summary>The form of a file of prices.</summary>
internal sealed record PriceFile
{
    public string? Version { get; set; }
    public string? Currency { get; set; }
    public IReadOnlyList<ModelPrice> Models { get; set; } = [];

    /// <summary>For models that no row is for; null: the dearest of every class.</summary>
    public ModelPrice? Unknown { get; set; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true)]
[JsonSerializable(typeof(PriceFile))]
internal sealed partial class PricesJson : JsonSerializerContext;
