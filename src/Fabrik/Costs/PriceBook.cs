using System.Text.Json;
using System.Text.Json.Serialization;
using Fabrik.Runs;

namespace Fabrik.Costs;

/// <summary>What an hour of reserved resources costs, net.</summary>
/// <param name="ValidFrom">The day from which on the prices hold.</param>
/// <param name="Currency">ISO 4217.</param>
/// <param name="CpuHour">Of one core.</param>
/// <param name="MemoryHour">Of one GiB.</param>
/// <param name="Source">Where they are from, for people.</param>
public sealed record PriceBook(DateOnly ValidFrom, string Currency, decimal CpuHour, decimal MemoryHour, string Source)
{
    private const int Limit = 64 << 10;
    private const double Gibibyte = 1024.0 * 1024 * 1024;

    /// <summary>A Hetzner CX33 (4 cores, 8 GiB, EUR 0.0104 an hour since April 2026), half for its cores and half for its memory.</summary>
    public static PriceBook Default { get; } = new(new DateOnly(2026, 4, 1), "EUR", 0.0104m / 2 / 4, 0.0104m / 2 / 8, "Hetzner CX33 since April 2026, half for cores and half for memory");

    /// <exception cref="FormatException">The file cannot be read or has no prices; the message says what to do.</exception>
    public static PriceBook Load(string path)
    {
        try
        {
            if (new FileInfo(path).Length > Limit) throw new FormatException($"{path} is larger than {Limit} bytes; a price book has five fields");
            var book = JsonSerializer.Deserialize(File.ReadAllText(path), PriceJson.Default.PriceBook);
            return book is { CpuHour: > 0, MemoryHour: > 0, Currency.Length: 3, Source: not null } ? book
                : throw new FormatException($"{path} is no price book: it needs validFrom, currency, cpuHour, memoryHour (above 0) and source");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new FormatException($"{path} cannot be read as a price book: {e.Message}. It is JSON with validFrom, currency, cpuHour, memoryHour and source", e);
        }
    }

    /// <summary>Of a run: what it reserved, or used where that is more, for as long as it ran. Null where nothing is known of either, or of the time.</summary>
    /// <param name="resources">As it ran; a request that is missing is what the limit says.</param>
    /// <param name="usage">Mean use counts for cores, the peak for memory.</param>
    /// <param name="seconds">From start to end.</param>
    public double? Of(RunResources resources, RunUsage? usage, double? seconds)
    {
        var cpu = Most(resources.CpuRequestMillis ?? resources.CpuLimitMillis, usage?.MeanCpuMillis);
        var memory = Most(resources.MemoryRequestBytes ?? resources.MemoryLimitBytes, usage?.PeakMemoryBytes);
        return cpu is null && memory is null ? null : seconds / 3600 * (((cpu ?? 0) / 1000.0 * (double)CpuHour) + ((memory ?? 0) / Gibibyte * (double)MemoryHour));
    }

    /// <summary>
    /// Of what a run of an experiment had reserved, for as long as it ran: null where neither resource is known, or where the change gave it one
    /// that it had not asked for, or took one away, as then there is nothing to compare it with.
    /// </summary>
    public double? Of(Member run)
    {
        var (given, asked) = (run.Applied, run.Requested);
        var comparable = (given.CpuRequestMillis ?? given.CpuLimitMillis) is null == (asked.CpuRequestMillis ?? asked.CpuLimitMillis) is null
            && (given.MemoryRequestBytes ?? given.MemoryLimitBytes) is null == (asked.MemoryRequestBytes ?? asked.MemoryLimitBytes) is null;
        return comparable ? Of(given, null, run.DurationSeconds) : null;
    }

    private static long? Most(long? reserved, long? used) => used is { } known && !(reserved > known) ? known : reserved;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, NumberHandling = JsonNumberHandling.AllowReadingFromString)]
[JsonSerializable(typeof(PriceBook))]
internal sealed partial class PriceJson : JsonSerializerContext;
