using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;
using Fabrik.Gateway;
using Fabrik.Gateway.Prices;

namespace Fabrik.Cli.Commands.Gateway;

/// <summary>Really calls a model through the gateway, whole and streamed, and says what came back. A call costs less than a thousandth of a dollar, and stands in the ledger.</summary>
public static class GatewayTestCommand
{
    private const string Failed = "FAB-1045";
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(10);

    private static readonly Argument<string?> What = new("what") { Description = "A provider or a model; without: each provider", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Model = new("--model") { Description = "Which model to ask a provider for (default: the cheapest that it serves and Fabrik knows)" };
    private static readonly Option<string?> Project = new("--project") { Description = "What the calls are charged to" };
    private static readonly Option<string?> TokenKeyFile = new("--token-key-file") { Description = $"The gateway's keys of run tokens (default: Secret {Names.Objects.RunTokenKeySecret})" };
    private static readonly Option<string?> KeyFile = new("--key-file") { Description = "A file with a virtual key to call with; the gateway chooses the provider then" };

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("test", "Call a model through the gateway, whole and streamed, and say what came back, what it cost and how long it took") { Arguments = { What }, Options = { GatewayStatusCommand.Address, Model, Project, TokenKeyFile, KeyFile } };
        command.SetAction((parsed, cancel) => TestAsync(parsed, globals, terminal, clock, cancel));
        return command;
    }

    private static async Task<int> TestAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        var gateway = (await GatewayConnection.AddressesAsync(parsed.GetValue(GatewayStatusCommand.Address)!, terminal.Variable, () => globals.Cluster(parsed, clock), cancel))[0];
        using var connection = new GatewayConnection(() => globals.Cluster(parsed, clock));
        var chosen = Choose((await connection.StatusAsync(gateway, cancel)).Providers, parsed.GetValue(What), parsed.GetValue(Model));
        var virtualKey = parsed.GetValue(KeyFile) is { } path ? (await Content(path, cancel)).Trim() : null;
        var token = virtualKey ?? RunToken.Mint(Claims(parsed, clock), await KeysAsync(parsed, globals, clock, cancel));
        var results = new List<TestedCall>();
        foreach (var (provider, model) in chosen)
            foreach (var streamed in (bool[])[false, true])
                results.Add(await TestedCall.MakeAsync(connection, gateway, new AskedCall(provider.Format, model, streamed, token, virtualKey is null ? provider.Name : null), clock, cancel));

        globals.Printer(parsed, terminal).List(
            [.. results.Select(result => JsonSerializer.SerializeToElement(result.ToJson(), CliJson.Default.JsonObject))],
            [
                new("PROVIDER", item => Cells.Text(item, "provider")),
                new("MODEL", item => Cells.Text(item, "model")),
                new("HOW", item => item.GetProperty("streamed").GetBoolean() ? "streamed" : "whole"),
                new("RESULT", item => Cells.Text(item, "error") is { } error ? error : "answered") { Colour = text => text == "answered" ? Colours.Green(text) : Colours.Red(text) },
                new("TOKENS", item => Cells.Text(item, "inputTokens") is { } input ? $"{input} in, {Cells.Text(item, "outputTokens")} out" : null),
                new("COST", item => Cells.Text(item, "cost")),
                new("FIRST BYTE", item => Cells.Text(item, "firstByteMs") is { } first ? $"{first} ms" : null),
                new("ALL", item => $"{Cells.Text(item, "allMs")} ms"),
                new("OPERATION", item => Cells.Text(item, "operationId"), Wide: true),
            ],
            item => $"call/{Cells.Text(item, "operationId")}",
            "Nothing to test: the gateway has no provider.");
        foreach (var failed in results.Where(result => result.Error is not null).DistinctBy(result => (result.Provider, result.Error)))
        {
            terminal.Error.WriteLine($"error {Failed}: {failed.Provider ?? failed.Model}: {TableWriter.WithoutControls(failed.Error!)}");
            terminal.Error.WriteLine($"why:  {TableWriter.WithoutControls(failed.Why ?? "it says no more")}");
            terminal.Error.WriteLine($"next: {TableWriter.WithoutControls(failed.Next())}");
        }

        return (int)(results.Count > 0 && results.All(result => result.Error is null) ? ExitCode.Ok : ExitCode.Error);
    }

    /// <summary>Of the gateway's own namespace: such a token alone may say which provider is asked.</summary>
    private static RunClaims Claims(ParseResult parsed, TimeProvider clock) =>
        new($"test-{Guid.NewGuid():N}", Names.GatewayNamespace, parsed.GetValue(Project), null, null, null, null, clock.GetUtcNow() + Life);

    private static async Task<RunTokenKeys> KeysAsync(ParseResult parsed, GlobalOptions globals, TimeProvider clock, CancellationToken cancel)
    {
        if (parsed.GetValue(TokenKeyFile) is { } path) return GatewayConnection.Keys(global::System.Text.Encoding.UTF8.GetBytes(await Content(path, cancel)));
        using var cluster = globals.Cluster(parsed, clock);
        return await GatewayConnection.TokenKeysAsync(cluster, cancel);
    }

    private static async Task<string> Content(string path, CancellationToken cancel)
    {
        try
        {
            return await File.ReadAllTextAsync(path, cancel);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, "FAB-1046", $"{path} cannot be read", e.Message, "name a file that holds the key");
        }
    }

    private static IReadOnlyList<(ProviderStatus Provider, string Model)> Choose(IReadOnlyList<ProviderStatus> providers, string? what, string? model)
    {
        var named = providers.Where(provider => provider.Name == what).ToList();
        if (what is null || named.Count > 0) return [.. (what is null ? providers : named).Select(provider => (provider, model ?? Cheapest(provider)))];
        var serving = providers.Where(provider => Serves(provider, what) && (provider.Models.Count > 0 || (ModelPriceBook.Default.Find(what) is not null && IsOf(provider.Format, what)))).Select(provider => (provider, what)).ToList();
        return serving.Count > 0 ? serving : throw new CommandException(
            ExitCode.NotFound, "FAB-1044", $"the gateway has no provider {what}, and none that serves a model of this name", $"its providers are {string.Join(", ", providers.Select(provider => provider.Name))}", "look at what there is: fabrik gateway status; a model that Fabrik has no price for is given with --model");
    }

    /// <summary>A model that is not asked for in vain of the other format's providers: those of Anthropic's say so by their names.</summary>
    private static bool IsOf(WireFormat format, string model) => model.StartsWith("claude", StringComparison.Ordinal) == (format == WireFormat.Anthropic);

    private static bool Serves(ProviderStatus provider, string model) => new ProviderConfig { Name = provider.Name, Format = provider.Format, Url = "", Models = provider.Models }.Serves(model);

    private static string Cheapest(ProviderStatus provider) =>
        provider.Models.FirstOrDefault(model => !model.EndsWith('*'))
        ?? ModelPriceBook.Default.Models.Where(price => price.Output > 0 && Serves(provider, price.Name) && (provider.Format == WireFormat.Anthropic ? price.Name.StartsWith("claude", StringComparison.Ordinal) : price.Name.StartsWith("gpt", StringComparison.Ordinal)))
            .OrderBy(price => price.Output).ThenBy(price => price.Name, StringComparer.Ordinal).FirstOrDefault()?.Name
        ?? throw new CommandException(ExitCode.Usage, "FAB-1047", $"which model to ask {provider.Name} for is not known", $"it serves {string.Join(", ", provider.Models)}, and Fabrik knows none of these", "name one with --model");
}
