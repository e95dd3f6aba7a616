using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Fabrik.Tests.Surviving;

/// <summary>The scheduler or the API as it is shipped, in a process of its own with nothing but the variables of a test; ended by its id.</summary>
internal sealed class ControlProcess : IAsyncDisposable
{
    private readonly Process process;
    private readonly StringBuilder said = new();
    private readonly TaskCompletionSource<Uri> listening = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ControlProcess(Process process)
    {
        this.process = process;
        process.OutputDataReceived += (_, line) => Said(line.Data);
        process.ErrorDataReceived += (_, line) => Said(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public Uri Address { get; private set; } = null!;

    /// <summary>All that it has written.</summary>
    public string Output
    {
        get
        {
            lock (said) return said.ToString();
        }
    }

    public static Task<ControlProcess> SchedulerAsync(string home, string data, string kubeconfig) => ListeningAsync(Scheduler(home, data, kubeconfig));

    public static Task<ControlProcess> ApiAsync(string home, string data, string kubeconfig) => ListeningAsync(Run("Fabrik.Api.dll", home, data, kubeconfig));

    /// <summary>Without waiting until it listens.</summary>
    public static ControlProcess Scheduler(string home, string data, string kubeconfig) => Run("Fabrik.CronJobs.dll", home, data, kubeconfig);

    /// <summary>SIGKILL: nothing of it runs after this.</summary>
    public void Kill() => process.Kill();

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

    private static ControlProcess Run(string assembly, string home, string data, string kubeconfig)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, assembly)]) { WorkingDirectory = home, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("FABRIK_", StringComparison.Ordinal) || name.StartsWith("KUBE", StringComparison.Ordinal)).ToList()) start.Environment.Remove(name);
        start.Environment["HOME"] = home;
        start.Environment[Names.Variables.Kubeconfig] = kubeconfig;
        start.Environment[Names.Variables.DataDirectory] = data;
        start.Environment[Names.Variables.MetricsPort] = "0";
        start.Environment[Names.Variables.ApiPort] = "0";
        return new ControlProcess(Process.Start(start)!);
    }

    private static async Task<ControlProcess> ListeningAsync(ControlProcess started)
    {
        try
        {
            started.Address = await started.listening.Task.WaitAsync(TimeSpan.FromMinutes(3), TimeProvider.System, TestContext.Current.CancellationToken);
            return started;
        }
        catch (TimeoutException e)
        {
            await started.DisposeAsync();
            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"it does not listen: {started.Output}"), e);
        }
    }

    private void Said(string? line)
    {
        if (line is null) return;
        lock (said) said.AppendLine(line);
        const string mark = "Now listening on: ";
        if (line.IndexOf(mark, StringComparison.Ordinal) is var at and >= 0) listening.TrySetResult(new UriBuilder(line[(at + mark.Length)..].Trim().Replace("[::]", "127.0.0.1", StringComparison.Ordinal)) { Host = "127.0.0.1" }.Uri);
    }
}
