using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Fabrik.Benchmarks.Webhook;

namespace Fabrik.Benchmarks.Gateway;

/// <summary>
/// What open streams cost: memory of each beside a bare YARP route's, and how much later their first byte comes. And what a million calls leave behind.
/// </summary>
internal static class StreamsBenchmark
{
    private const string Body = """{"stream":true,"stream_options":{"include_usage":true},"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say many words about the sea."}],"max_tokens":64}""";
    private const string Whole = """{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say twenty words about the sea."}],"max_tokens":64}""";
    private const int Open = 5_000;
    private const int Firsts = 1_000;
    private const int Calls = 1_000_000;

    public static async Task<int> RunAsync(string[] args)
    {
        var home = Directory.CreateTempSubdirectory("fabrik-streams-bench-").FullName;
        try
        {
            using var provider = await GatewayServers.PacedAsync(TimeSpan.FromSeconds(2));
            await using var api = await GatewayServers.ApiAsync();
            var token = GatewayServers.Prepare(home, provider.Url);
            using var yarp = await GatewayServers.YarpAsync(provider.Url);
            using var gateway = await GatewayServers.GatewayAsync(home, api.Urls.First());
            await FirstBytesAsync([provider, yarp, gateway], token);
            await OpenStreamsAsync([yarp, gateway], token);
            if (args.Contains("--million")) await MillionAsync(home, gateway, token);
            return 0;
        }
        finally
        {
            Directory.Delete(home, recursive: true);
        }
    }

    /// <summary>One stream at a time, in turns, so that what is measured is the way and no queue.</summary>
    private static async Task FirstBytesAsync(Server[] servers, string token)
    {
        var times = servers.Select(_ => new List<double>()).ToArray();
        for (var round = -Firsts / 2; round < Firsts; round++)
            for (var i = 0; i < servers.Length; i++)
            {
                var begin = TimeProvider.System.GetTimestamp();
                using var stream = await BeginAsync(servers[i], token);
                if (round >= 0) times[i].Add(TimeProvider.System.GetElapsedTime(begin).TotalMilliseconds);
            }

        foreach (var some in times) some.Sort();
        Console.WriteLine($"{"first byte of a stream, ms",-40} {"direct",8} {"YARP",8} {"Fabrik",8}   Fabrik later than YARP");
        foreach (var (name, part) in ((string, double)[])[("median", 0.5), ("99 of 100", 0.99)])
        {
            var at = times.Select(some => some[(int)(some.Count * part)]).ToArray();
            Console.WriteLine($"{"  " + name,-40} {string.Join(" ", at.Select(one => $"{one,8:0.00}"))}   {at[2] - at[1]:0.00}");
        }
    }

    private static async Task OpenStreamsAsync(Server[] servers, string token)
    {
        var each = new List<double>();
        foreach (var server in servers)
        {
            var before = server.ResidentMiB;
            var streams = new List<TcpClient>();
            for (var i = 0; i < Open; i++) streams.Add(await BeginAsync(server, token));
            await Task.Delay(TimeSpan.FromSeconds(10), TimeProvider.System); // a few more events for each, and a collection
            each.Add((server.ResidentMiB - before) * 1024 / Open);
            foreach (var stream in streams) stream.Dispose();
            await Task.Delay(TimeSpan.FromSeconds(3), TimeProvider.System);
        }

        Console.WriteLine($"{$"memory of each of {Open} open streams, KiB",-40} {"",8} {each[0],8:0.0} {each[1],8:0.0}   {each[1] - each[0]:0.0} more");
    }

    private static async Task MillionAsync(string home, Server gateway, string token)
    {
        var nginx = Tools.Find("nginx", "nginx-light", "/usr/sbin");
        using var provider = await GatewayServers.NginxAsync(nginx, home, "million", GatewayBenchmark.Provider());
        GatewayServers.Prepare(home, provider.Url);
        await Task.Delay(TimeSpan.FromSeconds(15), TimeProvider.System); // the gateway reads its files every few seconds
        var script = Path.Combine(home, "million.lua");
        await File.WriteAllTextAsync(script, $"wrk.method=\"POST\"\nwrk.body=[[{Whole}]]\nwrk.headers[\"Content-Type\"]=\"application/json\"\nwrk.headers[\"Authorization\"]=\"Bearer {GatewayServers.Prepare(home, provider.Url)}\"\n");
        Console.WriteLine("calls so far, and the gateway's resident memory, MiB:");
        for (var done = 0.0; done < Calls;)
        {
            var text = await Tools.RunAsync("wrk", null, "-t1", "-c64", "-d5s", "-s", script, $"{gateway.Url}/openai/v1/chat/completions");
            if (text.Contains("Non-2xx", StringComparison.Ordinal)) throw new InvalidOperationException(text);
            done += double.Parse(text.Split("Requests/sec:")[1].Split('\n')[0].Trim(), CultureInfo.InvariantCulture) * 5;
            Console.WriteLine($"  {done,12:0} {gateway.ResidentMiB,8:0}");
        }
    }

    /// <summary>A stream whose first event has come.</summary>
    private static async Task<TcpClient> BeginAsync(Server server, string token)
    {
        var uri = new Uri(server.Url);
        var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(uri.Host, uri.Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"POST /openai/v1/chat/completions HTTP/1.1\r\nHost: {uri.Authority}\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\nContent-Length: {Body.Length}\r\n\r\n{Body}"));
        var buffer = new byte[2048];
        var text = "";
        while (!text.Contains("word", StringComparison.Ordinal))
        {
            var read = await stream.ReadAsync(buffer);
            if (read == 0) throw new InvalidOperationException($"{server.Url} ended a stream: {text}");
            text += Encoding.ASCII.GetString(buffer, 0, read);
            if (!text.StartsWith("HTTP/1.1 200", StringComparison.Ordinal)) throw new InvalidOperationException(text);
        }

        return client;
    }
}
