using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Fabrik.Cli.Output;
using Fabrik.Gateway;
using Fabrik.Gateway.Prices;

namespace Fabrik.Cli.Commands.Gateway;

/// <summary>What models cost, and why. Needs no cluster.</summary>
public static class GatewayPricesCommand
{
    private const int Old = 60;
    private const int Near = 5;
    private const int LongestFile = 4 << 20;

    private static readonly Argument<string?> Model = new("model") { Description = "One model, as callers or providers name it", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> FileOption = new("--file") { Description = "Your own prices, which come before those that Fabrik ships: the file that the gateway reads" };

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("prices", "Say what a million tokens of each model cost, and why") { Arguments = { Model }, Options = { FileOption } };
        command.SetAction(parsed => Show(parsed, globals, terminal, clock));
        return command;
    }

    private static void Show(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var book = Read(parsed.GetValue(FileOption));
        if (DateOnly.TryParseExact(ModelPriceBook.Default.Version, "yyyy-MM-dd", out var day) && DateOnly.FromDateTime(clock.GetUtcNow().UtcDateTime).DayNumber - day.DayNumber is > Old and var days)
            terminal.Error.WriteLine($"warning: the prices that Fabrik ships are {days} days old; compare them with your provider's, and put what differs into a file (--file)");
        var printer = globals.Printer(parsed, terminal);
        if (parsed.GetValue(Model) is { } model) One(printer, terminal, book, model);
        else printer.List([.. book.Models.OrderBy(row => row.Name, StringComparer.Ordinal).Select(Json)], Columns(book.Currency), item => $"model/{item.GetProperty("name").GetString()}", "No prices.");
    }

    private static void One(Printer printer, Terminal terminal, ModelPriceBook book, string model)
    {
        var price = book.Of(null, model);
        var near = price.IsUnknown ? string.Join(", ", book.Models.OrderBy(row => Distance(row.Name, model)).Take(Near).Select(row => row.Name)) : null;
        printer.One(Json(price),
        [
            ("Model", model),
            ("Priced as", price.IsUnknown ? "no row is for it: the ceiling counts, and the ledger flags it" : price.Name == model ? "itself" : $"{price.Name}: the name without its date"),
            ("Input", Amount(price.Input, book.Currency)),
            ("Cache read", Amount(price.CacheRead ?? price.Input, book.Currency) + (price.CacheRead is null ? ", as input: no price of its own is known" : "")),
            ("Cache write", Amount(price.CacheWrite ?? price.Input, book.Currency) + (price.CacheWrite is null ? ", as input: no price of its own is known" : "")),
            ("Cache write, 1 h", price.CacheWriteHour is { } hour ? Amount(hour, book.Currency) : null),
            ("Output", Amount(price.Output, book.Currency)),
            ("Web search", price.WebSearch > 0 ? $"{book.Currency} {price.WebSearch.ToString(CultureInfo.InvariantCulture)} a thousand" : null),
            .. price.Above.Select(step => ($"Above {step.Tokens / 1000}k read", (string?)$"{Amount(step.Input, book.Currency)} in, {Amount(step.Output, book.Currency)} out, for all of the call")),
            ("Most output", price.MaxOutput is { } most ? $"{most} tokens" : null),
            ("For example", $"1,000 tokens in and 1,000 out: {book.Currency} {(ModelPriceBook.MicrosOf(price, new TokenCounts(1000, 0, 0, 0, 1000, 0, 0), null) / 1e6m).ToString("0.000000", CultureInfo.InvariantCulture)}"),
            ("Source", price.Source),
            ("Prices", book.Version),
        ], $"model/{model}");
        if (near is not null) terminal.Error.WriteLine($"next: names that are close: {near}; or give it a price of its own with --file");
    }

    private static ModelPriceBook Read(string? path)
    {
        if (path is null) return ModelPriceBook.Default;
        try
        {
            if (new FileInfo(path).Length > LongestFile) throw new FormatException($"it is larger than {LongestFile >> 20} MiB");
            return ModelPriceBook.Default.With(File.ReadAllBytes(path));
        }
        catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, "FAB-1015", $"{path} cannot be used as prices", e.Message, "it is JSON: {\"models\":[{\"name\":\"my-model\",\"input\":1.5,\"output\":6}]}, in dollars a million tokens");
        }
    }

    private static JsonElement Json(ModelPrice price) => JsonSerializer.SerializeToElement(price, GatewayJson.Default.ModelPrice);

    private static Column[] Columns(string currency) =>
    [
        new("MODEL", item => item.GetProperty("name").GetString()),
        new($"INPUT ({currency}/1M)", item => Price(item, "input")),
        new("OUTPUT", item => Price(item, "output")),
        new("CACHE READ", item => Price(item, "cacheRead")),
        new("CACHE WRITE", item => Price(item, "cacheWrite")),
        new("1 H", item => Price(item, "cacheWriteHour")),
        new("LONGER CALLS", item => item.GetProperty("above").EnumerateArray().Select(step => $"above {step.GetProperty("tokens").GetInt64() / 1000}k: {Price(step, "input")}/{Price(step, "output")}").FirstOrDefault()),
        new("SOURCE", item => item.TryGetProperty("source", out var source) ? source.GetString() : null, Wide: true),
    ];

    private static string? Price(JsonElement item, string name) => item.TryGetProperty(name, out var price) && price.ValueKind == JsonValueKind.Number ? price.GetDecimal().ToString("0.####", CultureInfo.InvariantCulture) : null;

    private static string Amount(decimal price, string currency) => $"{currency} {price.ToString("0.####", CultureInfo.InvariantCulture)} a million";

    /// <summary>Letters that must be changed, put in or left out (Levenshtein).</summary>
    private static int Distance(string one, string other)
    {
        var row = Enumerable.Range(0, other.Length + 1).ToArray();
        for (var i = 1; i <= one.Length; i++)
        {
            var (corner, _) = (row[0], row[0] = i);
            for (var j = 1; j <= other.Length; j++)
            {
                var best = Math.Min(Math.Min(row[j], row[j - 1]) + 1, corner + (one[i - 1] == other[j - 1] ? 0 : 1));
                (corner, row[j]) = (row[j], best);
            }
        }

        return row[^1];
    }
}
