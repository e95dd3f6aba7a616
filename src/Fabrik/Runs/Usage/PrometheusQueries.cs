using System.Globalization;
using System.Text;

namespace Fabrik.Runs.Usage;

/// <summary>The text of the queries. Label values are matched as they are, whatever characters they have.</summary>
public static class PrometheusQueries
{
    private const string Memory = "container_memory_working_set_bytes";
    private const string Cpu = "container_cpu_usage_seconds_total";

    /// <summary>All series of these Pods' containers and of the Pods as a whole; not of the pause container, which some runtimes show as POD.</summary>
    public static string Selector(IReadOnlyCollection<PodWindow> pods) =>
        $"{{namespace{Match(pods.Select(pod => pod.Namespace))},pod{Match(pods.Select(pod => pod.Pod))},container!=\"POD\"}}";

    /// <summary>The highest working set of each container; whoever scrapes it twice, and whichever other labels it changes, it is one container.</summary>
    public static string PeakMemory(string selector, TimeSpan range) => $"max by (namespace,pod,container) (max_over_time({Memory}{selector}{Range(range)}))";

    public static string MemorySamples(string selector, TimeSpan range) => $"max by (namespace,pod,container) (count_over_time({Memory}{selector}{Range(range)}))";

    /// <summary>The counters themselves, sample by sample: what was used before the first sample and after a restart is in no rate.</summary>
    public static string CpuCounters(string selector, TimeSpan range) => $"{Cpu}{selector}{Range(range)}";

    /// <summary>For a range query: the counter of each instance of a container at each step.</summary>
    public static string CpuAtSteps(string selector) => $"max by (namespace,pod,container,id) ({Cpu}{selector})";

    private static string Match(IEnumerable<string> values)
    {
        var all = values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        return all is [var only] ? $"=\"{Quote(only)}\"" : $"=~\"{Quote(string.Join('|', all.Select(Literal)))}\"";
    }

    /// <summary>As RE2 reads it literally.</summary>
    private static string Literal(string text)
    {
        var regex = new StringBuilder(text.Length + 8);
        foreach (var letter in text)
        {
            if (@"\.+*?()|[]{}^$".Contains(letter, StringComparison.Ordinal)) regex.Append('\\');
            regex.Append(letter);
        }

        return regex.ToString();
    }

    /// <summary>Inside double quotes.</summary>
    private static string Quote(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static string Range(TimeSpan range) => string.Create(CultureInfo.InvariantCulture, $"[{Math.Max(1, (long)Math.Ceiling(range.TotalSeconds))}s]");
}
