using System.Globalization;
using System.Text;

namespace Fabrik.Tests.CronJobs.Usage;

/// <summary>What a cluster's exporters would have told Prometheus, as OpenMetrics with times in seconds.</summary>
internal sealed class Exposed
{
    private const string Memory = "container_memory_working_set_bytes";
    private const string Cpu = "container_cpu_usage_seconds_total";
    private readonly StringBuilder memory = new($"# TYPE {Memory} gauge\n");
    private readonly StringBuilder cpu = new("# TYPE container_cpu_usage_seconds counter\n");

    /// <param name="labels">More labels than namespace, pod and container, as id="/x",job="cadvisor".</param>
    /// <param name="samples">Time, working set and counter; NaN leaves a value as it is.</param>
    public Exposed Add(string ns, string pod, string container, string labels, IEnumerable<(DateTimeOffset At, double Memory, double Cpu)> samples)
    {
        var series = $"{{namespace=\"{ns}\",pod=\"{pod}\",container=\"{container}\"{(labels.Length > 0 ? "," + labels : "")}}}";
        foreach (var (at, bytes, seconds) in samples)
        {
            var time = (at.ToUnixTimeMilliseconds() / 1000.0).ToString(CultureInfo.InvariantCulture);
            memory.Append(CultureInfo.InvariantCulture, $"{Memory}{series} {Text(bytes)} {time}\n");
            cpu.Append(CultureInfo.InvariantCulture, $"{Cpu}{series} {Text(seconds)} {time}\n");
        }

        return this;
    }

    /// <summary>Lines as an exporter writes them, with times in milliseconds.</summary>
    public Exposed AddRecorded(string text)
    {
        foreach (var line in text.Split('\n'))
        {
            var target = line.StartsWith(Memory + "{", StringComparison.Ordinal) ? memory : line.StartsWith(Cpu + "{", StringComparison.Ordinal) ? cpu : null;
            if (target is null) continue;
            var space = line.LastIndexOf(' ');
            target.Append(CultureInfo.InvariantCulture, $"{line[..space]} {(long.Parse(line[(space + 1)..], CultureInfo.InvariantCulture) / 1000.0).ToString(CultureInfo.InvariantCulture)}\n");
        }

        return this;
    }

    public override string ToString() => $"{memory}{cpu}";

    private static string Text(double value) => double.IsNaN(value) ? "NaN" : double.IsInfinity(value) ? "+Inf" : value.ToString(CultureInfo.InvariantCulture);
}
