using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Fabrik.Checks;
using Fabrik.Cli.Checks;
using Fabrik.Cli.Output;
using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Configuration;

namespace Fabrik.Cli.Commands;

/// <summary>Whether a cluster is fit for Fabrik, and whether Fabrik is well in it: category by category, and by trying rather than by reading where that is possible.</summary>
public static class CheckCommand
{
    private static readonly TimeSpan BetweenTries = TimeSpan.FromSeconds(2);

    private static readonly Option<bool> Pre = new("--pre") { Description = "Before Fabrik is installed: whether the cluster and this user can" };
    private static readonly Option<string[]> Categories = new("--category") { Description = "Only this category, and cluster-access; several times for several", DefaultValueFactory = _ => [] };
    private static readonly Option<string?> Bundle = new("--bundle") { Description = "Also write an archive for whoever helps you: results, objects, Events, ends of logs, measurements, without secrets" };
    private static readonly Option<string> Image = new("--image") { Description = "Image of the canary Pods that try network policies: it needs sh, sleep and nc", DefaultValueFactory = _ => CanaryPods.Image };
    private static readonly Option<string?> Waits = new("--wait") { Description = "How long to try again what failed, such as 30s or 5m (default: once)" };

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        // Of its own: these forms mean nothing to other commands.
        var output = new Option<CheckFormat>("--output", "-o") { Description = "table, short, json or junit", DefaultValueFactory = _ => CheckFormat.Table };
        output.CompletionSources.Clear();
        output.CompletionSources.Add("table", "short", "json", "junit");
        Categories.CompletionSources.Clear();
        Categories.CompletionSources.Add([.. Infos(terminal, clock).Select(info => info.Category).Distinct(StringComparer.Ordinal)]);
        var command = new Command("check", "Whether this cluster is fit for Fabrik (--pre), and whether Fabrik is well in it. Ends with 0, with 10 if there are only warnings, with 20 if a check failed") { Options = { Pre, Categories, Waits, Image, Bundle, output } };
        command.SetAction((parsed, cancel) => RunAsync(parsed, parsed.GetValue(output), globals, terminal, clock, cancel));
        return command;
    }

    /// <summary>Every check there is.</summary>
    public static IReadOnlyList<CheckInfo> Infos(Terminal terminal, TimeProvider clock) =>
        [.. CheckPlan.Steps(new CheckSources(Reading.Not<string>(ReadState.Missing, ""), null, null, CheckPhase.Always, null, CanaryPods.Image, terminal, clock)).SelectMany(step => step.Infos)];

    private static async Task<int> RunAsync(ParseResult parsed, CheckFormat format, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        var phase = parsed.GetValue(Pre) ? CheckPhase.Before : CheckPhase.After;
        var deadline = clock.GetUtcNow() + Span(parsed.GetValue(Waits));
        var config = await FactReader.TryAsync(() => Task.FromResult(globals.Config(parsed)));
        using var client = config.IsRead ? new KubernetesClient(config.Value, clock) { Timeout = TimeSpan.FromSeconds(10) } : null;
        var canaries = client is null ? null : new Canaries(client, clock, Environment.MachineName, Environment.ProcessId);
        var address = config.IsRead ? Reading.Of(config.Value.Server.ToString()) : Reading.Not<string>(config.State, config.Why!);
        var steps = Chosen(CheckPlan.Steps(new CheckSources(address, client, canaries, phase, parsed.GetValue(globals.Server) ?? terminal.Variable(Names.Variables.Server), parsed.GetValue(Image)!, terminal, clock)), parsed.GetValue(Categories)!);
        var book = new CheckBook(phase);
        var view = new CheckView(terminal, [.. steps.SelectMany(step => step.Infos).Where(info => (info.Phase & phase) != 0)]);
        var progress = new CheckProgress(terminal);
        try
        {
            foreach (var step in steps)
            {
                progress.Show(step.Name, null);
                var results = await JudgedAsync(step, book, deadline, progress, clock, cancel);
                progress.Clear();
                if (format == CheckFormat.Table) view.Category(step.Name, results);
                if (step == steps[0] && canaries is not null && results.Any(result => result is { Id: AccessChecks.Answers, Status: CheckStatus.Passed })) await canaries.SweepAsync(Runs, cancel);
            }
        }
        finally
        {
            progress.Clear();
            if (canaries is not null) await canaries.RemoveAsync();
            foreach (var left in canaries?.Left ?? []) terminal.Error.WriteLine($"still there, and to be deleted by hand: {TableWriter.WithoutControls(left)}");
        }

        if (format == CheckFormat.Json) terminal.Out.WriteLine(CheckReports.Json(book));
        if (format == CheckFormat.Junit) terminal.Out.WriteLine(CheckReports.Junit(book));
        if (format == CheckFormat.Short) CheckView.Short(terminal, book.Results);
        CheckView.Summary(format is CheckFormat.Json or CheckFormat.Junit ? terminal.Error : terminal.Out, book);
        if (parsed.GetValue(Bundle) is { } path && client is not null)
        {
            progress.Show("bundle", null);
            var (files, missing) = await new SupportBundle(new FactReader(client)).WriteAsync(path, book, cancel);
            progress.Clear();
            terminal.Error.WriteLine($"wrote {path} with {files} files{(missing.Count == 0 ? "" : $"; {missing.Count} could not be read, missing.txt says why")}");
        }

        return (int)(book.Count(CheckStatus.Failed) > 0 || canaries?.Left.Count > 0 ? ExitCode.Failed : book.Count(CheckStatus.Warning) > 0 ? ExitCode.Warnings : ExitCode.Ok);
    }

    private static async Task<IReadOnlyList<CheckResult>> JudgedAsync(CategoryStep step, CheckBook book, DateTimeOffset deadline, CheckProgress progress, TimeProvider clock, CancellationToken cancel)
    {
        while (true)
        {
            var results = await step.RunAsync(book, cancel);
            if (results.FirstOrDefault(result => result.Status == CheckStatus.Failed) is not { } failed || clock.GetUtcNow() + BetweenTries > deadline) return results;
            progress.Show(step.Name, $"waiting for {failed.Id}: {failed.Detail}");
            book.Forget(step.Name);
            await Task.Delay(BetweenTries, clock, cancel);
        }
    }

    /// <summary>Without access to the cluster nothing else can be told.</summary>
    private static IReadOnlyList<CategoryStep> Chosen(IReadOnlyList<CategoryStep> all, string[] wanted)
    {
        if (wanted.FirstOrDefault(name => all.All(step => step.Name != name)) is { } unknown)
            throw new CommandException(ExitCode.Usage, "FAB-1050", $"there is no category '{unknown}'", $"there are {string.Join(", ", all.Select(step => step.Name))}", "correct --category");
        return wanted.Length == 0 ? all : [.. all.Where(step => step == all[0] || wanted.Contains(step.Name, StringComparer.Ordinal))];
    }

    private static TimeSpan Span(string? text)
    {
        if (text is null) return TimeSpan.Zero;
        if (text.Length > 1 && int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            switch (text[^1])
            {
                case 's': return TimeSpan.FromSeconds(number);
                case 'm': return TimeSpan.FromMinutes(number);
                case 'h': return TimeSpan.FromHours(number);
            }
        }

        throw new CommandException(ExitCode.Usage, "FAB-1051", $"'{text}' is no time to wait", "it is a number and s, m or h, such as 30s or 5m", "correct --wait");
    }

    private static bool Runs(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
