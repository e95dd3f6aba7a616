using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Fabrik.Runs.Usage;

/// <summary>A value at a time, as Prometheus stored it.</summary>
[StructLayout(LayoutKind.Auto)]
public readonly record struct PrometheusSample(DateTimeOffset At, double Value);

/// <summary>One series of an answer, with the labels that matter here ("" where it has none). Samples are finite, not negative, and in order of time.</summary>
public sealed record PrometheusSeries(string Namespace, string Pod, string Container, string Id, IReadOnlyList<PrometheusSample> Samples);

/// <summary>What Prometheus' query API answered: a vector or a matrix, both as series.</summary>
/// <param name="Warnings">Not empty where something may be missing, as when one store of several did not answer.</param>
public sealed record PrometheusAnswer(IReadOnlyList<PrometheusSeries> Series, IReadOnlyList<string> Warnings)
{
    private const int MaximumWarnings = 10;
    private const int MaximumText = 300;
    private const long LastSecond = 253_402_300_799; // of the year 9999

    /// <exception cref="SourceException">Prometheus says that it failed, or this is no answer of it.</exception>
    public static PrometheusAnswer Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            return Read(document.RootElement);
        }
        catch (JsonException e)
        {
            throw new SourceException(UsageGap.BadAnswer, "the answer is not JSON, or not all of it came", e);
        }
    }

    private static PrometheusAnswer Read(JsonElement root)
    {
        if (root.Text("status") == "error") throw Failure(root);
        var data = root.Get("data");
        if (root.Text("status") != "success" || data.Text("resultType") is not ("vector" or "matrix" or "scalar"))
            throw new SourceException(UsageGap.BadAnswer, "the answer is JSON, but not of a Prometheus query");
        return new PrometheusAnswer(
            [.. data.Items("result").Where(one => one.ValueKind == JsonValueKind.Object).Select(ReadSeries)],
            [.. root.Items("warnings").Where(one => one.ValueKind == JsonValueKind.String).Take(MaximumWarnings).Select(one => Cut(one.GetString()!))]);
    }

    private static SourceException Failure(JsonElement root)
    {
        var (type, why) = (root.Text("errorType") ?? "", Cut(root.Text("error") ?? ""));
        return new SourceException(type switch { "timeout" or "canceled" => UsageGap.TimedOut, "unavailable" => UsageGap.Unavailable, _ => UsageGap.BadAnswer }, $"Prometheus says {Cut(type)}: {why}");
    }

    private static PrometheusSeries ReadSeries(JsonElement series)
    {
        var labels = series.Get("metric");
        var samples = series.Get("value") is { } one ? [one] : series.Items("values");
        return new PrometheusSeries(
            labels.Text("namespace") ?? "", labels.Text("pod") ?? "", labels.Text("container") ?? "", labels.Text("id") ?? "",
            [.. samples.Select(Sample).OfType<PrometheusSample>().OrderBy(sample => sample.At)]);
    }

    /// <summary>[seconds, "value"]; null for NaN, infinities and everything that is not a measurement.</summary>
    private static PrometheusSample? Sample(JsonElement pair)
    {
        if (pair.ValueKind != JsonValueKind.Array || pair.GetArrayLength() != 2) return null;
        var (at, value) = (pair[0], pair[1]);
        if (at.ValueKind != JsonValueKind.Number || !at.TryGetDouble(out var seconds) || !(seconds >= 0 && seconds <= LastSecond)) return null;
        return value.ValueKind == JsonValueKind.String && double.TryParse(value.GetString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) && number >= 0
            ? new PrometheusSample(DateTimeOffset.UnixEpoch.AddTicks((long)(seconds * TimeSpan.TicksPerSecond)), number)
            : null;
    }

    /// <summary>Foreign text for a log: short, and on one line.</summary>
    private static string Cut(string text) => string.Concat(text.Take(MaximumText).Select(letter => char.IsControl(letter) ? ' ' : letter));
}
