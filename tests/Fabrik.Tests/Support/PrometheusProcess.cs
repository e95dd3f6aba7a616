using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Fabrik.Tests.Support;

/// <summary>The Prometheus of this machine, on a port and with data of one test.</summary>
public sealed partial class PrometheusProcess : IAsyncDisposable
{
    private readonly DirectoryInfo directory;
    private readonly Process process;

    private PrometheusProcess(DirectoryInfo directory, Process process, Uri url) => (this.directory, this.process, Url) = (directory, process, url);

    public Uri Url { get; }

    /// <summary>Skips the test where the programs are not installed.</summary>
    public static void Need() =>
        Assert.SkipUnless(Path.Exists("/usr/bin/prometheus") && Path.Exists("/usr/bin/promtool"), "prometheus and promtool are not installed; on Debian: apt-get install prometheus");

    /// <param name="samples">OpenMetrics, with times; the families in one piece each.</param>
    /// <param name="web">Its web configuration, such as who may ask.</param>
    public static async Task<PrometheusProcess> StartAsync(string samples, string web = "{}")
    {
        Need();
        var home = Directory.CreateTempSubdirectory("fabrik-prometheus-");
        var (text, data, webFile, config) = (In("samples.txt"), In("data"), In("web.yml"), In("prometheus.yml"));
        await File.WriteAllTextAsync(text, samples + "# EOF\n");
        await File.WriteAllTextAsync(webFile, web);
        await File.WriteAllTextAsync(config, "{}");
        using (var backfill = Start("promtool", "tsdb", "create-blocks-from", "openmetrics", text, data))
        {
            var error = await backfill.StandardError.ReadToEndAsync();
            await backfill.WaitForExitAsync();
            backfill.ExitCode.ShouldBe(0, error);
        }

        var server = Start("prometheus", $"--config.file={config}", $"--storage.tsdb.path={data}", "--storage.tsdb.retention.time=100y", $"--web.config.file={webFile}", "--web.listen-address=127.0.0.1:0");
        var (port, ready, told) = (0, false, "");

        // The two come in either order.
        while ((port == 0 || !ready) && await server.StandardError.ReadLineAsync() is { } line)
        {
            told += line + "\n";
            if (Listening().Match(line) is { Success: true } found) port = int.Parse(found.Groups["port"].Value, CultureInfo.InvariantCulture);
            ready |= line.Contains("ready to receive web requests", StringComparison.Ordinal);
        }

        (ready && port > 0).ShouldBeTrue(told);
        _ = server.StandardError.ReadToEndAsync(); // nobody may wait for room in the pipe
        return new PrometheusProcess(home, server, new Uri($"http://127.0.0.1:{port}"));

        string In(string name) => Path.Combine(home.FullName, name);
    }

    public async ValueTask DisposeAsync()
    {
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        directory.Delete(recursive: true);
    }

    private static Process Start(string program, params string[] arguments) =>
        Process.Start(new ProcessStartInfo("/usr/bin/" + program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false })!;

    [GeneratedRegex("msg=\"Listening on\" address=127\\.0\\.0\\.1:(?<port>[0-9]+)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Listening();
}
