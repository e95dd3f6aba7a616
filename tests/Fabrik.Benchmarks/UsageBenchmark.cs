using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Fabrik.CronJobs.Usage;
using Fabrik.Runs;
using Fabrik.Runs.Usage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Benchmarks;

/// <summary>
/// What an hour of a busy cluster used, out of a real Prometheus: 3,000 Jobs of ten minutes each, sampled each 30 s, every container scraped
/// twice and with its Pod's own series beside it.
/// </summary>
internal static partial class UsageBenchmark
{
    private const int Jobs = 3_000;
    private const int Samples = 20;
    private static readonly DateTimeOffset Start = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    public static async Task<int> RunAsync(string[] args)
    {
        var directory = Directory.CreateTempSubdirectory("fabrik-usage-");
        var (text, data, config) = (Path.Combine(directory.FullName, "samples.txt"), Path.Combine(directory.FullName, "data"), Path.Combine(directory.FullName, "prometheus.yml"));
        await File.WriteAllTextAsync(text, Exposed());
        await File.WriteAllTextAsync(config, "{}");
        using (var backfill = Run("promtool", "tsdb", "create-blocks-from", "openmetrics", text, data)) await backfill.WaitForExitAsync();
        using var prometheus = Run("prometheus", $"--config.file={config}", $"--storage.tsdb.path={data}", "--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:0");
        try
        {
            var (port, ready) = (0, false);
            while ((port == 0 || !ready) && await prometheus.StandardError.ReadLineAsync() is { } line)
            {
                if (Listening().Match(line) is { Success: true } found) port = int.Parse(found.Groups["port"].Value, CultureInfo.InvariantCulture);
                ready |= line.Contains("ready to receive", StringComparison.Ordinal);
            }

            return await MeasureAsync(new Uri($"http://127.0.0.1:{port}"), TimeProvider.System);
        }
        finally
        {
            prometheus.Kill();
            await prometheus.WaitForExitAsync();
            directory.Delete(recursive: true);
        }
    }

    private static async Task<int> MeasureAsync(Uri url, TimeProvider clock)
    {
        using var metrics = new UsageMetrics();
        using var client = new PrometheusClient(new PrometheusOptions { Url = url }, metrics, clock);
        var states = new SourceStates(metrics, clock, NullLogger<SourceStates>.Instance);
        var readings = new PrometheusReadings(client, states, clock);
        await readings.ProbeAsync(default);
        var pods = Enumerable.Range(0, Jobs).Select(job => new PodWindow($"{job}", "ci", Name(job), Begins(job).AddMinutes(-1), Begins(job).AddMinutes(11), Begins(job))).ToList();
        var correct = 0;
        for (var turn = 0; turn < 2; turn++)
        {
            var (began, before) = (clock.GetTimestamp(), Environment.CpuUsage.TotalTime);
            var found = await readings.AskAsync(pods, default);
            var usages = found.ToDictionary(one => one.Key, one => UsageRules.Summarise(one.Value.Pods, "main", new MissingSources(), settled: true), StringComparer.Ordinal);
            correct = usages.Count(one => one.Value is { MeanCpuMillis: 100, Samples: Samples } usage && usage.PeakMemoryBytes == int.Parse(one.Key, CultureInfo.InvariantCulture) + 1);
            Console.WriteLine($"{correct:N0} of {Jobs:N0} runs, {3 * PrometheusBatch.Plan(pods).Count} queries: {clock.GetElapsedTime(began).TotalSeconds:0.00} s, {(Environment.CpuUsage.TotalTime - before).TotalSeconds:0.00} s of CPU here{(turn == 0 ? " (first, cold)" : "")}");
        }

        return correct == Jobs ? 0 : 1;
    }

    private static string Exposed()
    {
        var (memory, cpu) = (new StringBuilder("# TYPE container_memory_working_set_bytes gauge\n"), new StringBuilder("# TYPE container_cpu_usage_seconds counter\n"));
        for (var job = 0; job < Jobs; job++)
        {
            foreach (var labels in (string[])["container=\"main\",job=\"cadvisor\",id=\"/c\"", "container=\"main\",job=\"resource\"", "container=\"\",job=\"cadvisor\",id=\"/p\""])
            {
                for (var n = 1; n <= Samples; n++)
                {
                    var tail = $"{{namespace=\"ci\",pod=\"{Name(job)}\",{labels}}}";
                    memory.Append(CultureInfo.InvariantCulture, $"container_memory_working_set_bytes{tail} {job + 1} {Begins(job).AddSeconds(n * 30).ToUnixTimeSeconds()}\n");
                    cpu.Append(CultureInfo.InvariantCulture, $"container_cpu_usage_seconds_total{tail} {n * 3} {Begins(job).AddSeconds(n * 30).ToUnixTimeSeconds()}\n");
                }
            }
        }

        return $"{memory}{cpu}# EOF\n";
    }

    private static DateTimeOffset Begins(int job) => Start.AddSeconds(job * 3600L / Jobs);

    private static string Name(int job) => $"implementation-{job:0000}-x7k2p";

    private static Process Run(string program, params string[] arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = program == "promtool", UseShellExecute = false })!;

    [GeneratedRegex("msg=\"Listening on\" address=127\\.0\\.0\\.1:(?<port>[0-9]+)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Listening();
}
