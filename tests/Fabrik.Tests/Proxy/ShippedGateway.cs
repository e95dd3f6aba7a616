using System.Diagnostics;
using System.Text;

namespace Fabrik.Tests.Proxy;

/// <summary>The gateway as it is shipped, in a process of its own with nothing but the variables of a test; ended by its id.</summary>
internal sealed class ShippedGateway : IAsyncDisposable
{
    private readonly Process process;
    private readonly StringBuilder said = new();
    private readonly TaskCompletionSource<Uri> listening = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ShippedGateway(Process process)
    {
        this.process = process;
        process.OutputDataReceived += (_, line) => Said(line.Data);
        process.ErrorDataReceived += (_, line) => Said(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public Uri Address { get; private set; } = null!;

    /// <summary>Bytes of memory that it has held at most.</summary>
    public long PeakBytes
    {
        get
        {
            process.Refresh();
            return process.PeakWorkingSet64;
        }
    }

    /// <summary>All that it has written.</summary>
    public string Output
    {
        get
        {
            lock (said) return said.ToString();
        }
    }

    /// <summary>Once it listens.</summary>
    /// <param name="home">Holds config.json, keys/, token.key and api-token.</param>
    /// <param name="replica">Names its spool.</param>
    public static async Task<ShippedGateway> StartAsync(string home, Uri? api, string replica, params (string Name, string Value)[] more)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Fabrik.Proxy.dll")])
        {
            WorkingDirectory = home,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("FABRIK_", StringComparison.Ordinal)).ToList()) start.Environment.Remove(name);
        start.Environment[Names.Variables.GatewayConfig] = Path.Combine(home, "config.json");
        start.Environment[Names.Variables.ProviderKeyDirectory] = Path.Combine(home, "keys");
        start.Environment[Names.Variables.RunTokenKeyFile] = Path.Combine(home, "token.key");
        start.Environment[Names.Variables.SpoolDirectory] = Path.Combine(home, $"spool-{replica}");
        start.Environment[Names.Variables.GatewayPort] = "0";
        start.Environment[Names.Variables.DrainSeconds] = "0";
        if (api is not null)
        {
            start.Environment[Names.Variables.ApiUrl] = api.AbsoluteUri;
            start.Environment[Names.Variables.ApiTokenFile] = Path.Combine(home, "api-token");
        }

        foreach (var (name, value) in more) start.Environment[name] = value;
        var gateway = new ShippedGateway(Process.Start(start)!);
        try
        {
            gateway.Address = await gateway.listening.Task.WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System, TestContext.Current.CancellationToken);
            return gateway;
        }
        catch (TimeoutException e)
        {
            await gateway.DisposeAsync();
            throw new InvalidOperationException($"the gateway does not listen: {gateway.Output}", e);
        }
    }

    /// <summary>SIGKILL: nothing of it runs after this.</summary>
    public void Kill() => process.Kill();

    /// <summary>SIGTERM, as the kubelet sends it.</summary>
    public void Terminate()
    {
        using var kill = Process.Start("kill", ["-TERM", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>Once it has ended.</summary>
    public async Task<int> EndAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60), TimeProvider.System);
        await process.WaitForExitAsync(patience.Token);
        return process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited) process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    private void Said(string? line)
    {
        if (line is null) return;
        lock (said) said.AppendLine(line);
        const string mark = "Now listening on: ";
        if (line.IndexOf(mark, StringComparison.Ordinal) is var at and >= 0) listening.TrySetResult(new UriBuilder(line[(at + mark.Length)..].Trim().Replace("[::]", "127.0.0.1", StringComparison.Ordinal)) { Host = "127.0.0.1" }.Uri);
    }
}
