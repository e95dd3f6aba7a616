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

/// <summary>The servers that the gateway's benchmarks compare, each a process of its own, and the API that the gateway talks to.</summary>
internal static class GatewayServers
{
    public const string BareYarp = "bare-yarp";
    public const string PacedProvider = "paced-provider";
    private static long taken;

    /// <summary>Events that the API has taken in.</summary>
    public static long Taken => Interlocked.Read(ref taken);

    public static Task<Server> YarpAsync(string provider) => OwnAsync(port => ["exec", typeof(GatewayServers).Assembly.Location, BareYarp, port, provider], _ => []);

    /// <param name="pause">Between a stream's events.</param>
    public static Task<Server> PacedAsync(TimeSpan pause) => OwnAsync(port => ["exec", typeof(GatewayServers).Assembly.Location, PacedProvider, port, ((int)pause.TotalMilliseconds).ToString(CultureInfo.InvariantCulture)], _ => []);

    /// <summary>The gateway with everything on.</summary>
    /// <param name="home">That <see cref="Prepare"/> has written to.</param>
    public static Task<Server> GatewayAsync(string home, string api) => OwnAsync(_ => ["exec", typeof(Fabrik.Proxy.ProxyOptions).Assembly.Location], port => Environment(home, port, api));

    /// <summary>The other side of the comparison, in a process of its own.</summary>
    public static async Task<int> BareYarpAsync(string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, int.Parse(args[0], CultureInfo.InvariantCulture)));
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

    /// <summary>A provider whose streams have a first event at once and one more after each pause, for ten minutes at most.</summary>
    public static async Task<int> PacedProviderAsync(string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, int.Parse(args[0], CultureInfo.InvariantCulture)));
        var app = builder.Build();
        var pause = TimeSpan.FromMilliseconds(int.Parse(args[1], CultureInfo.InvariantCulture));
        var word = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"}}]}\n\n"u8.ToArray();
        app.MapGet(Names.Paths.Ready, () => "ok");
        app.MapPost("/openai/v1/chat/completions", async http =>
        {
            await http.Request.Body.CopyToAsync(Stream.Null);
            http.Response.ContentType = "text/event-stream";
            for (var until = TimeProvider.System.GetUtcNow() + TimeSpan.FromMinutes(10); TimeProvider.System.GetUtcNow() < until && !http.RequestAborted.IsCancellationRequested;)
            {
                await http.Response.Body.WriteAsync(word, http.RequestAborted);
                await http.Response.Body.FlushAsync(http.RequestAborted);
                await Task.Delay(pause, TimeProvider.System, http.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        });
        await app.RunAsync();
        return 0;
    }

    /// <summary>Writes the gateway's files.</summary>
    /// <returns>A run's token.</returns>
    public static string Prepare(string home, string provider)
    {
        var key = Convert.ToBase64String(Encoding.ASCII.GetBytes("0123456789abcdef0123456789abcdef"));
        Directory.CreateDirectory(Path.Combine(home, "keys"));
        File.WriteAllText(Path.Combine(home, "keys", "bench"), "sk-bench");
        File.WriteAllText(Path.Combine(home, "token.key"), key);
        File.WriteAllText(Path.Combine(home, "config.json"), $$"""{"providers":[{"name":"openai","format":"openai","url":"{{provider}}/openai/v1","keys":[{"name":"bench"}]}]}""");
        return RunToken.Mint(new RunClaims("benchmarkrunidbenchmarkrun", "agents", "search", "treatment", "memory-4gi", "impl", null, TimeProvider.System.GetUtcNow().AddDays(1)), RunTokenKeys.Parse(Encoding.ASCII.GetBytes(key)));
    }

    private static Dictionary<string, string> Environment(string home, string port, string api) => new()
    {
        [Names.Variables.GatewayConfig] = Path.Combine(home, "config.json"),
        [Names.Variables.ProviderKeyDirectory] = Path.Combine(home, "keys"),
        [Names.Variables.RunTokenKeyFile] = Path.Combine(home, "token.key"),
        [Names.Variables.SpoolDirectory] = Path.Combine(home, "spool"),
        [Names.Variables.ApiUrl] = api,
        [Names.Variables.ApiTokenFile] = Path.Combine(home, "token.key"),
        [Names.Variables.GatewayPort] = port,
        ["DOTNET_gcServer"] = "0",
    };

    /// <summary>Leases of two large budgets, and a ledger that only counts.</summary>
    public static async Task<WebApplication> ApiAsync()
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

    private static Task<Server> OwnAsync(Func<string, string[]> arguments, Func<string, Dictionary<string, string>> environment)
    {
        var port = Server.FreePort();
        var text = port.ToString(CultureInfo.InvariantCulture);
        var start = new ProcessStartInfo("dotnet", arguments(text));
        foreach (var (name, value) in environment(text)) start.Environment[name] = value;
        return StartAsync(start, port);
    }

    public static async Task<Server> NginxAsync(string nginx, string home, string name, string locations)
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
}
