using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Fabrik.Benchmarks.Webhook;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace Fabrik.Benchmarks.Gateway;

/// <summary>
/// The gateway with all it does (token, metering, budget, ledger) beside a bare YARP route, nginx as a plain reverse proxy and no proxy at all, in
/// turns, so that what disturbs one disturbs all. The provider is nginx with a fixed answer. Figures are ratios: every process shares the cores.
/// </summary>
internal static class GatewayBenchmark
{
    public const string BareYarp = "bare-yarp";
    private const string Chat = """{"model":"gpt-4o-mini","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"Say twenty words about the sea."}],"max_tokens":64}""";
    private const int Deltas = 20;

    /// <summary>Seconds for each server before anything is measured: both are compiled as they run.</summary>
    private const int Warm = 8;

    public static async Task<int> RunAsync(string[] args)
    {
        var (rounds, seconds) = args.Contains("--long") ? (7, 5) : (3, 3);
        var wrk = Tools.Find("wrk", "wrk");
        var nginx = Tools.Find("nginx", "nginx-light", "/usr/sbin");
        var home = Directory.CreateTempSubdirectory("fabrik-gateway-bench-").FullName;
        try
        {
            using var provider = await NginxAsync(nginx, home, "provider", Provider());
            await using var api = await ApiAsync();
            var token = Prepare(home, provider.Url);
            using var plain = await NginxAsync(nginx, home, "plain", Plain(provider.Url));
            using var yarp = await OwnAsync(["exec", typeof(GatewayBenchmark).Assembly.Location, BareYarp, Port(out var yarpPort), provider.Url], yarpPort, []);
            using var gateway = await OwnAsync(["exec", typeof(Fabrik.Proxy.ProxyOptions).Assembly.Location], Number(Port(out var gatewayPort)), Environment(home, gatewayPort, api.Urls.First()));
            Server[] servers = [provider, plain, yarp, gateway];
            string[] names = ["direct", "nginx", "bare YARP", "Fabrik"];
            Console.WriteLine($"{"",-28} {string.Join(" ", names.Select(name => $"{name,12}"))}   Fabrik/YARP: requests, CPU");
            foreach (var (title, body, connections) in ((string, string, int)[])[("chat, 16 connections", Chat, 16), ("chat, 64 connections", Chat, 64), ("stream, 16 connections", Chat.Replace("{\"model\"", "{\"stream\":true,\"stream_options\":{\"include_usage\":true},\"model\"", StringComparison.Ordinal), 16)])
            {
                var script = Path.Combine(home, $"{title.Replace(' ', '-').Replace(",", "", StringComparison.Ordinal)}.lua");
                await File.WriteAllTextAsync(script, $"wrk.method=\"POST\"\nwrk.body=[[{body}]]\nwrk.headers[\"Content-Type\"]=\"application/json\"\nwrk.headers[\"Authorization\"]=\"Bearer {token}\"\n");
                var loads = servers.Select(_ => new List<(double Rate, double Cpu)>()).ToArray();
                foreach (var server in servers) await LoadAsync(wrk, script, server, connections, Warm);
                for (var round = 0; round < rounds; round++)
                    for (var i = 0; i < servers.Length; i++) loads[i].Add(await LoadAsync(wrk, script, servers[i], connections, seconds));
                var medians = loads.Select(some => (Rate: Median(some.Select(one => one.Rate)), Cpu: Median(some.Select(one => one.Cpu)))).ToArray();
                Console.WriteLine($"{title + ", requests/s",-28} {string.Join(" ", medians.Select(one => $"{one.Rate,12:0}"))}   {medians[3].Rate / medians[2].Rate:0.00}");
                Console.WriteLine($"{"  CPU a request, us",-28} {"",12} {string.Join(" ", medians.Skip(1).Select(one => $"{one.Cpu,12:0}"))}         {medians[3].Cpu / medians[2].Cpu:0.00}");
            }

            Console.WriteLine($"{"resident memory, MiB",-28} {string.Join(" ", servers.Select(server => $"{server.ResidentMiB,12:0}"))}");
            Console.WriteLine($"usage taken in by the API: {taken} events");
            return 0;
        }
        finally
        {
            Directory.Delete(home, recursive: true);
        }
    }

    /// <summary>The other side of the comparison, in a process of its own.</summary>
    public static async Task<int> BareYarpAsync(string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, Number(args[0])));
        builder.Services.AddHttpForwarder();
        var app = builder.Build();
        var invoker = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false, AutomaticDecompression = DecompressionMethods.None, ActivityHeadersPropagator = null });
        var forwarder = app.Services.GetRequiredService<IHttpForwarder>();
        app.MapGet(Names.Paths.Ready, () => "ok");
        app.MapFallback(async http =>
        {
            await forwarder.SendAsync(http, args[1], invoker);
        });
        await app.RunAsync();
        return 0;
    }

    private static long taken;

    private static async Task<(double Rate, double Cpu)> LoadAsync(string wrk, string script, Server server, int connections, int seconds)
    {
        var before = server.CpuSeconds;
        var text = await Tools.RunAsync(wrk, null, "-t1", $"-c{connections}", $"-d{seconds}s", "-s", script, $"{server.Url}/openai/v1/chat/completions");
        if (text.Contains("Non-2xx", StringComparison.Ordinal)) throw new InvalidOperationException(text);
        var rate = double.Parse(text.Split("Requests/sec:")[1].Split('\n')[0].Trim(), CultureInfo.InvariantCulture);
        return (rate, (server.CpuSeconds - before) * 1e6 / (rate * seconds));
    }

    private static string Prepare(string home, string provider)
    {
        var key = Convert.ToBase64String(Encoding.ASCII.GetBytes("0123456789abcdef0123456789abcdef"));
        Directory.CreateDirectory(Path.Combine(home, "keys"));
        File.WriteAllText(Path.Combine(home, "keys", "bench"), "sk-bench");
        File.WriteAllText(Path.Combine(home, "token.key"), key);
        File.WriteAllText(Path.Combine(home, "config.json"), $$"""{"providers":[{"name":"openai","format":"openai","url":"{{provider}}/openai/v1","keys":[{"name":"bench"}]}]}""");
        return RunToken.Mint(new RunClaims("benchmarkrunidbenchmarkrun", "agents", "search", "treatment", "memory-4gi", "impl", null, TimeProvider.System.GetUtcNow().AddDays(1)), RunTokenKeys.Parse(Encoding.ASCII.GetBytes(key)));
    }

    private static Dictionary<string, string> Environment(string home, int port, string api) => new()
    {
        [Names.Variables.GatewayConfig] = Path.Combine(home, "config.json"),
        [Names.Variables.ProviderKeyDirectory] = Path.Combine(home, "keys"),
        [Names.Variables.RunTokenKeyFile] = Path.Combine(home, "token.key"),
        [Names.Variables.SpoolDirectory] = Path.Combine(home, "spool"),
        [Names.Variables.ApiUrl] = api,
        [Names.Variables.ApiTokenFile] = Path.Combine(home, "token.key"),
        [Names.Variables.GatewayPort] = port.ToString(CultureInfo.InvariantCulture),
        ["DOTNET_gcServer"] = "0",
    };

    /// <summary>Leases of two large budgets, and a ledger that only counts.</summary>
    private static async Task<WebApplication> ApiAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var desk = new LeaseDesk(DateTimeOffset.UnixEpoch);
        ModelBudget[] budgets = [new("cluster", BudgetScope.Parse("cluster")!, BudgetPeriod.Month, 1L << 50, "USD", true), new("run", BudgetScope.Parse("run")!, BudgetPeriod.Total, 1L << 50, "USD", true)];
        app.MapPost(Names.Paths.Leases, async http =>
        {
            var request = await JsonSerializer.DeserializeAsync(http.Request.Body, GatewayJson.Default.LeaseRequest);
            await JsonSerializer.SerializeAsync(http.Response.Body, desk.Answer(request!, budgets, (_, _, _) => 0, TimeProvider.System.GetUtcNow()), GatewayJson.Default.LeaseAnswer);
        });
        app.MapPost(Names.Paths.Usage, async http =>
        {
            using var body = await JsonDocument.ParseAsync(http.Request.Body);
            Interlocked.Add(ref taken, body.RootElement.GetArrayLength());
        });
        await app.StartAsync();
        return app;
    }

    private static Task<Server> OwnAsync(string[] arguments, int port, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo("dotnet", arguments);
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return StartAsync(start, port);
    }

    private static Task<Server> OwnAsync(string[] arguments, string port, Dictionary<string, string> environment) => OwnAsync(arguments, Number(port), environment);

    private static async Task<Server> NginxAsync(string nginx, string home, string name, string locations)
    {
        var port = Server.FreePort();
        var directory = Path.Combine(home, name);
        Directory.CreateDirectory(directory);
        await File.WriteAllTextAsync(Path.Combine(directory, "nginx.conf"), $$"""
            daemon off; master_process off; pid {{directory}}/pid; error_log stderr crit;
            events { worker_connections 4096; }
            http {
              access_log off; client_body_temp_path {{directory}}; proxy_temp_path {{directory}}; fastcgi_temp_path {{directory}}; uwsgi_temp_path {{directory}}; scgi_temp_path {{directory}};
              keepalive_requests 100000000;
              {{locations.Replace("PORT", port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)}}
            }
            """);
        return await StartAsync(new ProcessStartInfo(nginx, ["-p", directory, "-c", Path.Combine(directory, "nginx.conf")]), port);
    }

    private static async Task<Server> StartAsync(ProcessStartInfo start, int port)
    {
        using var http = new HttpClient();
        return await Server.StartAsync(start, $"http://127.0.0.1:{port}", async () =>
        {
            try
            {
                using var answer = await http.GetAsync($"http://127.0.0.1:{port}{Names.Paths.Ready}");
                return answer.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        });
    }

    /// <summary>A stream where the request asks for one: the body is read for that.</summary>
    private static string Provider()
    {
        const string head = "\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1789000000,\"model\":\"gpt-4o-mini\""; // nginx takes 4 KiB in all
        var whole = "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1789000000,\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"" + string.Concat(Enumerable.Repeat("a word of the sea ", 20)) + "\",\"refusal\":null},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":25,\"completion_tokens\":64,\"total_tokens\":89},\"service_tier\":\"default\"}";
        var stream = string.Concat(Enumerable.Range(0, Deltas).Select(number => $"data: {{{head},\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"word{number} \"}}}}],\"usage\":null}}\\n\\n"))
            + $"data: {{{head},\"choices\":[],\"usage\":{{\"prompt_tokens\":25,\"completion_tokens\":{Deltas},\"total_tokens\":45}}}}\\n\\ndata: [DONE]\\n\\n";
        return $$"""
            server {
              listen 127.0.0.1:PORT; client_max_body_size 16m;
              location = /readyz { return 200 ok; }
              location / {
                if ($content_length ~ "^2[0-9][0-9]$") { set $kind stream; }
                if ($kind = stream) { add_header X-Kind stream; return 418; }
                default_type application/json;
                return 200 '{{whole}}';
              }
              error_page 418 =200 @stream;
              location @stream { default_type text/event-stream; return 200 '{{stream.Replace("\\n", "\n", StringComparison.Ordinal)}}'; }
            }
            """;
    }

    private static string Plain(string provider) => $$"""
        upstream models { server {{provider["http://".Length..]}}; keepalive 128; keepalive_requests 100000000; }
        server {
          listen 127.0.0.1:PORT; client_max_body_size 16m;
          location = /readyz { return 200 ok; }
          location / { proxy_pass http://models; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
        }
        """;

    private static string Port(out int port) => (port = Server.FreePort()).ToString(CultureInfo.InvariantCulture);

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }
}
