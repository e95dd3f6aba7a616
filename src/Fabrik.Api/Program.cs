using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Configuration;
using Fabrik.Kubernetes.Serving;
using Fabrik.Storage;

namespace Fabrik.Api;

public static class Program
{
    public static async Task<int> Main(string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder(args);
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning); // each request is in the metrics
        builder.WebHost.UseKestrelHttpsConfiguration();
        try
        {
            builder.Services.AddFabrikApi(new ApiOptions
            {
                Cluster = ClusterConfig.Default(),
                DataDirectory = Environment.GetEnvironmentVariable(Names.Variables.DataDirectory) ?? ApiOptions.DefaultDataDirectory,
                TlsDirectory = Environment.GetEnvironmentVariable(Names.Variables.TlsDirectory),
                Port = int.TryParse(Environment.GetEnvironmentVariable(Names.Variables.ApiPort), out var port) ? port : ApiOptions.DefaultPort,
            });
            var app = builder.Build();
            app.MapFabrikApi();
            await app.RunAsync();
            return 0;
        }
        catch (Exception e) when (e is CertificateException or KubeconfigException or StorageException)
        {
            await Console.Error.WriteLineAsync($"fabrik api: {e.Message}");
            return 1;
        }
    }
}
