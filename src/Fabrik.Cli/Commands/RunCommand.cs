using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Installing;
using Fabrik.Cli.Output;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using YamlDotNet.Core;

namespace Fabrik.Cli.Commands;

/// <summary>Creates a Job, shows its log, and ends as the run ends.</summary>
public static class RunCommand
{
    private const int Interrupted = 130;
    private const string DeadlineField = "activeDeadlineSeconds";
    private const int LongestDeadline = 365 * 24 * 3600;
    private static readonly Argument<string?> FileArgument = new("file") { Description = "Manifest of one Job; - reads it from standard input", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Argument<string[]> CommandArgument = new("command") { Description = "With --image, after --: what the container runs", Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<string?> Image = new("--image") { Description = "Instead of a manifest: run this image" };
    private static readonly Option<string?> Name = new("--name") { Description = "Name of the Job (default: the manifest's, or one that is made up)" };
    private static readonly Option<string?> Memory = new("--memory") { Description = "With --image: memory it asks for and may not exceed, such as 512Mi" };
    private static readonly Option<string?> Cpu = new("--cpu") { Description = "With --image: cores it asks for, such as 500m" };
    private static readonly Option<int?> Deadline = new("--deadline") { Description = "Seconds after which the run is ended (default: the manifest's; in namespaces of untrusted runs the policy's, 6 hours where that says nothing; else none)" };
    private static readonly Option<bool> Detach = new("--detach") { Description = "Create the Job and do not wait" };
    private static readonly Option<int> Timeout = new("--timeout") { Description = "Seconds to wait for its end; the Job goes on after that (default: as long as it takes)" };

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("run", $"Run a Job and follow it to its end, in namespace {Names.RunsNamespace} or -n; the exit code is that of the run")
        {
            Arguments = { FileArgument, CommandArgument },
            Options = { Image, Name, Memory, Cpu, Deadline, Detach, Timeout },
        };
        command.SetAction((parsed, cancel) => RunAsync(parsed, globals, terminal, clock, cancel));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        var job = Manifest(parsed);
        using var cluster = globals.Cluster(parsed, clock);
        var ns = parsed.GetValue(globals.Namespace) ?? job.Namespace() ?? Names.RunsNamespace;
        job["metadata"]!["namespace"] = ns;
        if (parsed.GetValue(Deadline) is { } seconds) Spec(job)[DeadlineField] = seconds is > 0 and <= LongestDeadline ? seconds : throw new CommandException(ExitCode.Usage, "FAB-1106", $"--deadline is {seconds}", $"it is a number of seconds, 1 to {LongestDeadline}", "give a number such as 3600");
        var isSaid = job["spec"]?[DeadlineField] is not null;
        var created = await CreateAsync(cluster, ns, job, parsed.GetValue(Image) is not null, terminal, cancel);
        terminal.Error.WriteLine($"job/{created.Name} created in {ns}{(created.Label(Names.Labels.Variant) is { } arm ? $", arm {arm}" : "")}");
        if (!isSaid && created.Json.Whole("spec", DeadlineField) is { } given) terminal.Error.WriteLine($"  ended after {given} seconds at most, as runs are in {ns}; --deadline SECONDS for another");
        if (parsed.GetValue(Detach))
        {
            terminal.Out.WriteLine($"job/{created.Name}");
            terminal.Error.WriteLine($"next: fabrik show {created.Name} -n {ns}");
            return 0;
        }

        try
        {
            var end = await new RunFollower(cluster, created, terminal, clock).FollowAsync(parsed.GetValue(Timeout) is > 0 and var wait ? TimeSpan.FromSeconds(wait) : null, cancel);
            await SummaryAsync(parsed, globals, terminal, clock, cluster, end.Job, end, cancel);
            return end.ExitCode;
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            terminal.Error.WriteLine($"The Job goes on.\nnext: fabrik show {created.Name} -n {ns}, or end it: fabrik destroy {created.Name} -n {ns}");
            return Interrupted;
        }
    }

    /// <summary>While the webhook is away nobody fills in what namespaces of untrusted runs ask of a Job, and it is refused. Then the command does, with the policy's values.</summary>
    private static async Task<KubeObject> CreateAsync(KubernetesClient cluster, string ns, JsonObject job, bool isShort, Terminal terminal, CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                return await cluster.CreateAsync(Kinds.Job, ns, job, cancel, new WriteOptions { FieldManager = ObjectWriter.FieldManager, FieldValidation = "Strict" });
            }
            catch (KubernetesException refused) when (refused.IsForbidden)
            {
                if (Is(Names.Objects.RunJobsPolicy) && Spec(job)[DeadlineField] is null)
                {
                    Spec(job)[DeadlineField] = await DeadlineAsync(cluster, cancel);
                    terminal.Error.WriteLine("  the webhook, which gives runs their deadline, is away: the command gives it");
                }
                else if (Is(Names.Objects.RunImagesPolicy) && isShort && !KeepsImage(job))
                {
                    Protect(job);
                    terminal.Error.WriteLine("  the webhook, which makes root file systems read-only, is away: the command does, with an empty directory at /tmp");
                }
                else throw;

                bool Is(string policy) => refused.Message.Contains($"'{policy}'", StringComparison.Ordinal);
            }
        }
    }

    /// <summary>Of the policy, where this user may read it.</summary>
    private static async Task<long> DeadlineAsync(KubernetesClient cluster, CancellationToken cancel)
    {
        try
        {
            if (await cluster.FindAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, cancel) is { } policy && policy.Json.Whole("spec", "runs", DeadlineField) is { } seconds) return seconds;
        }
        catch (KubernetesException e) when (e.IsForbidden)
        {
            // Who may only run Jobs is given the default.
        }

        return new RunDefaults().ActiveDeadlineSeconds;
    }

    private static bool KeepsImage(JsonObject job) => Container(job)["securityContext"]!["readOnlyRootFilesystem"] is not null;

    private static void Protect(JsonObject job)
    {
        Container(job)["securityContext"]!["readOnlyRootFilesystem"] = true;
        Container(job)["volumeMounts"] = new JsonArray(new JsonObject { ["name"] = Names.Objects.TmpVolume, ["mountPath"] = "/tmp" });
        Spec(job)["template"]!["spec"]!["volumes"] = new JsonArray(new JsonObject { ["name"] = Names.Objects.TmpVolume, ["emptyDir"] = new JsonObject() });
    }

    private static JsonObject Container(JsonObject job) => Spec(job)["template"]!["spec"]!["containers"]![0]!.AsObject();

    private static JsonObject Spec(JsonObject job)
    {
        if (job["spec"] is not JsonObject spec) job["spec"] = spec = [];
        return spec;
    }

    /// <summary>As the record has it; where the record cannot be reached, as the Job says.</summary>
    private static async Task SummaryAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, KubernetesClient cluster, KubeObject job, RunEnd end, CancellationToken cancel)
    {
        JsonElement? run = null;
        string? why = null;
        try
        {
            using var api = await globals.ApiAsync(parsed, cluster, terminal, cancel);
            run = await RunFollower.RecordedAsync(api, job, clock, cancel);
            if (run is null) why = "it is not recorded: its namespace is not opted in, or the scheduler is behind";
        }
        catch (Exception e) when (Failures.Explain(e) is { } explained && e is not OperationCanceledException)
        {
            why = $"its record cannot be read: {explained.Message}";
        }

        var ok = end.ExitCode == 0;
        var outcome = run is { } known ? Cells.Wire(known, "outcome") ?? "unknown" : ok ? "succeeded" : "failed";
        var parts = new List<string> { terminal.Colours ? Colours.Outcome(outcome) : outcome };
        if (!ok) parts.Add($"exit code {end.ExitCode}{(end.Reason is { } reason ? $" ({reason})" : "")}");
        if (run is { } record)
        {
            parts.Add($"arm {Cells.Wire(record, "arm") ?? "none"}");
            if (Cells.Memory(record) is { } memory) parts.Add($"memory {memory}");
            if (UsageCells.Peak(record) is { } peak) parts.Add($"peak {peak}");
            parts.Add($"cost of models {(record.TryGetProperty("modelCalls", out var calls) && calls.ValueKind == JsonValueKind.Object ? CallCells.Cost(calls.Deserialize(Runs.RunJson.Default.CallTotal)!) : "0")}");
        }

        terminal.Error.WriteLine($"run/{job.Name} {string.Join("  ", parts)}");
        if (why is not null) terminal.Error.WriteLine($"  {why}");
        terminal.Error.WriteLine($"next: fabrik show {job.Name} -n {job.Namespace}");
    }

    private static JsonObject Manifest(ParseResult parsed)
    {
        var (image, file) = (parsed.GetValue(Image), parsed.GetValue(FileArgument));
        if (image is not null)
        {
            // What stands after -- is all for the container; the parser cannot tell the first word from a file.
            string[] command = [.. file is null ? [] : new[] { file }, .. parsed.GetValue(CommandArgument) ?? []];
            return Short(image, parsed.GetValue(Name), command, parsed.GetValue(Memory), parsed.GetValue(Cpu));
        }

        if (file is null) throw new CommandException(ExitCode.Usage, "FAB-1115", "there is nothing to run", "neither a manifest nor an image was given", "fabrik run job.yaml, or: fabrik run --image busybox -- echo hello");
        IReadOnlyList<JsonObject> documents;
        try
        {
            documents = Kubernetes.Manifest.Read(file == "-" ? Console.In.ReadToEnd() : File.ReadAllText(file));
        }
        catch (Exception e) when (e is YamlException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, "FAB-1115", $"{file} cannot be read as a manifest", e.Message, "correct the file, or run an image: fabrik run --image busybox -- echo hello");
        }

        if (documents is not [var job] || job.Kind() != "Job" || job["apiVersion"]?.ToString() != "batch/v1")
            throw new CommandException(ExitCode.Usage, "FAB-1115", $"{file} is not the manifest of one Job", documents.Count == 1 ? $"it is a {documents[0].Kind()} ({documents[0]["apiVersion"]})" : $"it has {documents.Count} objects", "give a file with one Job of batch/v1; other objects are for kubectl apply");
        if (job["metadata"] is not JsonObject metadata) job["metadata"] = metadata = [];
        if (parsed.GetValue(Name) is { } name)
        {
            metadata["name"] = name;
            metadata.Remove("generateName");
        }

        return job;
    }

    /// <summary>One container as the strictest level of Pod Security wants it; finished Jobs go after a day, their runs stay on record.</summary>
    private static JsonObject Short(string image, string? name, string[] command, string? memory, string? cpu)
    {
        var container = new JsonObject
        {
            ["name"] = "main",
            ["image"] = image,
            ["securityContext"] = new JsonObject { ["allowPrivilegeEscalation"] = false, ["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") } },
        };
        if (command.Length > 0) container["command"] = new JsonArray([.. command.Select(word => (JsonNode)word)]);
        var (requests, limits) = (new JsonObject(), new JsonObject());
        if (memory is not null) (requests["memory"], limits["memory"]) = (memory, memory);
        if (cpu is not null) requests["cpu"] = cpu;
        if (requests.Count > 0) container["resources"] = new JsonObject { ["requests"] = requests, ["limits"] = limits };
        var slug = new string([.. image.Split('@')[0].Split('/')[^1].Split(':')[0].ToLowerInvariant().Select(one => char.IsAsciiLetterOrDigit(one) ? one : '-')]).Trim('-');
        var metadata = name is not null ? new JsonObject { ["name"] = name } : new JsonObject { ["generateName"] = $"{(slug.Length == 0 ? "run" : slug[..Math.Min(slug.Length, 40)])}-" };
        return new JsonObject
        {
            ["apiVersion"] = "batch/v1",
            ["kind"] = "Job",
            ["metadata"] = metadata,
            ["spec"] = new JsonObject
            {
                ["backoffLimit"] = 0,
                ["ttlSecondsAfterFinished"] = 86400,
                ["template"] = new JsonObject
                {
                    ["spec"] = new JsonObject
                    {
                        ["restartPolicy"] = "Never",
                        ["automountServiceAccountToken"] = false,
                        ["securityContext"] = new JsonObject
                        {
                            ["runAsNonRoot"] = true,
                            ["runAsUser"] = 1000,
                            ["runAsGroup"] = 1000,
                            ["seccompProfile"] = new JsonObject { ["type"] = "RuntimeDefault" },
                        },
                        ["containers"] = new JsonArray(container),
                    },
                },
            },
        };
    }
}
