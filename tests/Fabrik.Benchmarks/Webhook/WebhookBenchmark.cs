using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;

namespace Fabrik.Benchmarks.Webhook;

/// <summary>
/// The release webhook against a minimal Go one: both under TLS on this machine, in alternating rounds of the same load. With --long a
/// million more reviews, to see memory grow or not.
/// </summary>
internal static class WebhookBenchmark
{
    private const int Rounds = 6;
    private const int Seconds = 5;
    private static readonly string Checkout = Path.GetFullPath(Path.Combine(Here(), "..", "..", ".."));

    public static async Task<int> RunAsync(string[] args)
    {
        var directory = Directory.CreateTempSubdirectory("fabrik-benchmark-").FullName;
        try
        {
            return await RunAsync(directory, args.Contains("--long"));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<int> RunAsync(string directory, bool longer)
    {
        var wrk = Tools.Find("wrk", "wrk");
        var go = Tools.Find("go", "golang-go", "/usr/lib/go-1.19/bin");
        var body = Path.Combine(Checkout, "tests", "testdata", "admission", "reviews", "jobs-create-generate-name-indexed.json");
        var script = Path.Combine(directory, "post.lua");
        await File.WriteAllTextAsync(script, $"""
            wrk.method = "POST"
            wrk.headers["Content-Type"] = "application/json"
            local file = io.open("{body}")
            wrk.body = file:read("*a")
            file:close()
            """);
        await Tools.RunAsync(go, Path.Combine(Here(), "..", "go-peer"), "build", "-o", Path.Combine(directory, "gopeer"), ".");
        await Tools.RunAsync(
            "dotnet", Checkout, "publish", "webhook", "-c", "Release", "-r", "linux-x64", "--self-contained", "false", "-o", Path.Combine(directory, "webhook"), "--nologo", "-v", "q",
            "-p:RestoreLockedMode=false", $"-p:NuGetLockFilePath={Path.Combine(directory, "packages.lock.json")}");

        await using var world = await World.StartAsync(directory, CancellationToken.None);
        using var http = new HttpClient(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true } });
        var content = await File.ReadAllBytesAsync(body);
        using var ours = await WebhookAsync(directory, http);
        using var peer = await PeerAsync(directory, http, content);
        await ShowAnswerAsync(http, ours.Url, content);

        foreach (var server in new[] { ours, peer }) await Tools.LoadAsync(wrk, script, server.Url, Seconds);
        var (mine, theirs) = (new List<Load>(), new List<Load>());
        var before = await AllocatedAsync(http, ours.Url);
        for (var round = 0; round < Rounds; round++)
        {
            mine.Add(await RoundAsync(wrk, script, ours));
            theirs.Add(await RoundAsync(wrk, script, peer));
            Console.WriteLine($"round {round + 1}: webhook {Show(mine[^1])}; Go {Show(theirs[^1])}");
        }

        var after = await AllocatedAsync(http, ours.Url);
        var ok = Report(mine, theirs, ours, (after.Bytes - before.Bytes) / (after.Reviews - before.Reviews) / 1024);
        if (longer) ok &= await LongAsync(wrk, script, ours, http);
        return ok ? 0 : 1;
    }

    private static async Task<Load> RoundAsync(string wrk, string script, Server server)
    {
        var before = server.CpuSeconds;
        var load = await Tools.LoadAsync(wrk, script, server.Url, Seconds);
        return load with { CpuMicros = (server.CpuSeconds - before) / (load.PerSecond * Seconds) * 1e6 };
    }

    private static bool Report(List<Load> mine, List<Load> theirs, Server ours, double allocated)
    {
        var (rate, half, tail) = (Median(mine, load => load.PerSecond), Median(mine, load => load.P50), Median(mine, load => load.P99));
        var ok = mine.Concat(theirs).Sum(load => load.Errors) == 0;
        Console.WriteLine($"medians: webhook {rate:0}/s, p50 {half:0.00} ms, p99 {tail:0.00} ms; Go {Median(theirs, load => load.PerSecond):0}/s, p50 {Median(theirs, load => load.P50):0.00} ms, p99 {Median(theirs, load => load.P99):0.00} ms");
        ok &= Check("requests per second, times Go's", Median(mine.Zip(theirs, (a, b) => a.PerSecond / b.PerSecond)), 1.3, least: true);
        Console.WriteLine($"processor time for one review: webhook {Median(mine, load => load.CpuMicros):0} us, Go {Median(theirs, load => load.CpuMicros):0} us");
        ok &= Check("p50, times Go's", Median(mine.Zip(theirs, (a, b) => a.P50 / b.P50)), 0.85, least: false);
        ok &= Check("p99, ms", tail, 5, least: false);
        ok &= Check("resident memory, MiB", ours.ResidentMiB, 100, least: false);
        ok &= Check("start to ready, s", ours.ToReady.TotalSeconds, 2, least: false);
        ok &= Check("allocated for one review, KiB", allocated, 64, least: false);
        return ok;
    }

    /// <summary>A million reviews after the warm-up: what is resident afterwards is not more than before, apart from the collector's rhythm.</summary>
    private static async Task<bool> LongAsync(string wrk, string script, Server ours, HttpClient http)
    {
        var (first, begin) = (ours.ResidentMiB, (await AllocatedAsync(http, ours.Url)).Reviews);
        while ((await AllocatedAsync(http, ours.Url)).Reviews < begin + 1_000_000) await Tools.LoadAsync(wrk, script, ours.Url, 20);
        Console.WriteLine($"a million reviews: {first:0.0} MiB before, {ours.ResidentMiB:0.0} MiB after");
        return Check("growth over a million reviews, MiB", ours.ResidentMiB - first, 5, least: false) & Check("resident memory, MiB", ours.ResidentMiB, 100, least: false);
    }

    private static bool Check(string what, double value, double bound, bool least)
    {
        var ok = least ? value >= bound : value <= bound;
        Console.WriteLine($"{(ok ? "ok  " : "MISS")} {what}: {value:0.00} (at {(least ? "least" : "most")} {bound:0.00})");
        return ok;
    }

    private static Task<Server> WebhookAsync(string directory, HttpClient http)
    {
        var port = Server.FreePort();
        var start = new ProcessStartInfo(Path.Combine(directory, "webhook", "Fabrik.Webhook"))
        {
            Environment =
            {
                [Names.Variables.WebhookPort] = port.ToString(CultureInfo.InvariantCulture),
                [Names.Variables.TlsDirectory] = directory,
                [Names.Variables.AssignmentKeyFile] = Path.Combine(directory, "assignment.key"),
                [Names.Variables.Kubeconfig] = Path.Combine(directory, "kubeconfig"),
            },
        };
        return Server.StartAsync(start, $"https://127.0.0.1:{port}{Names.Paths.MutateJobs}", () => AnswersAsync(() => http.GetAsync(new Uri($"https://127.0.0.1:{port}{Names.Paths.Ready}"))));
    }

    private static Task<Server> PeerAsync(string directory, HttpClient http, byte[] content)
    {
        var address = $"127.0.0.1:{Server.FreePort()}";
        var start = new ProcessStartInfo(Path.Combine(directory, "gopeer"), [address, Path.Combine(directory, "tls.crt"), Path.Combine(directory, "tls.key")]);
        return Server.StartAsync(start, $"https://{address}{Names.Paths.MutateJobs}", () => AnswersAsync(() => PostAsync(http, $"https://{address}{Names.Paths.MutateJobs}", content)));
    }

    private static async Task<bool> AnswersAsync(Func<Task<HttpResponseMessage>> ask)
    {
        try
        {
            using var answer = await ask();
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static async Task<HttpResponseMessage> PostAsync(HttpClient http, string url, byte[] content)
    {
        using var body = new ByteArrayContent(content);
        body.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return await http.PostAsync(new Uri(url), body);
    }

    private static async Task ShowAnswerAsync(HttpClient http, string url, byte[] content)
    {
        using var answer = await PostAsync(http, url, content);
        var response = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["response"]!;
        Console.WriteLine($"one answer: {Encoding.UTF8.GetString(Convert.FromBase64String((string?)response["patch"] ?? ""))}");
    }

    private static async Task<(double Bytes, double Reviews)> AllocatedAsync(HttpClient http, string url)
    {
        var metrics = await http.GetStringAsync(new Uri(new Uri(url), Names.Paths.Metrics));
        double Sum(string name) => metrics.Split('\n').Where(line => line.StartsWith(name, StringComparison.Ordinal)).Sum(line => double.Parse(line.Split(' ')[^1], CultureInfo.InvariantCulture));
        return (Sum("dotnet_gc_heap_total_allocated_bytes_total"), Sum("fabrik_webhook_review_duration_seconds_count"));
    }

    private static string Show(Load load) => $"{load.PerSecond:0}/s p50 {load.P50:0.00} p99 {load.P99:0.00} ms, {load.CpuMicros:0} us of processor each";

    private static double Median(IEnumerable<Load> loads, Func<Load, double> of) => Median(loads.Select(of));

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static string Here([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
