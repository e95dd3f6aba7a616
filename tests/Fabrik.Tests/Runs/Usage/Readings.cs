using Fabrik.Runs;
using Fabrik.Runs.Usage;

namespace Fabrik.Tests.Runs.Usage;

/// <summary>Readings and series with sane defaults; a test says only what matters to it.</summary>
internal static class Readings
{
    public static readonly DateTimeOffset Start = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    public static DateTimeOffset At(double seconds) => Start.AddSeconds(seconds);

    public static ContainerReading Memory(double at, long bytes, string container = "main") =>
        new() { Namespace = "ci", Pod = "a-1", Container = container, At = At(at), MemoryBytes = bytes };

    public static ContainerReading Counter(double at, double coreSeconds, double? since = null, string container = "main") =>
        new() { Namespace = "ci", Pod = "a-1", Container = container, At = At(at), CpuCounter = coreSeconds, Since = since is { } start ? At(start) : null };

    public static ContainerReading Mean(double at, double window, double millis, string container = "main") =>
        new() { Namespace = "ci", Pod = "a-1", Container = container, At = At(at), CpuMillis = millis, Window = TimeSpan.FromSeconds(window) };

    public static ContainerTally Tally(params ContainerReading[] readings) => readings.Aggregate(new ContainerTally(), (tally, reading) => tally.Add(reading));

    public static PodTally Pod(UsageSource source, params ContainerReading[] readings) => readings.Aggregate(new PodTally { Source = source }, (tally, reading) => tally.Add(source, reading));

    public static PodWindow Window(string pod = "a-1", double from = 0, double to = 600, double? since = 0, string run = "run-1", string ns = "ci") =>
        new(run, ns, pod, At(from), At(to), since is { } start ? At(start) : null);

    public static PrometheusSeries Series(string container, string id, params (double At, double Value)[] samples) =>
        new("ci", "a-1", container, id, [.. samples.Select(sample => new PrometheusSample(At(sample.At), sample.Value))]);

    public static PrometheusAnswer Answer(params PrometheusSeries[] series) => new(series, []);
}
