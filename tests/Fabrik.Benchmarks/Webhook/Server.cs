using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace Fabrik.Benchmarks.Webhook;

/// <summary>A server in a process of its own, ended by its id.</summary>
internal sealed class Server : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly Process process;

    private Server(Process process, string url, TimeSpan toReady) => (this.process, Url, ToReady) = (process, url, toReady);

    public string Url { get; }

    /// <summary>From the start of the process to its first good answer.</summary>
    public TimeSpan ToReady { get; }

    public double ResidentMiB => Status("VmRSS:");

    /// <summary>Seconds of processor time so far: unlike wall time it does not suffer from neighbours.</summary>
    public double CpuSeconds
    {
        get
        {
            process.Refresh();
            return process.TotalProcessorTime.TotalSeconds;
        }
    }

    public static async Task<Server> StartAsync(ProcessStartInfo start, string url, Func<Task<bool>> ready)
    {
        var began = TimeProvider.System.GetTimestamp();
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.UseShellExecute = false;
        var started = Process.Start(start)!;
        started.OutputDataReceived += (_, _) => { };
        started.ErrorDataReceived += (_, line) => Console.Error.WriteLine($"  {start.FileName}: {line.Data}");
        started.BeginOutputReadLine();
        started.BeginErrorReadLine();
        while (!await ready())
        {
            if (started.HasExited) throw new InvalidOperationException($"{start.FileName} ended with {started.ExitCode}");
            if (TimeProvider.System.GetElapsedTime(began) > Patience) throw new TimeoutException($"{start.FileName} did not become ready");
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }

        return new Server(started, url, TimeProvider.System.GetElapsedTime(began));
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }

    public void Dispose()
    {
        if (!process.HasExited) process.Kill();
        process.WaitForExit();
        process.Dispose();
    }

    private double Status(string field)
    {
        var line = File.ReadLines($"/proc/{process.Id}/status").First(line => line.StartsWith(field, StringComparison.Ordinal));
        return double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) / 1024;
    }
}
