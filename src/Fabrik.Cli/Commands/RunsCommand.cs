using System.CommandLine;
using System.Text.Json;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;
using Fabrik.Runs;

namespace Fabrik.Cli.Commands;

/// <summary>Reads the runs through Fabrik's own API.</summary>
public static class RunsCommand
{
    private const int PageSize = 500;

    private static readonly Option<string?> Change = new("--change") { Description = "Only runs that count for this change: in its treatment, as its control, or with it applied" };
    private static readonly Option<string?> Arm = Choice("--arm", "Only this arm", "treatment", "control", "holdout", "applied", "none", "unassigned");
    private static readonly Option<string?> Outcome = Choice("--outcome", "Only this outcome", "running", "succeeded", "failed", "deadline", "evicted", "unschedulable", "lost");
    private static readonly Option<string?> Project = new("--project") { Description = "Only this project" };
    private static readonly Option<string?> SpecType = new("--spec-type") { Description = $"Only Jobs with this value of {Names.Labels.SpecType}" };
    private static readonly Option<string?> Since = new("--since") { Description = "Only runs created within this span (30m, 6h, 7d) or after this time (2026-11-20T12:00:00Z)" };
    private static readonly Option<string?> Sort = Choice("--sort", "Order (default: created)", "created", "finished", "duration");
    private static readonly Option<bool> Ascending = new("--ascending") { Description = "Smallest or oldest first" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most this many; 0 for all", DefaultValueFactory = _ => 500 };

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("runs", "Show what happened to each Job");
        var list = new Command("list", "List runs, the newest first") { Options = { Change, Arm, Outcome, Project, SpecType, Since, Sort, Ascending, Limit } };
        list.Aliases.Add("ls");
        list.SetAction((parsed, cancel) => ListAsync(parsed, globals, terminal, clock, cancel));
        command.Subcommands.Add(list);

        var id = new Argument<string>("run") { Description = "Name of the Job, or its UID, or the run id" };
        var show = new Command("show", "Show one run") { Arguments = { id } };
        show.SetAction((parsed, cancel) => ShowAsync(parsed, parsed.GetValue(id)!, null, globals, terminal, clock, cancel));
        command.Subcommands.Add(show);
        return command;
    }

    /// <summary>The same for whom runs are the matter: without "runs", and where <c>fabrik run</c> puts them.</summary>
    public static Command CreateShow(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var id = new Argument<string>("run") { Description = "Name of the Job, or its UID, or the run id" };
        var command = new Command("show", $"Show one run of namespace {Names.RunsNamespace} or -n") { Arguments = { id } };
        command.SetAction((parsed, cancel) => ShowAsync(parsed, parsed.GetValue(id)!, Names.RunsNamespace, globals, terminal, clock, cancel));
        return command;
    }

    private static async Task ListAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        var since = ApiQuery.Since(parsed.GetValue(Since), clock);
        using var cluster = globals.Cluster(parsed, clock);
        using var api = await globals.ApiAsync(parsed, cluster, terminal, cancel);
        var all = parsed.GetValue(globals.AllNamespaces);
        var scope = all ? null : parsed.GetValue(globals.Namespace) ?? cluster.Config.Namespace;
        var limit = parsed.GetValue(Limit);
        var query = ApiQuery.Of(
            ("namespace", scope),
            ("change", parsed.GetValue(Change)),
            ("arm", parsed.GetValue(Arm)),
            ("outcome", parsed.GetValue(Outcome)),
            ("project", parsed.GetValue(Project)),
            ("specType", parsed.GetValue(SpecType)),
            ("since", since),
            ("sort", parsed.GetValue(Sort)),
            ("order", parsed.GetValue(Ascending) ? "asc" : "desc"));

        var items = new List<JsonElement>();
        string? cursor = null;
        do
        {
            var page = limit == 0 ? PageSize : Math.Min(PageSize, limit - items.Count);
            using var answer = await api.GetAsync($"{Names.Paths.Runs}?{query}&limit={page}{(cursor is null ? string.Empty : $"&cursor={Uri.EscapeDataString(cursor)}")}", cancel);
            foreach (var item in answer.RootElement.GetProperty("items").EnumerateArray()) items.Add(item.Clone());
            cursor = answer.RootElement.TryGetProperty("next", out var next) ? next.GetString() : null;
        }
        while (cursor is not null && (limit == 0 || items.Count < limit));

        globals.Printer(parsed, terminal).List(items, Columns(all, clock), item => $"run/{item.GetProperty("id")}", $"No runs found{(scope is null ? string.Empty : $" in namespace {scope}; all namespaces: -A")}.");
        if (cursor is not null) terminal.Error.WriteLine($"These are the first {items.Count}; all of them: --limit 0");
    }

    private static async Task ShowAsync(ParseResult parsed, string id, string? home, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        using var cluster = globals.Cluster(parsed, clock);
        using var api = await globals.ApiAsync(parsed, cluster, terminal, cancel);
        var path = Guid.TryParse(id, out _) || id.Contains('/') ? id : await IsRunIdAsync(api, id, cancel) ? id : $"{parsed.GetValue(globals.Namespace) ?? home ?? cluster.Config.Namespace}/{id}";
        using var answer = await api.GetAsync($"{Names.Paths.Runs}/{path}", cancel);
        var json = answer.RootElement;
        var run = json.Deserialize(RunJson.Default.Run)!;
        globals.Printer(parsed, terminal).One(json,
        [
            ("Name", run.Name),
            ("Namespace", run.Namespace),
            ("Job UID", run.Id),
            ("Run id", run.RunId),
            ("Owner", run.Owner),
            ("Project", run.Project),
            ("Spec", run.SpecId is null ? run.SpecType : $"{run.SpecType} {run.SpecId}"),
            ("Arm", Cells.Wire(json, "arm")),
            ("Experiments", Cells.Names(json, "experiments")),
            ("Applied", Cells.Names(json, "appliedChanges")),
            ("Outcome", Cells.Wire(json, "outcome")),
            ("Reason", run.Reason),
            ("Exit code", run.ExitCode?.ToString()),
            ("OOM killed", run.OomKilled ? "yes" : "no"),
            ("Attempts", run.Attempts.ToString()),
            ("Memory", Cells.Moved(run.Requested.MemoryRequestBytes, run.Requested.MemoryLimitBytes, run.Applied.MemoryRequestBytes, run.Applied.MemoryLimitBytes, Cells.Bytes)),
            ("CPU", Cells.Moved(run.Requested.CpuRequestMillis, run.Requested.CpuLimitMillis, run.Applied.CpuRequestMillis, run.Applied.CpuLimitMillis, Cells.Millis)),
            ("Memory used", UsageCells.Memory(run)),
            ("CPU used", UsageCells.CpuOf(run)),
            ("Usage from", UsageCells.Source(json)),
            ("Model calls", run.ModelCalls is { } calls ? CallCells.Section(calls) : null),
            ("Created", $"{run.CreatedAt:u} ({Age.Of(clock.GetUtcNow() - run.CreatedAt)} ago)"),
            ("Started", run.StartedAt?.ToString("u")),
            ("Finished", run.FinishedAt?.ToString("u")),
            ("Duration", run.DurationSeconds is { } seconds ? Age.Of(TimeSpan.FromSeconds(seconds)) : null),
        ], $"run/{run.Id}");
    }

    private static async Task<bool> IsRunIdAsync(ApiConnection api, string id, CancellationToken cancel)
    {
        if (id.Length != 26) return false;
        try
        {
            using var found = await api.GetAsync($"{Names.Paths.Runs}/{id}", cancel);
            return true;
        }
        catch (CommandException error) when (error.Code == ExitCode.NotFound)
        {
            return false;
        }
    }

    private static Column[] Columns(bool withNamespace, TimeProvider clock) =>
    [
        .. withNamespace ? [new Column("NAMESPACE", item => Cells.Text(item, "namespace"))] : Array.Empty<Column>(),
        new("NAME", item => Cells.Text(item, "name")),
        new("ARM", item => Cells.Wire(item, "arm")) { Colour = Colours.Arm },
        new("CHANGES", item => Cells.Names(item, "experiments", "appliedChanges")),
        new("OUTCOME", item => Cells.Wire(item, "outcome")) { Colour = Colours.Outcome },
        new("OOM", item => item.TryGetProperty("oomKilled", out var oom) && oom.ValueKind == JsonValueKind.True ? "yes" : "no"),
        new("MEMORY", Cells.Memory),
        new("DURATION", item => item.TryGetProperty("durationSeconds", out var seconds) && seconds.ValueKind == JsonValueKind.Number ? Age.Of(TimeSpan.FromSeconds(seconds.GetDouble())) : null),
        new("PEAK", UsageCells.Peak, Wide: true),
        new("CPU", UsageCells.Cpu, Wide: true),
        new("COST", item => item.TryGetProperty("modelCalls", out var calls) ? CallCells.Cost(calls.Deserialize(RunJson.Default.CallTotal)!) : null, Wide: true),
        new("ATTEMPTS", item => Cells.Text(item, "attempts"), Wide: true),
        new("EXIT", item => Cells.Text(item, "exitCode"), Wide: true),
        new("REASON", item => Cells.Text(item, "reason"), Wide: true),
        new("OWNER", item => Cells.Text(item, "owner"), Wide: true),
        new("PROJECT", item => Cells.Text(item, "project"), Wide: true),
        new("SPEC", item => Cells.Text(item, "specType"), Wide: true),
        new("RUN", item => Cells.Text(item, "runId"), Wide: true),
        new("AGE", item => item.TryGetProperty("createdAt", out var created) ? Age.Of(clock.GetUtcNow() - created.GetDateTimeOffset()) : null),
    ];

    private static Option<string?> Choice(string name, string description, params string[] values)
    {
        var option = new Option<string?>(name) { Description = description };
        option.AcceptOnlyFromAmong(values);
        return option;
    }
}
