using Fabrik.Costs;
using Fabrik.CronJobs.Usage;
using Fabrik.Kubernetes;

namespace Fabrik.CronJobs;

public static class Program
{
    public static async Task Main(string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder(args);
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning); // each request is in the metrics
        builder.Services.AddFabrikCronJobs(new CronJobsOptions
        {
            Cluster = ClusterConfig.Default(),
            DataDirectory = Environment.GetEnvironmentVariable(Names.Variables.DataDirectory) ?? CronJobsOptions.DefaultDataDirectory,
            AssignmentKeyFile = Environment.GetEnvironmentVariable(Names.Variables.AssignmentKeyFile),
            Prometheus = PrometheusOptions.Read(Environment.GetEnvironmentVariable),
            Prices = Environment.GetEnvironmentVariable(Names.Variables.PriceBook) is { Length: > 0 } book ? PriceBook.Load(book) : PriceBook.Default,
            MetricsPort = int.TryParse(Environment.GetEnvironmentVariable(Names.Variables.MetricsPort), out var port) ? port : CronJobsOptions.DefaultMetricsPort,
        });
        var app = builder.Build();
        app.MapFabrikCronJobs();
        await app.RunAsync();
    }
}
