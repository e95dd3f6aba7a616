using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Fabrik.Audit;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;

namespace Fabrik.Cli.Commands;

/// <summary>What Fabrik and its users did, and whether the record of it is whole.</summary>
public static class AuditCommand
{
    private const int PageSize = 1000;

    private static readonly Option<string?> Since = new("--since") { Description = "Only within this span (30m, 6h, 7d) or after this time (2026-11-20T12:00:00Z)" };
    private static readonly Option<string?> Actor = new("--actor") { Description = "Only by this one: fabrik, or a person's name as an approval has it" };
    private static readonly Option<string?> Object = new("--object") { Description = "Only to this object: NAME or KIND/NAME" };
    private static readonly Option<string?> Action = new("--action") { Description = "Only this action, such as change.approved" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most this many; 0 for all", DefaultValueFactory = _ => 200 };
    private static readonly Option<string?> Head = new("--head") { Description = "The head that an earlier verification printed (SEQ:HASH): it must still be in the chain" };

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        Head.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && Place(result.Tokens[0].Value) is null) result.AddError($"'{result.Tokens[0].Value}' is not a head such as 1207:HASH");
        });
        var command = new Command("audit", "What Fabrik and its users did, kept for 90 days");
        var list = new Command("list", "List it, the newest first; -o json --limit 0 exports all of it") { Options = { Since, Actor, Object, Action, Limit } };
        list.SetAction((parsed, cancel) => ListAsync(parsed, globals, terminal, clock, cancel));
        var verify = new Command("verify", "Recompute every hash, and say which link is the first that is broken") { Options = { Head } };
        verify.SetAction((parsed, cancel) => VerifyAsync(parsed, globals, terminal, clock, cancel));
        command.Subcommands.Add(list);
        command.Subcommands.Add(verify);
        return command;
    }

    private static async Task ListAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        var since = ApiQuery.Since(parsed.GetValue(Since), clock);
        using var cluster = globals.Cluster(parsed, clock);
        using var api = await globals.ApiAsync(parsed, cluster, terminal, cancel);
        var limit = parsed.GetValue(Limit);
        var query = ApiQuery.Of(("since", since), ("actor", parsed.GetValue(Actor)), ("object", parsed.GetValue(Object)), ("action", parsed.GetValue(Action)), ("order", "desc"));
        var items = new List<JsonElement>();
        string? cursor = null;
        do
        {
            var page = limit == 0 ? PageSize : Math.Min(PageSize, limit - items.Count);
            using var answer = await api.GetAsync($"{Names.Paths.Audit}?{query}&limit={page}{(cursor is null ? "" : $"&cursor={cursor}")}", cancel);
            items.AddRange(answer.RootElement.GetProperty("items").EnumerateArray().Select(item => item.Clone()));
            cursor = answer.RootElement.TryGetProperty("next", out var next) ? next.GetString() : null;
        }
        while (cursor is not null && (limit == 0 || items.Count < limit));

        globals.Printer(parsed, terminal).List(items,
        [
            new("SEQ", item => item.GetProperty("seq").GetInt64().ToString(CultureInfo.InvariantCulture)),
            new("WHEN", item => Age.Of(clock.GetUtcNow() - item.GetProperty("at").GetDateTimeOffset())),
            new("TIME", item => item.GetProperty("at").GetDateTimeOffset().UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture), Wide: true),
            new("BY", item => Cells.Text(item, "actor")),
            new("ACTION", item => Cells.Text(item, "action")),
            new("OBJECT", item => item.TryGetProperty("object", out var one) ? $"{Cells.Text(one, "kind")}/{Cells.Text(one, "name")}" : null),
            new("REQUEST", item => Cells.Text(item, "request"), Wide: true),
            new("HASH", item => Cells.Text(item, "hash")?[..12], Wide: true),
            new("DETAILS", item => string.Join(", ", item.GetProperty("details").EnumerateObject().Select(one => $"{one.Name}: {one.Value.GetString()}")) is { Length: > 0 } text ? text : null),
        ], item => $"audit/{item.GetProperty("seq")}", "Nothing was done.");
        if (cursor is not null) terminal.Error.WriteLine($"These are the newest {items.Count}; all of them: --limit 0");
    }

    private static async Task VerifyAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        using var cluster = globals.Cluster(parsed, clock);
        using var api = await globals.ApiAsync(parsed, cluster, terminal, cancel);
        var known = Place(parsed.GetValue(Head));
        AuditVerifier? verifier = null;
        AuditPlace? head = null;
        string? cursor = null, broken = null;
        var met = false;
        do
        {
            using var answer = await api.GetAsync($"{Names.Paths.Audit}?order=asc&limit={PageSize}{(cursor is null ? "" : $"&cursor={cursor}")}", cancel);
            var page = answer.RootElement.Deserialize(AuditJson.Default.AuditList)!;

            // Rows that come while this reads are for the next time.
            verifier ??= new AuditVerifier(page.Anchor, head = page.Head);
            met |= known is not null && page.Anchor == known;
            foreach (var row in page.Items.TakeWhile(row => row.Seq <= head!.Seq))
            {
                if ((broken = verifier.Next(row)) is not null) break;
                met |= known is not null && verifier.Last == known;
            }

            cursor = page.Items.Count > 0 && page.Items[^1].Seq >= head!.Seq ? null : page.Next;
            if (cursor is not null && terminal.Interactive) terminal.Error.Write($"\r{verifier.Count} of {head!.Seq - page.Anchor.Seq} rows");
        }
        while (broken is null && cursor is not null);

        broken ??= verifier.End();
        if (broken is null && known is not null && !met && known.Seq > head!.Seq - verifier.Count) broken = $"row {known.Seq} is not the one that an earlier verification saw: the record was made anew since";
        if (broken is not null)
            throw new CommandException(ExitCode.Error, "FAB-1090", "the audit record was tampered with, or its database is damaged", broken, $"keep a copy of the database, and compare with the API server's own audit log; see {Names.Documents.Surviving}");
        terminal.Out.WriteLine($"{verifier.Count} rows are whole and in order. Head: {head!.Seq}:{head.Hash}");
    }

    private static AuditPlace? Place(string? text) =>
        text?.Split(':') is [var seq, { Length: 64 } hash] && long.TryParse(seq, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? new AuditPlace(number, hash) : null;
}
