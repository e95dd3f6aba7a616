using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Fabrik.Analysis;
using Fabrik.Cli.Output;
using Fabrik.Experiments;

namespace Fabrik.Cli.Commands;

/// <summary>The statistics of experiments, for a person to plan one or to judge numbers of their own; needs no cluster.</summary>
public static class PlanningCommands
{
    private static readonly Option<string> File = new("--file", "-f") { Description = "JSON with rho, margin and strata of blocks; - for standard input", Required = true };
    private static readonly Option<double> Baseline = new("--baseline") { Description = "Rate of good outcomes without the change, such as 0.65", Required = true };
    private static readonly Option<double> Treatment = new("--treatment") { Description = "The rate expected with it, such as 0.95", Required = true };
    private static readonly Option<double> Share = new("--share") { Description = "Part of the Jobs that get the change", DefaultValueFactory = _ => 0.1 };
    private static readonly Option<double> RunsPerDay = new("--runs-per-day") { Description = "Jobs of the experiment a day, both arms", Required = true };
    private static readonly Option<string> GoalOption = new("--goal") { Description = "win: it must be better; save: it must not be worse", DefaultValueFactory = _ => "win" };

    static PlanningCommands() => GoalOption.AcceptOnlyFromAmong("win", "save");

    public static void AddTo(Command command, GlobalOptions globals, Terminal terminal)
    {
        var evaluate = new Command("evaluate", "Judge blocks of outcomes: the evidence after each, and the decision") { Options = { File } };
        evaluate.SetAction((parsed, cancel) => EvaluateAsync(parsed, globals, terminal, cancel));
        command.Subcommands.Add(evaluate);
        var plan = new Command("plan", "Say after how many runs and days an experiment will be decided") { Options = { Baseline, Treatment, Share, RunsPerDay, GoalOption } };
        plan.SetAction(parsed => Plan(parsed, globals, terminal));
        command.Subcommands.Add(plan);
    }

    private static async Task EvaluateAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, CancellationToken cancel)
    {
        var path = parsed.GetValue(File)!;
        Evaluation evaluation;
        try
        {
            evaluation = EvidenceFile.Parse(await ReadAsync(path, cancel)).Evaluate();
        }
        catch (Exception error) when (error is FormatException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, "FAB-1030", $"{path} cannot be judged", error.Message,
                """give a file such as {"rho":0.1,"margin":-0.05,"strata":[{"name":"s","blocks":[{"yT":1,"nT":1,"yC":6,"nC":9}]}]}""");
        }

        var json = JsonSerializer.SerializeToElement(evaluation, EvidenceJson.Default.Evaluation);
        var last = evaluation.Blocks.Count > 0 ? evaluation.Blocks[^1] : new EvaluatedBlock(1, 1, 1);
        globals.Printer(parsed, terminal).One(json,
        [
            ("Decision", Text(json, "decision")),
            ("Why", string.Join('\n', evaluation.Reasons)),
            ("Confidence", evaluation.Confidence.ToString("0.000", CultureInfo.InvariantCulture)),
            ("Blocks", evaluation.Blocks.Count.ToString(CultureInfo.InvariantCulture)),
            ("Evidence now", $"better {Number(last.Win)}, not worse {Number(last.NonInferior)}, harm {Number(last.Harm)}; 20 is 95 % confidence"),
        ], $"decision/{Text(json, "decision")}");
    }

    private static void Plan(ParseResult parsed, GlobalOptions globals, Terminal terminal)
    {
        var (baseline, treatment, share, runsPerDay) = (parsed.GetValue(Baseline), parsed.GetValue(Treatment), parsed.GetValue(Share), parsed.GetValue(RunsPerDay));
        Bounded("--baseline", baseline, baseline is > 0 and < 1, "above 0 and below 1");
        Bounded("--treatment", treatment, treatment is >= 0 and <= 1, "from 0 to 1");
        Bounded("--share", share, share is >= 0.001 and <= 0.999, "from 0.001 to 0.999");
        Bounded("--runs-per-day", runsPerDay, runsPerDay is > 0 and <= 1e9, "above 0 and at most 1000000000");
        var forecast = Forecast.Of(baseline, treatment, share, runsPerDay, parsed.GetValue(GoalOption) == "save" ? Goal.Save : Goal.Win, new DecisionRules());
        globals.Printer(parsed, terminal).One(JsonSerializer.SerializeToElement(forecast, EvidenceJson.Default.Forecast),
        [
            ("Half of the time", Row(forecast.Median, forecast.Days.Median)),
            ("8 of 10 times", Row(forecast.P80, forecast.Days.P80)),
            ("9 of 10 times", Row(forecast.P90, forecast.Days.P90)),
        ], $"forecast/{forecast.P90}");

        static string Row(int? runs, double? days) => runs is null
            ? $"not decided within {Forecast.MaximumRuns} runs"
            : string.Create(CultureInfo.InvariantCulture, $"decided within {runs} runs, {days:0.#} days");

        static void Bounded(string name, double value, bool holds, string bounds)
        {
            if (!holds) throw new CommandException(ExitCode.Usage, "FAB-1031", $"{name} is {value.ToString(CultureInfo.InvariantCulture)}", $"it must be {bounds}", $"correct {name}");
        }
    }

    private static async Task<byte[]> ReadAsync(string path, CancellationToken cancel)
    {
        await using var from = path == "-" ? Console.OpenStandardInput() : System.IO.File.OpenRead(path);
        using var read = new MemoryStream();
        var buffer = new byte[64 * 1024];
        for (int count; (count = await from.ReadAsync(buffer, cancel)) > 0;)
        {
            read.Write(buffer, 0, count);
            if (read.Length > EvidenceFile.MaximumSize) throw new FormatException($"it has more than {EvidenceFile.MaximumSize} bytes");
        }

        return read.ToArray();
    }

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;

    private static string Number(double value) => value.ToString("G4", CultureInfo.InvariantCulture);
}
