using System.Diagnostics;

namespace Fabrik.Tests.CronJobs.Lifecycle;

/// <summary>The scheduler as it is shipped, in a process of its own with nothing but the variables of a test; ended by its id.</summary>
internal sealed class SchedulerProcess : IAsyncDisposable
{
    private readonly Process process;
    private readonly Task<string> output;
    private readonly Task<string> error;

    private SchedulerProcess(Process process)
    {
        this.process = process;
        (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
    }

    /// <param name="home">Its working directory and the home of its user.</param>
    public static SchedulerProcess Start(string home, params (string Name, string Value)[] variables)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Fabrik.CronJobs.dll")])
        {
            WorkingDirectory = home,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("FABRIK_", StringComparison.Ordinal) || name.StartsWith("KUBE", StringComparison.Ordinal)).ToList()) start.Environment.Remove(name);
        start.Environment["HOME"] = home;
        start.Environment[Names.Variables.MetricsPort] = "0";
        foreach (var (name, value) in variables) start.Environment[name] = value;
        return new SchedulerProcess(Process.Start(start)!);
    }

    /// <summary>SIGKILL: nothing of it runs after this.</summary>
    public void Kill() => process.Kill();

    /// <summary>Once it has ended.</summary>
    public async Task<(int Code, string Output, string Error)> EndAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60), TimeProvider.System);
        await process.WaitForExitAsync(patience.Token);
        return (process.ExitCode, await output, await error);
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited) process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }
}
