using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.CronJobs;
using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Hosting;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Runs;
using Fabrik.Sandbox.Composition;
using Fabrik.Sandbox.Server;
using Fabrik.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Benchmarks.Proposals;

/// <summary>
/// The optimizer over a million runs of 500 specs: one look at three experiments, and all that there is to propose, from nothing and then with
/// a thousand new runs. The cycle runs in a process of its own, so that its memory is its own.
/// </summary>
[SuppressMessage("Security", "CA5394", Justification = "made-up data")]
internal static class ProposeBenchmark
{
    private const int Runs = 1_000_000;
    private const int Specs = 500;
    private const int Batch = 20_000;
    private const int New = 1_000;
    private static readonly string[] Changes = ["first", "second", "third"];
    private static readonly DateTimeOffset Start = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);

    public static async Task<int> RunAsync(string[] args)
    {
        if (args is ["--cycle", var given]) return await CycleAsync(given);
        var clock = TimeProvider.System;
        var directory = Path.Combine(Path.GetTempPath(), $"fabrik-propose-{Environment.ProcessId}");
        try
        {
            var began = clock.GetTimestamp();
            using (var database = Database.Open(directory, clock)) Fill(database, 0, Runs);
            Console.WriteLine($"{Runs:N0} runs written in {clock.GetElapsedTime(began).TotalSeconds:0.0} s");
            var program = Environment.ProcessPath!;
            var start = new ProcessStartInfo(program, Path.GetFileNameWithoutExtension(program) == "dotnet" ? [typeof(ProposeBenchmark).Assembly.Location, "propose", "--cycle", directory] : ["propose", "--cycle", directory]);
            using var cycle = Process.Start(start)!;
            await cycle.WaitForExitAsync();
            return cycle.ExitCode;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<int> CycleAsync(string directory)
    {
        var clock = TimeProvider.System;
        await using var cluster = await SandboxServer.StartAsync(new SandboxServerOptions(), CancellationToken.None);
        var kubeconfig = Path.Combine(directory, "kubeconfig");
        await File.WriteAllTextAsync(kubeconfig, cluster.Kubeconfig);
        var config = ClusterConfig.FromKubeconfig(kubeconfig);
        using var client = new KubernetesClient(config, clock);
        await ClusterSetup.InstallAsync(client, clock, CancellationToken.None);
        await client.CreateAsync(Kinds.Namespace, null, new JsonObject { ["apiVersion"] = "v1", ["kind"] = Kinds.Namespace.Kind, ["metadata"] = new JsonObject { ["name"] = "ci" } }, CancellationToken.None);
        foreach (var (name, slot) in Changes.Select((name, slot) => (name, slot))) await StartedAsync(client, name, slot);
        using var database = Database.Open(directory, clock);

        // Without the pages of the database file, which the system takes back when it needs them.
        var peak = 0.0;
        using var watch = clock.CreateTimer(_ => peak = Math.Max(peak, Anonymous()), null, TimeSpan.Zero, TimeSpan.FromMilliseconds(50));
        var whole = await MeasureAsync(client, config, database, "from nothing");
        Fill(database, Runs, New);
        var next = await MeasureAsync(client, config, database, $"with {New:N0} new runs");
        var proposed = 0;
        await foreach (var _ in client.ListAsync(Kinds.OptimizationChange, Names.SystemNamespace, CancellationToken.None)) proposed++;
        Console.WriteLine($"{proposed - Changes.Length} changes proposed; at most {peak:0} MiB, the sandbox's API server included (target: 500)");
        var good = whole.TotalSeconds <= 10 && peak <= 500 && proposed > Changes.Length;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{whole.TotalSeconds / Runs * 1e6:0.0} us a run from nothing; {next.TotalMilliseconds:0} ms for the cycle after it"));
        Console.WriteLine(good ? "ok" : "missed");
        return good ? 0 : 1;
    }

    /// <summary>MiB of memory of this process' own.</summary>
    private static double Anonymous() => File.ReadLines("/proc/self/status").Where(line => line.StartsWith("RssAnon:", StringComparison.Ordinal))
        .Select(line => double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) / 1024).FirstOrDefault();

    private static async Task<TimeSpan> MeasureAsync(KubernetesClient client, ClusterConfig config, Database database, string what)
    {
        var clock = TimeProvider.System;
        using var metrics = new SchedulerMetrics(clock);
        using var told = new OptimizerMetrics();
        metrics.Leads(true);
        var options = new CronJobsOptions { Cluster = config };
        var objects = new OptimizerObjects(client, NullLogger<OptimizerObjects>.Instance);
        var analyses = new AnalysisStore(database);
        using var turn = new OptimizerTurn(client, objects, new TransitionStore(database), analyses, metrics, told, clock, NullLogger<OptimizerTurn>.Instance);
        var began = clock.GetTimestamp();
        await new AnalyseExperiments(turn, new MemberReader(database), new ModelCallStore(database), analyses, told, options, metrics, NullLogger<AnalyseExperiments>.Instance).RunAsync(CancellationToken.None);
        var analysed = clock.GetElapsedTime(began);
        await new ProposeChanges(client, objects, new ProfileStore(database), told, options, metrics, NullLogger<ProposeChanges>.Instance).RunAsync(CancellationToken.None);
        var took = clock.GetElapsedTime(began);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: {took.TotalSeconds:0.00} s, {analysed.TotalSeconds:0.00} of it for the look at {Changes.Length} experiments (target: 10 s from nothing)"));
        return took;
    }

    private static async Task StartedAsync(KubernetesClient client, string name, int slot)
    {
        await client.CreateAsync(Kinds.OptimizationChange, Names.SystemNamespace, new JsonObject
        {
            ["apiVersion"] = Names.ApiVersion,
            ["kind"] = Kinds.OptimizationChange.Kind,
            ["metadata"] = new JsonObject { ["name"] = name },
            ["spec"] = new JsonObject { ["type"] = "resource", ["target"] = new JsonObject { ["namespaces"] = new JsonArray("elsewhere") }, ["change"] = new JsonObject { ["memoryLimit"] = "4Gi" } },
        }, CancellationToken.None);
        await client.PatchAsync(
            Kinds.OptimizationChange, Names.SystemNamespace, name, PatchType.Merge,
            new JsonObject { ["status"] = new JsonObject { ["phase"] = "experiment_running", ["slot"] = slot, ["share"] = 0.1, ["experimentId"] = $"exp-{slot}", ["startedAt"] = Start.ToString("O") } },
            CancellationToken.None, new WriteOptions { Subresource = "status" });
    }

    /// <summary>A tenth of all runs is in each experiment; a third of the specs is too small, a third too large.</summary>
    private static void Fill(Database database, int from, int count)
    {
        var (runs, usages) = (new RunStore(database), new UsageStore(database));
        var random = new Random(from + 1);
        for (var next = from; next < from + count; next += Batch)
        {
            var batch = Enumerable.Range(next, Math.Min(Batch, from + count - next)).Select(number => Made(number, random)).ToList();
            runs.Write(batch.Select(run => new RunChange(run, new Evidence { Id = run.Id, Job = null }, [], null)));
            usages.Settle([.. batch.Select(run => (run.Id, new RunUsage
            {
                Source = UsageSource.Prometheus,
                PeakMemoryBytes = Need(run.SpecType!, random),
                P95CpuMillis = 200,
                MeanCpuMillis = 150,
                Samples = 4,
                Settled = true,
            }))]);
        }
    }

    private static long Need(string spec, Random random) => (long)((1 + (spec[^1] - '0')) * 0.2 * (1L << 30) * Math.Exp(0.4 * ((random.NextDouble() * 2) - 1)));

    private static Run Made(int number, Random random)
    {
        var (spec, created) = ($"spec-{number % Specs}", Start.AddSeconds(number * 1.0));
        var isMember = number % 10 == 3;
        var arm = isMember ? number % 100 == 3 ? Arm.Treatment : Arm.Control : Arm.None;
        var killed = number % Specs % 3 == 0 && random.NextDouble() < 0.2;
        return new Run
        {
            Id = $"uid-{number}",
            Namespace = "ci",
            Name = $"job-{number}",
            Arm = arm,
            Change = arm == Arm.Treatment ? Changes[number / 100 % 3] : null,
            Experiments = arm == Arm.Treatment ? [Changes[number / 100 % 3]] : arm == Arm.Control ? [.. Changes] : [],
            SpecType = spec,
            Stratum = $"stratum-{number % Specs}",
            Containers = 1,
            Requested = Given,
            Applied = Given,
            CreatedAt = created,
            StartedAt = created,
            FinishedAt = created.AddSeconds(60 + (number % 7)),
            Outcome = killed ? Outcome.Failed : Outcome.Succeeded,
            OomKilled = killed,
        };
    }

    private static RunResources Given { get; } = new() { MemoryRequestBytes = 1L << 30, MemoryLimitBytes = 2L << 30, CpuRequestMillis = 1000, CpuLimitMillis = 2000 };
}
