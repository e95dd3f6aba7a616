using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Fabrik.Benchmarks.Webhook;

/// <summary>Requests per second, and milliseconds at the median and at 99 %.</summary>
internal sealed record Load(double PerSecond, double P50, double P99, int Errors)
{
    /// <summary>Processor time of the server for one request, in microseconds.</summary>
    public double CpuMicros { get; init; }
}

/// <summary>The programs from Debian that the benchmark needs.</summary>
internal static partial class Tools
{
    public static string Find(string name, string package, params string[] places)
    {
        var path = Environment.GetEnvironmentVariable("PATH")!.Split(':').Concat(places).Select(place => Path.Combine(place, name)).FirstOrDefault(File.Exists);
        return path ?? throw new InvalidOperationException($"{name} is not installed; on Debian: apt-get install {package}");
    }

    public static async Task<string> RunAsync(string program, string? directory, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false, WorkingDirectory = directory ?? "" };
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {output}{await error}");
    }

    /// <summary>16 keep-alive TLS connections from one thread of wrk: a tenth of what either server costs.</summary>
    public static async Task<Load> LoadAsync(string wrk, string script, string url, int seconds)
    {
        var text = await RunAsync(wrk, null, "-t1", "-c16", $"-d{seconds}s", "--latency", "-s", script, url);
        var errors = Errors().Match(text) is { Success: true } bad ? int.Parse(bad.Groups["n"].ValueSpan, CultureInfo.InvariantCulture) : 0;
        return new Load(double.Parse(Rate().Match(text).Groups["n"].ValueSpan, CultureInfo.InvariantCulture), Milliseconds(text, "50%"), Milliseconds(text, "99%"), errors);
    }

    private static double Milliseconds(string text, string percentile)
    {
        var line = text.Split('\n').Select(line => line.Trim()).First(line => line.StartsWith(percentile, StringComparison.Ordinal));
        var match = Duration().Match(line[percentile.Length..]);
        var number = double.Parse(match.Groups["n"].ValueSpan, CultureInfo.InvariantCulture);
        return match.Groups["unit"].Value switch { "us" => number / 1000, "ms" => number, _ => number * 1000 };
    }

    [GeneratedRegex(@"Requests/sec:\s*(?<n>[0-9.]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Rate();

    [GeneratedRegex(@"(?<n>[0-9.]+)(?<unit>us|ms|s)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Duration();

    [GeneratedRegex(@"Non-2xx or 3xx responses: (?<n>[0-9]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Errors();
}
