using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Proxy;
using Fabrik.Sandbox.Models;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fabrik.Tests.Proxy;

/// <summary>A gateway on a real port, before providers on real ports, with an API that takes usage in.</summary>
internal sealed class GatewayBench : IAsyncDisposable
{
    public static readonly string TokenKey = Convert.ToBase64String(Enumerable.Range(0, 32).Select(one => (byte)one).ToArray());
    private readonly string directory = Directory.CreateTempSubdirectory("fabrik-gateway-").FullName;
    private readonly List<WebApplication> running = [];
    private readonly ConcurrentDictionary<string, UsageEvent> ledger = new();

    public FakeProvider Provider { get; private set; } = null!;

    /// <summary>Asked where the first is not; only with two providers.</summary>
    public FakeProvider? Second { get; private set; }
    public Uri Gateway { get; private set; } = null!;
    public HttpClient Http { get; } = new(new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.None, ResponseDrainTimeout = TimeSpan.Zero }) { Timeout = TimeSpan.FromSeconds(60) };

    /// <summary>How often an event that was known came again.</summary>
    public int Again => again;

    /// <summary>As the policy would have them.</summary>
    public IReadOnlyList<ModelBudget> Budgets { get; set; } = [];

    /// <summary>Answers with this instead of taking usage in.</summary>
    public HttpStatusCode? ApiFails { get; set; }

    /// <summary>Of a collector, for gateways that are started from now on.</summary>
    public Uri? Otlp { get; set; }

    /// <summary>What the API tells of runs that have ended, two at a time.</summary>
    public ConcurrentQueue<RunEnd> RunEnds { get; } = new();

    private readonly LeaseDesk desk = new(DateTimeOffset.UnixEpoch);
    private Uri api = null!;
    private TimeProvider clock = TimeProvider.System;
    private Action<IServiceCollection, string>? more;
    private int again;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <param name="limits">JSON of the limits.</param>
    /// <param name="keys">Of the first provider.</param>
    /// <param name="ofFirst">JSON of further members of it, each with a comma before it.</param>
    /// <param name="api">Takes usage in instead of the bench.</param>
    /// <param name="more">Services of the gateway's, and its spool's directory.</param>
    public static async Task<GatewayBench> StartAsync(bool two = false, string limits = "{}", string[]? keys = null, string aliases = "{}", string ofFirst = "", Uri? api = null, TimeProvider? clock = null, Action<IServiceCollection, string>? more = null)
    {
        var bench = new GatewayBench { clock = clock ?? TimeProvider.System, more = more };
        bench.Provider = await FakeProvider.StartAsync(Cancel);
        if (two) bench.Second = await FakeProvider.StartAsync(Cancel);
        bench.api = api ?? await bench.ServeAsync(builder => builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0)), app =>
        {
            app.MapPost(Names.Paths.Usage, bench.TakeInAsync);
            app.MapPost(Names.Paths.Leases, bench.LeaseAsync);
            app.MapGet(Names.Paths.RunEnds, bench.TellEndsAsync);
        });
        bench.Write("token.key", TokenKey);
        bench.Write("api-token", "gateway");
        keys ??= ["first-key"];
        foreach (var key in keys.Append("second-key")) bench.Write(Path.Combine("keys", key), $"sk-{key}");
        bench.Write("config.json", $$"""
            {
              "limits": {{limits}},
              "aliases": {{aliases}},
              "providers": [
                {{string.Join(",", Providers(bench.Provider, "first", 1000, keys, ofFirst).Concat(bench.Second is { } second ? Providers(second, "second", 0.001, ["second-key"]) : []))}}
              ]
            }
            """);
        await bench.StartGatewayAsync();
        return bench;
    }

    /// <summary>A gateway on what the one before of the same name left.</summary>
    public async Task<Uri> StartGatewayAsync(string replica = "gateway-0") => Gateway = await ServeAsync(
        builder =>
        {
            var spool = SpoolDirectory(replica);
            builder.Services.AddFabrikProxy(new ProxyOptions
            {
                ConfigFile = Path.Combine(directory, "config.json"),
                KeyDirectory = KeyDirectory,
                TokenKeyFile = TokenKeyFile,
                VirtualKeyFile = Path.Combine(directory, "virtual-keys.json"),
                PriceFile = File.Exists(Path.Combine(directory, "prices.json")) ? Path.Combine(directory, "prices.json") : null,
                SpoolDirectory = spool,
                Api = api,
                ApiTokenFile = Path.Combine(directory, "api-token"),
                Otlp = Otlp,
                Port = 0,
                LoopbackOnly = true,
                DrainGrace = TimeSpan.Zero,
                StreamGrace = TimeSpan.Zero,
                Clock = clock,
            });
            more?.Invoke(builder.Services, spool);
        },
        app => app.MapFabrikProxy());

    public string KeyDirectory => Path.Combine(directory, "keys");

    public string TokenKeyFile => Path.Combine(directory, "token.key");

    public string SpoolDirectory(string replica = "gateway-0") => Path.Combine(directory, $"spool-{replica}");

    public async Task StopGatewayAsync()
    {
        var last = running[^1];
        running.Remove(last);
        await last.StopAsync(Cancel);
        await last.DisposeAsync();
    }

    public static string Token(string run = "run-1", string? project = "search", string? arm = null, string? change = null, DateTimeOffset? expires = null, IReadOnlyList<ModelRewrite>? models = null) =>
        RunToken.Mint(new RunClaims(run, "agents", project, arm, change, "coding", null, expires ?? TimeProvider.System.GetUtcNow().AddDays(30)) { Models = models ?? [] }, RunTokenKeys.Parse(Encoding.UTF8.GetBytes(TokenKey)));

    public async Task<HttpResponseMessage> SendAsync(string path, string body, string? token = null, CancellationToken? ct = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Gateway, path)) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token ?? Token());
        return await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct ?? Cancel);
    }

    public Task<HttpResponseMessage> ChatAsync(bool stream = false, string more = "", CancellationToken? ct = null) =>
        SendAsync("/openai/v1/chat/completions", $$"""{"model":"gpt-4o-mini","messages":[{"role":"user","content":"say some words"}],"stream":{{(stream ? "true" : "false")}}{{more}}}""", ct: ct);

    public Task<HttpResponseMessage> MessagesAsync(bool stream = false, int most = 20, CancellationToken? ct = null) =>
        SendAsync("/anthropic/v1/messages", $$"""{"model":"claude-haiku-4-5","max_tokens":{{most}},"messages":[{"role":"user","content":"say some words"}],"stream":{{(stream ? "true" : "false")}}}""", ct: ct);

    /// <summary>What the API has taken in, once it has so many attempts.</summary>
    public async Task<IReadOnlyList<UsageEvent>> LedgerAsync(int count)
    {
        await Wait.UntilAsync($"{count} attempts in the ledger", () => Task.FromResult(ledger.Count >= count));
        return [.. ledger.Values.OrderBy(one => one.Id, StringComparer.Ordinal)];
    }

    public void Write(string name, string text)
    {
        var path = Path.Combine(directory, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        foreach (var one in Enumerable.Reverse(running))
        {
            await one.StopAsync();
            await one.DisposeAsync();
        }

        await Provider.DisposeAsync();
        if (Second is not null) await Second.DisposeAsync();
        Directory.Delete(directory, recursive: true);
    }

    private static IEnumerable<string> Providers(FakeProvider provider, string name, double weight, IEnumerable<string> keys, string more = "") =>
        new[] { ("openai", ""), ("anthropic", "-messages") }.Select(format => $$"""
            {"name":"{{name}}{{format.Item2}}","format":"{{format.Item1}}","url":"{{new Uri(provider.Address, "v1")}}","keys":[{{string.Join(",", keys.Select(key => $$"""{"name":"{{key}}","weight":{{weight.ToString(System.Globalization.CultureInfo.InvariantCulture)}}}"""))}}]{{more}}}
            """);

    private async Task LeaseAsync(HttpContext http)
    {
        if (ApiFails is { } code)
        {
            http.Response.StatusCode = (int)code;
            return;
        }

        var request = (await JsonSerializer.DeserializeAsync(http.Request.Body, GatewayJson.Default.LeaseRequest, Cancel))!;
        var answer = desk.Answer(request, Budgets, (budget, subject, since) => ledger.Values.Where(row => budget.Scope.Of(BudgetCaller.Of(row)) == subject).Sum(row => Charge.Of(row).In(budget.Unit)), TimeProvider.System.GetUtcNow());
        await JsonSerializer.SerializeAsync(http.Response.Body, answer, GatewayJson.Default.LeaseAnswer, Cancel);
    }

    /// <summary>A cursor is how many were told.</summary>
    private async Task TellEndsAsync(HttpContext http)
    {
        if (ApiFails is { } code)
        {
            http.Response.StatusCode = (int)code;
            return;
        }

        var told = int.Parse(http.Request.Query["after"].FirstOrDefault() ?? "0", System.Globalization.CultureInfo.InvariantCulture);
        RunEnd[] all = [.. RunEnds];
        RunEnd[] page = [.. all.Skip(told).Take(2)];
        await JsonSerializer.SerializeAsync(http.Response.Body, new RunEnds(page, $"{told + page.Length}", told + page.Length < all.Length), GatewayJson.Default.RunEnds, Cancel);
    }

    private async Task TakeInAsync(HttpContext http)
    {
        if (ApiFails is { } code)
        {
            http.Response.StatusCode = (int)code;
            return;
        }

        foreach (var one in (await JsonSerializer.DeserializeAsync(http.Request.Body, GatewayJson.Default.ListUsageEvent, Cancel))!)
            if (!ledger.TryAdd(one.Id, one)) Interlocked.Increment(ref again);
        await http.Response.WriteAsync("{}");
    }

    private async Task<Uri> ServeAsync(Action<WebApplicationBuilder> add, Action<WebApplication> map)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        add(builder);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));
        var app = builder.Build();
        map(app);
        running.Add(app);
        await app.StartAsync(Cancel);
        return new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
    }
}
