using System.Globalization;
using Fabrik.Costs;
using Fabrik.CronJobs.Runs;
using Fabrik.CronJobs.Usage;
using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Configuration;
using Fabrik.Kubernetes.Serving;
using Fabrik.Storage;

namespace Fabrik.CronJobs;

public static class Program
{
    public static async Task<int> Main(string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder(args);
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning); // each request is in the metrics
        try
        {
            var options = new CronJobsOptions
            {
                Cluster = ClusterConfig.Default(),
                DataDirectory = Environment.GetEnvironmentVariable(Names.Variables.DataDirectory) ?? CronJobsOptions.DefaultDataDirectory,
                AssignmentKeyFile = Environment.GetEnvironmentVariable(Names.Variables.AssignmentKeyFile),
                Prometheus = PrometheusOptions.Read(Environment.GetEnvironmentVariable),
                Prices = Environment.GetEnvironmentVariable(Names.Variables.PriceBook) is { Length: > 0 } book ? PriceBook.Load(book) : PriceBook.Default,
                KeepCalls = Days(Environment.GetEnvironmentVariable(Names.Variables.CallDays)),
                MetricsPort = int.TryParse(Environment.GetEnvironmentVariable(Names.Variables.MetricsPort), out var port) ? port : CronJobsOptions.DefaultMetricsPort,
            };
            await MountedFiles.ArriveAsync([(options.AssignmentKeyFile, Names.Variables.AssignmentKeyFile)], TimeProvider.System, line => Console.Error.WriteLine($"fabrik scheduler: {line}"), default);
            builder.Services.AddFabrikCronJobs(options);
            var app = builder.Build();
            app.Services.GetRequiredService<RunObserver>(); // with the database and the keys: the host would write what they throw with its stack
            app.MapFabrikCronJobs();
            await app.RunAsync();
            return 0;
        }
        catch (Exception e) when (e is CronJobsException or KubeconfigException or StorageException or FormatException)
        {
            await Console.Error.WriteLineAsync($"fabrik scheduler: {e.Message}");
            return 1;
        }
    }

    private static TimeSpan Days(string? text)
    {
        if (string.IsNullOrEmpty(text)) return CronJobsOptions.DefaultKeepCalls;
        var least = (int)CronJobsOptions.LeastCalls.TotalDays;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var days) && days >= least && days <= 10_000 ? TimeSpan.FromDays(days)
            : throw new CronJobsException($"{Names.Variables.CallDays} is \"{text}\"; it must be a whole number of days from {least}, as gateways may deliver an attempt again until then");
    }
}
