using System.Globalization;
using Fabrik.Benchmarks.Webhook;

namespace Fabrik.Benchmarks.Gateway;

/// <summary>
/// The gateway with all it does (token, metering, budget, ledger) beside a bare YARP route, nginx as a plain reverse proxy and no proxy at all, in
/// turns, so that what disturbs one disturbs all. The provider is nginx with a fixed answer. Figures are ratios: every process shares the cores.
/// </summary>
internal static class GatewayBenchmark
{
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
            using var provider = await GatewayServers.NginxAsync(nginx, home, "provider", Provider());
            await using var api = await GatewayServers.ApiAsync();
            var token = GatewayServers.Prepare(home, provider.Url);
            using var plain = await GatewayServers.NginxAsync(nginx, home, "plain", Plain(provider.Url));
            using var yarp = await GatewayServers.YarpAsync(provider.Url);
            using var gateway = await GatewayServers.GatewayAsync(home, api.Urls.First());
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
            Console.WriteLine($"usage taken in by the API: {GatewayServers.Taken} events");
            return 0;
        }
        finally
        {
            Directory.Delete(home, recursive: true);
        }
    }

    private static async Task<(double Rate, double Cpu)> LoadAsync(string wrk, string script, Server server, int connections, int seconds)
    {
        var before = server.CpuSeconds;
        var text = await Tools.RunAsync(wrk, null, "-t1", $"-c{connections}", $"-d{seconds}s", "-s", script, $"{server.Url}/openai/v1/chat/completions");
        if (text.Contains("Non-2xx", StringComparison.Ordinal)) throw new InvalidOperationException(text);
        var rate = double.Parse(text.Split("Requests/sec:")[1].Split('\n')[0].Trim(), CultureInfo.InvariantCulture);
        return (rate, (server.CpuSeconds - before) * 1e6 / (rate * seconds));
    }

    /// <summary>A stream where the request asks for one: the body is read for that.</summary>
    public static string Provider()
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

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }
}
