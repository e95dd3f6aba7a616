using Fabrik.Kubernetes.Serving;

namespace Fabrik.Proxy;

public static class Program
{
    /// <summary>For the words to streams that are ended, and the usage of the last calls.</summary>
    private static readonly TimeSpan LastWrites = TimeSpan.FromSeconds(4);

    public static async Task<int> Main(string[] args)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { Args = args });
        builder.WebHost.UseKestrelCore();
        builder.Services.AddRoutingCore();
        builder.Logging.AddSimpleConsole().SetMinimumLevel(LogLevel.Information);
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        builder.Logging.AddFilter("Yarp", LogLevel.Warning); // each call is in the ledger and the metrics
        try
        {
            var options = ProxyEnvironment.Read(Environment.GetEnvironmentVariable);
            await MountedFiles.ArriveAsync([(options.TokenKeyFile, Names.Variables.RunTokenKeyFile)], TimeProvider.System, line => Console.Error.WriteLine($"fabrik gateway: {line}"), default);
            builder.Services.AddFabrikProxy(options);
            builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.DrainGrace + options.StreamGrace + LastWrites);
            var app = builder.Build();
            app.MapFabrikProxy();
            await app.RunAsync();
            return 0;
        }
        catch (Exception e) when (e is ProxyException or IOException)
        {
            await Console.Error.WriteLineAsync($"fabrik gateway: {e.Message}");
            return 1;
        }
    }
}
