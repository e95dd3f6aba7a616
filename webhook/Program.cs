using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Configuration;
using Fabrik.Kubernetes.Serving;

namespace Fabrik.Webhook;

public static class Program
{
    public static async Task<int> Main(string[] args)
    {
        // Bare: settings come from the environment through WebhookOptions, and each part that is left out starts sooner and is no memory.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { Args = args });
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.Services.AddRoutingCore();
        builder.Logging.AddSimpleConsole().SetMinimumLevel(LogLevel.Information);
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning); // each review is in the metrics; two lines for each cost more than the review
        try
        {
            builder.Services.AddFabrikWebhook(WebhookEnvironment.Read(Environment.GetEnvironmentVariable, ClusterConfig.Default));
            var app = builder.Build();
            app.MapFabrikWebhook();
            await app.RunAsync();
            return 0;
        }
        catch (Exception e) when (e is WebhookException or CertificateException or KubeconfigException)
        {
            await Console.Error.WriteLineAsync($"fabrik webhook: {e.Message}");
            return 1;
        }
    }
}
