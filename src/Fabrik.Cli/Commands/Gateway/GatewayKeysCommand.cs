using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Cli.Output;
using Fabrik.Gateway;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Commands.Gateway;

/// <summary>Keys for callers outside Jobs. They are kept as hashes in a Secret, with the caller's own kubeconfig; or in a file, for a gateway that runs by hand.</summary>
public static class GatewayKeysCommand
{
    private const int Attempts = 5;

    private static readonly Option<string> Project = new("--project") { Description = "What its calls are charged to", Required = true };
    private static readonly Option<string?> Description = new("--description") { Description = "Who or what it is for" };
    private static readonly Option<int?> Days = new("--days") { Description = "For how many days it is good; without: until it is revoked" };
    private static readonly Option<string?> FileOption = new("--file") { Description = $"Keep the keys in this file instead of the Secret {Names.Objects.VirtualKeySecret}" };
    private static readonly Argument<string> Id = new("id") { Description = "Of the key, as list shows it" };

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("keys", "Keys for callers outside Jobs: a person, a pipeline");
        var create = new Command("create", "Make a key, and show it this once") { Options = { Project, Description, Days, FileOption } };
        create.SetAction((parsed, cancel) => CreateAsync(parsed, globals, terminal, clock, cancel));
        var list = new Command("list", "List keys") { Options = { FileOption } };
        list.SetAction(async (parsed, cancel) => List(parsed, globals, terminal, clock, await ReadAsync(parsed, globals, clock, cancel)));
        var revoke = new Command("revoke", "Revoke a key; gateways refuse it once they have read the Secret again, within two minutes") { Arguments = { Id }, Options = { FileOption } };
        revoke.SetAction((parsed, cancel) => RevokeAsync(parsed, globals, terminal, clock, cancel));
        foreach (var one in new[] { create, list, revoke }) command.Subcommands.Add(one);
        return command;
    }

    private static async Task CreateAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        var now = clock.GetUtcNow();
        if (parsed.GetValue(Days) is <= 0) throw new CommandException(ExitCode.Usage, "FAB-1016", "--days must be above 0", "a key that has expired is of no use", "give a number such as 90, or leave it out");
        var (secret, kept) = VirtualKey.Create(parsed.GetValue(Project)!, parsed.GetValue(Description), now, parsed.GetValue(Days) is { } days ? now.AddDays(days) : null);
        await ChangeAsync(parsed, globals, clock, keys => [.. keys, kept], cancel);
        terminal.Out.WriteLine(secret);
        terminal.Error.WriteLine($"Key {kept.Id} for project {kept.Project}. It is shown this once: use it as OPENAI_API_KEY or ANTHROPIC_API_KEY with the gateway's address.");
    }

    private static async Task RevokeAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        var id = parsed.GetValue(Id)!;
        await ChangeAsync(parsed, globals, clock, keys => keys.Any(key => key.Id == id)
            ? [.. keys.Select(key => key.Id == id ? key with { RevokedAt = key.RevokedAt ?? clock.GetUtcNow() } : key)]
            : throw new CommandException(ExitCode.NotFound, "FAB-1017", $"there is no key {id}", "no key has this id", "fabrik gateway keys list"), cancel);
        terminal.Error.WriteLine($"Key {id} is revoked.");
    }

    private static void List(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, IReadOnlyList<VirtualKey> keys)
    {
        var now = clock.GetUtcNow();
        globals.Printer(parsed, terminal).List(
            [.. keys.OrderBy(key => key.CreatedAt).Select(key => JsonSerializer.SerializeToElement(key, GatewayJson.Default.VirtualKey))],
            [
                new("ID", item => item.GetProperty("id").GetString()),
                new("PROJECT", item => item.GetProperty("project").GetString()),
                new("STATE", item => item.TryGetProperty("revokedAt", out _) ? "revoked" : item.TryGetProperty("expiresAt", out var end) && end.GetDateTimeOffset() <= now ? "expired" : "good"),
                new("EXPIRES", item => item.TryGetProperty("expiresAt", out var end) ? end.GetDateTimeOffset().ToString("yyyy-MM-dd", null) : "never"),
                new("AGE", item => Age.Of(now - item.GetProperty("createdAt").GetDateTimeOffset())),
                new("DESCRIPTION", item => item.TryGetProperty("description", out var text) ? text.GetString() : null),
            ],
            item => $"key/{item.GetProperty("id").GetString()}",
            "No keys. Make one: fabrik gateway keys create --project NAME");
    }

    private static async Task<IReadOnlyList<VirtualKey>> ReadAsync(ParseResult parsed, GlobalOptions globals, TimeProvider clock, CancellationToken cancel)
    {
        if (parsed.GetValue(FileOption) is { } path) return Keys(File.Exists(path) ? await File.ReadAllBytesAsync(path, cancel) : []);
        using var cluster = globals.Cluster(parsed, clock);
        return Keys(await SecretAsync(cluster, cancel) is { } secret ? Content(secret) : []);
    }

    /// <summary>Read, changed and written back as it was read: of two who do so at once, one begins again.</summary>
    private static async Task ChangeAsync(ParseResult parsed, GlobalOptions globals, TimeProvider clock, Func<IReadOnlyList<VirtualKey>, List<VirtualKey>> change, CancellationToken cancel)
    {
        if (parsed.GetValue(FileOption) is { } path)
        {
            var changed = change(await ReadAsync(parsed, globals, clock, cancel));
            await File.WriteAllBytesAsync(path + ".new", JsonSerializer.SerializeToUtf8Bytes(changed, GatewayJson.Default.ListVirtualKey), cancel);
            File.Move(path + ".new", path, overwrite: true);
            return;
        }

        using var cluster = globals.Cluster(parsed, clock);
        for (var attempt = 1; ; attempt++)
        {
            var secret = await SecretAsync(cluster, cancel);
            var data = Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(change(Keys(secret is null ? [] : Content(secret))), GatewayJson.Default.ListVirtualKey));
            try
            {
                if (secret is null)
                {
                    await cluster.CreateAsync(Kinds.Secret, Names.GatewayNamespace, new JsonObject
                    {
                        ["apiVersion"] = "v1",
                        ["kind"] = "Secret",
                        ["metadata"] = new JsonObject { ["name"] = Names.Objects.VirtualKeySecret },
                        ["data"] = new JsonObject { [Names.Objects.VirtualKeyFile] = data },
                    }, cancel);
                }
                else
                {
                    await cluster.PatchAsync(Kinds.Secret, Names.GatewayNamespace, Names.Objects.VirtualKeySecret, PatchType.Merge, new JsonObject
                    {
                        ["metadata"] = new JsonObject { ["resourceVersion"] = secret.ResourceVersion },
                        ["data"] = new JsonObject { [Names.Objects.VirtualKeyFile] = data },
                    }, cancel);
                }

                return;
            }
            catch (KubernetesException e) when ((e.IsConflict || e.IsAlreadyExists) && attempt < Attempts)
            {
                // Somebody else made or revoked one in between.
            }
        }
    }

    private static async Task<KubeObject?> SecretAsync(KubernetesClient cluster, CancellationToken cancel)
    {
        try
        {
            return await cluster.GetAsync(Kinds.Secret, Names.GatewayNamespace, Names.Objects.VirtualKeySecret, cancel);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    private static byte[] Content(KubeObject secret) => secret.Json.TryGetProperty("data", out var data) && data.TryGetProperty(Names.Objects.VirtualKeyFile, out var content) ? content.GetBytesFromBase64() : [];

    private static IReadOnlyList<VirtualKey> Keys(byte[] json)
    {
        try
        {
            return [.. VirtualKeys.Parse(json).All];
        }
        catch (FormatException e)
        {
            throw new CommandException(ExitCode.Error, "FAB-1018", "the virtual keys cannot be read", e.Message, $"look at the Secret: kubectl -n {Names.GatewayNamespace} get secret {Names.Objects.VirtualKeySecret} -o yaml");
        }
    }
}
