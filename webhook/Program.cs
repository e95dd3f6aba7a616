using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Configuration;

namespace Fabrik.Webhook;

public static class Program
{
    public static async Task<int> Main(string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder(args);
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning); // each review is in the metrics; two lines for each cost more than the review
        try
        {
            builder.Services.AddFabrikWebhook(WebhookEnvironment.Read(Environment.GetEnvironmentVariable, ClusterConfig.Default));
            var app = builder.Build();
            app.MapFabrikWebhook();
            await app.RunAsync();
            return 0;
        }
        catch (Exception e) when (e is WebhookException or KubeconfigException)
        {
            await Console.Error.WriteLineAsync($"fabrik webhook: {e.Message}");
            return 1;
        }
    }
}
