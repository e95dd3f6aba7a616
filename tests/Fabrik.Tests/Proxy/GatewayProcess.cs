using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Fabrik.Tests.Proxy;

/// <summary>The gateway as it is shipped, in a process of its own; ended by its id.</summary>
internal sealed class GatewayProcess : IAsyncDisposable
{
    private readonly Process process;
    private readonly Task<string> output;

    private GatewayProcess(Process process, Uri url)
    {
        (this.process, Url) = (process, url);
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        output = process.StandardOutput.ReadToEndAsync();
    }

    public Uri Url { get; }

    /// <summary>Serving once this returns.</summary>
    public static async Task<GatewayProcess> StartAsync(HttpClient http, params (string Name, string Value)[] variables)
    {
        var port = FreePort();
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Fabrik.Proxy.dll")]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("FABRIK_", StringComparison.Ordinal)).ToList()) start.Environment.Remove(name);
        start.Environment[Names.Variables.GatewayPort] = $"{port}";
        start.Environment[Names.Variables.DrainSeconds] = "0";
        foreach (var (name, value) in variables) start.Environment[name] = value;
        var gateway = new GatewayProcess(Process.Start(start)!, new Uri($"http://127.0.0.1:{port}"));
        await Wait.UntilAsync("the gateway", async () =>
        {
            Assert.False(gateway.process.HasExited, "the gateway ended at its start");
            try
            {
                using var answer = await http.GetAsync(new Uri(gateway.Url, Names.Paths.Ready));
                return answer.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        });
        return gateway;
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited) process.Kill();
        await process.WaitForExitAsync();
        await output;
        process.Dispose();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
