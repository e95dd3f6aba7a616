using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;

namespace Fabrik.Cli.Commands;

/// <summary>Pause, resume and settings: patches of the one OptimizerPolicy with the caller's own kubeconfig.</summary>
public static class PolicyCommands
{
    private const string Shown = $"optimizerpolicy.fabrik.dev/{Names.PolicyName}";

    public static Command Pause(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var reason = new Option<string?>("--reason") { Description = "Why; shown to everyone who looks at the optimizer", Required = true };
        var command = new Command("pause", "Stop drawing experiment arms with the next Job; what is applied stays") { Options = { reason } };
        command.SetAction((parsed, cancel) => SwitchAsync(parsed, true, parsed.GetValue(reason), globals, terminal, clock, cancel));
        return command;
    }

    public static Command Resume(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("resume", "Go on after a pause");
        command.SetAction((parsed, cancel) => SwitchAsync(parsed, false, null, globals, terminal, clock, cancel));
        return command;
    }

    public static Command Config(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("config", "Show and change the optimizer's policy");
        var wanted = new Argument<string?>("key") { Description = "Name of the setting; without it all are shown", Arity = ArgumentArity.ZeroOrOne };
        var get = new Command("get", "Show a setting, or all") { Arguments = { wanted } };
        get.SetAction((parsed, cancel) => GetAsync(parsed, parsed.GetValue(wanted), globals, terminal, clock, cancel));
        command.Subcommands.Add(get);

        var (key, value) = (Key(), new Argument<string>("value") { Description = "Its new value" });
        var set = new Command("set", "Change a setting; what the rules forbid is not sent") { Arguments = { key, value } };
        set.SetAction((parsed, cancel) =>
        {
            var found = PolicyKey.Find(parsed.GetValue(key)!);
            return SetAsync(parsed, found, found.Parse(parsed.GetValue(value)!), globals, terminal, clock, cancel);
        });
        command.Subcommands.Add(set);

        var which = Key();
        var unset = new Command("unset", "Put a setting back to its default") { Arguments = { which } };
        unset.SetAction((parsed, cancel) => SetAsync(parsed, PolicyKey.Find(parsed.GetValue(which)!), null, globals, terminal, clock, cancel));
        command.Subcommands.Add(unset);
        wanted.CompletionSources.Add([.. PolicyKey.All.Select(one => one.Key)]);
        return command;
    }

    private static Argument<string> Key()
    {
        var key = new Argument<string>("key") { Description = "Name of the setting" };
        key.CompletionSources.Add([.. PolicyKey.All.Select(one => one.Key)]);
        return key;
    }

    private static async Task SwitchAsync(ParseResult parsed, bool paused, string? reason, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        if (paused && string.IsNullOrWhiteSpace(reason)) throw new CommandException(ExitCode.Usage, "FAB-1022", "a pause needs a reason; nothing was written", "--reason is empty, and the next person wants to know why", "fabrik optimizer pause --reason TEXT");
        using var client = globals.Cluster(parsed, clock);
        var written = await PolicyWriter.PatchAsync(client, _ => new JsonObject { ["paused"] = paused, ["pauseReason"] = reason }, cancel);
        globals.Printer(parsed, terminal).Done(written.Json, Shown, paused ? "paused" : "resumed");
        terminal.Error.WriteLine(paused
            ? "From the next Job on no experiment arm is drawn; what is applied stays. Go on with: fabrik optimizer resume"
            : "From the next Job on experiments go on where they stood: fabrik optimizer status");
    }

    private static async Task SetAsync(ParseResult parsed, PolicyKey key, JsonNode? value, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        using var client = globals.Cluster(parsed, clock);
        var before = "";
        var written = await PolicyWriter.PatchAsync(client, spec =>
        {
            before = key.Of(spec) is { } old ? PolicyKey.Text(old) : key.Default ?? "";
            return key.Patch(value?.DeepClone());
        }, cancel);
        var now = written.Json.TryGetProperty("spec", out var spec) && key.Of(spec) is { } set ? PolicyKey.Text(set) : key.Default ?? "";
        globals.Printer(parsed, terminal).Done(written.Json, Shown, now == before ? $"{key.Key} is {Quoted(now)} as before" : $"{key.Key} is {Quoted(now)} now (was {Quoted(before)})");
    }

    private static async Task GetAsync(ParseResult parsed, string? name, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        var keys = name is null ? PolicyKey.All : [PolicyKey.Find(name)];
        using var client = globals.Cluster(parsed, clock);
        var policy = await PolicyWriter.ReadAsync(client, cancel);
        var spec = policy is not null && policy.Json.TryGetProperty("spec", out var given) ? given : default;
        if (name is not null && parsed.GetValue(globals.Output) is OutputFormat.Table or OutputFormat.Wide)
        {
            // Bare, for scripts.
            terminal.Out.WriteLine(keys[0].Of(spec) is { } value ? PolicyKey.Text(value) : keys[0].Default ?? "");
            return;
        }

        var items = keys.Select(key => Describe(key, spec)).ToList();
        globals.Printer(parsed, terminal).List(items,
        [
            new("KEY", item => Cells.Text(item, "key")),
            new("VALUE", item => item.TryGetProperty("value", out var value) ? PolicyKey.Text(value) : null),
            new("DEFAULT", item => Cells.Text(item, "default")),
            new("FIELD", item => Cells.Text(item, "field"), Wide: true),
            new("TAKES", item => Cells.Text(item, "takes"), Wide: true),
            new("MEANING", item => Cells.Text(item, "meaning")),
        ], item => Cells.Text(item, "key")!, "The policy has no settings.");
        if (policy is null) terminal.Error.WriteLine("The cluster has no policy yet; these are the defaults, which are in force. The first config set creates it.");
    }

    private static JsonElement Describe(PolicyKey key, JsonElement spec)
    {
        var item = new JsonObject { ["key"] = key.Key };
        if (key.Of(spec) is { } value) item["value"] = JsonNode.Parse(value.GetRawText());
        else if (key.Default is { Length: > 0 } start) item["value"] = key.Parse(start);
        item["default"] = key.Default;
        item["field"] = key.Field;
        item["takes"] = key.Form;
        item["meaning"] = key.Description;
        return JsonSerializer.SerializeToElement(item);
    }

    private static string Quoted(string text) => text.Length == 0 ? "empty" : text;
}
