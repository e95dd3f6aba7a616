using System.Globalization;
using Fabrik.Experiments;
using Fabrik.Reports;

namespace Fabrik.Cli.Output;

/// <summary>The status as text that fits the terminal.</summary>
public static class StatusView
{
    private const int Indent = 4;
    private const int Label = 12;

    public static void Write(Terminal terminal, OptimizerStatus status, DateTimeOffset now, bool wide, bool policyKnown = true)
    {
        var view = new Writer(terminal);
        if (!policyKnown)
        {
            view.Line(0, $"Optimizer: {status.Running.Count} experiments run");
        }
        else if (status.Paused)
        {
            view.Line(0, $"Optimizer: PAUSED{(status.PauseReason is { } why ? $", {why}" : "")}", Colours.Yellow);
            view.Line(0, "No experiment arm is drawn; what is applied stays. Go on with: fabrik optimizer resume");
        }
        else
        {
            view.Line(0, $"Optimizer: on; {status.Running.Count} of at most {status.MaximumExperiments} experiments run; {(status.AutoApplyRisk == Risk.High ? "every risk is" : $"up to risk {Word(status.AutoApplyRisk)} is")} applied by itself at confidence {EvidenceText.Figure(status.Confidence)}");
        }

        if (status.StorageTrouble is { } trouble)
            view.Line(0, $"STANDS STILL{(status.StorageTroubleSince is { } since ? $" for {Age.Of(now - since)}" : "")}: {trouble}. It goes on by itself once it can write; see {Names.Documents.Surviving}", Colours.Red);
        if (status.ExhaustedBudgets.Count > 0) view.Line(0, $"Budgets spent: {string.Join(", ", status.ExhaustedBudgets)}", Colours.Red);
        foreach (var incident in status.IncidentsDue)
        {
            var due = incident.ReviewBy is { } by ? by > now ? $"to be reviewed within {Age.Of(by - now)}" : $"review overdue for {Age.Of(now - by)}" : "to be reviewed";
            view.Line(0, $"Incident {incident.Id}: {incident.Change} was rolled back {Age.Of(now - incident.At)} ago, {incident.Reason}; {due}. A false alarm: fabrik optimizer changes approve {incident.Change} takes it up again with half the share. Rightly so: fabrik optimizer changes reject {incident.Change} --reason TEXT confirms it", Colours.Red);
        }

        view.Section("Running", status.Running, line =>
        {
            view.Field("Change", $"{line.Change} for {line.Target}");
            view.Field("Trying", $"{(line.Share is { } share ? $"{share * 100:0.#} % of the Jobs" : "share not set yet")}{(line.Since is { } since ? $", for {Age.Of(now - since)}" : "")}{(line.Phase == Phase.Analyzing ? ", being judged" : "")}");
            if (line.Report is { } report)
            {
                view.Field("Runs", EvidenceText.Arms(report));
                view.Field("Shown", EvidenceText.Shown(report));
                view.Field("Confidence", report.Evidence is { } evidence ? EvidenceText.Confidence(evidence, line.Goal) : null);
            }

            view.Field("Decision", line.Report is { Forecast: not null } told ? EvidenceText.When(told) : line.NoForecast ?? (line.Report is null ? "cannot be told: what its runs have shown is not known here" : null));

            view.Field(line.Report is { Verdict: not (null or "continue") } ? "Why" : "Not yet", line.Report is { Reasons.Count: > 0 } said ? string.Join("; ", said.Reasons) : line.NotYet ?? line.Reason ?? (status.EvidenceMissing is null ? "not analysed so far" : null));
        });
        view.Section("Waiting for a person", status.Waiting, line =>
        {
            view.Field("Change", $"{line.Change} for {line.Target}; risk {Word(line.Risk)}");
            if (line.Report is { } report) view.Field("Shown", EvidenceText.Shown(report));
            view.Field("Why", line.Reason);
            view.Field("Next", $"fabrik optimizer changes approve {line.Name}, or reject {line.Name} --reason TEXT");
        });
        view.Section("Queued", status.Queued, line => view.Field("Why", line.Reason ?? "waits for a free place"));
        view.Section($"Rolled back in the last {OptimizerStatus.Lately.TotalDays:0} days", status.RolledBack, line =>
        {
            view.Field("When", line.Since is { } since ? $"{Age.Of(now - since)} ago" : null);
            view.Field("Why", line.Reason);
        });
        if (wide)
        {
            view.Section("Proposed", status.Proposed, line => view.Field("Change", $"{line.Change} for {line.Target}; risk {Word(line.Risk)}"));
            view.Section("Applied", status.Applied, line =>
            {
                view.Field("Change", $"{line.Change} for {line.Target}");
                if (line.Report is { } report) view.Field("Shown", EvidenceText.Shown(report));
            });
        }
        else if (status.Proposed.Count + status.Applied.Count > 0)
        {
            view.Line(0, "");
            view.Line(0, $"{status.Proposed.Count} proposed, {status.Applied.Count} applied: fabrik optimizer changes list, or status -o wide");
        }

        if (status.Health is { Completed: > 0, SuccessRate: { } success, RollbackRate: { } rollbacks } health)
        {
            view.Line(0, "");
            view.Line(0, $"Last {OptimizerHealth.Period.TotalDays:0} days: {health.Completed} experiments ended, {success * 100:0} % led to an improvement (should be above 80), {rollbacks * 100:0} % were rolled back (should be below 10)", success < 0.7 || rollbacks > 0.15 ? Colours.Yellow : null);
            view.Line(0, $"From proposal to rollout: {(health.DaysToRollout is { } days ? string.Create(CultureInfo.InvariantCulture, $"{days:0.#} days at the median") : "no data")} (should be below 7)", health.DaysToRollout > 14 ? Colours.Yellow : null);
            view.Line(0, $"Cost of the runs that got what was applied: {(health.CostSavings is { } savings ? Saved(savings) : "no data")} (should be more than 5 % less)", health.CostSavings?.Fraction < 0 ? Colours.Yellow : null);
        }

        if (status.Running.Count + status.Waiting.Count + status.Queued.Count + status.RolledBack.Count + status.Proposed.Count + status.Applied.Count == 0)
            view.Line(0, "There are no changes yet. They are proposed once runs have shown something to improve: fabrik runs list");
    }

    private static string Saved(CostSavings savings) => string.Create(
        CultureInfo.InvariantCulture, $"{Math.Abs(savings.Fraction) * 100:0.#} % {(savings.Fraction < 0 ? "more" : "less")}, {(savings.Measured == savings.Changes ? "as measured" : savings.Measured == 0 ? "as expected at the proposal" : $"measured of {savings.Measured} changes, as expected of {savings.Changes - savings.Measured}")}");

    private static string Word(Risk risk) => risk switch { Risk.Low => "low", Risk.Medium => "medium", _ => "high" };

    private sealed class Writer(Terminal terminal)
    {
        public void Section(string title, IReadOnlyList<ChangeStatusLine> lines, Action<ChangeStatusLine> body)
        {
            if (lines.Count == 0) return;
            terminal.Out.WriteLine();
            Line(0, $"{title} ({lines.Count})", Colours.Bold);
            foreach (var line in lines)
            {
                Line(2, line.Name, Colours.Cyan);
                body(line);
            }
        }

        public void Field(string label, string? text)
        {
            if (text is not null) Line(Indent, label.PadRight(Label) + text, hanging: Label);
        }

        /// <summary>On a terminal broken between words; in a pipe one line.</summary>
        public void Line(int indent, string text, Func<string, string>? colour = null, int hanging = 0)
        {
            text = TableWriter.WithoutControls(text);
            var width = terminal.Interactive ? Math.Max(20, terminal.Width - indent) : int.MaxValue;
            foreach (var part in Wrap(text, width, hanging)) terminal.Out.WriteLine(new string(' ', part.Length == 0 ? 0 : indent) + (colour is not null && terminal.Colours ? colour(part) : part));
        }

        private static IEnumerable<string> Wrap(string text, int width, int hanging)
        {
            var before = "";
            while (before.Length + text.Length > width)
            {
                var room = width - before.Length;
                var cut = text.LastIndexOf(' ', room, Math.Max(1, room - (before.Length == 0 ? hanging : 0)));
                if (cut <= 0) cut = room;
                yield return before + text[..cut].TrimEnd();
                text = text[cut..].TrimStart();
                before = new string(' ', hanging);
            }

            yield return before + text;
        }
    }
}
