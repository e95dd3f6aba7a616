using System.Text;
using Fabrik.Gateway;
using Fabrik.Gateway.Failover;
using Fabrik.Kubernetes.Serving;

namespace Fabrik.Proxy.Providers;

/// <summary>The configuration and the providers' keys, from their files: a key rotates by being edited.</summary>
internal sealed partial class ProviderFiles : IDisposable
{
    private const int LongestKey = 4096;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private readonly ProxyOptions options;
    private readonly Benches benches;
    private readonly ILogger<ProviderFiles> logger;
    private readonly WatchedFiles file;
    private readonly ITimer timer;
    private readonly Lock looking = new();
    private GatewayConfig config = new();
    private volatile Upstreams current = new(new GatewayConfig(), []);
    private string? said;

    /// <exception cref="ProxyException">The configuration cannot be used.</exception>
    public ProviderFiles(ProxyOptions options, Benches benches, ILogger<ProviderFiles> logger)
    {
        (this.options, this.benches, this.logger) = (options, benches, logger);
        try
        {
            file = new WatchedFiles([options.ConfigFile], content =>
            {
                config = GatewayConfig.Parse(content[0]);
                Look();
            }, options.Clock, logger);
        }
        catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new ProxyException($"the configuration {options.ConfigFile} cannot be used: {e.Message} ({Names.Variables.GatewayConfig} names the file)", e);
        }

        // Without any key it serves as well: calls are refused in words, and a key that comes later is used within seconds.
        timer = options.Clock.CreateTimer(_ => Look(), null, Interval, Interval);
    }

    public Upstreams Current => current;

    public void Dispose()
    {
        timer.Dispose();
        file.Dispose();
    }

    /// <summary>A key that cannot be read is left out, and told; the others go on.</summary>
    private void Look()
    {
        if (!looking.TryEnter()) return;
        try
        {
            var (now, missing) = (new List<Upstream>(), new List<string>());
            var read = config.Providers.SelectMany(provider => provider.Keys.Select(key => (Provider: provider, Key: key, Secret: Read(key.Name)))).ToList();
            foreach (var (provider, key, secret) in read)
            {
                // Two files with one key: the project would reach what others have stored under it.
                if (secret is null) missing.Add($"{provider.Name}/{key.Name}");
                else if (provider.IsOwned && read.Exists(other => other.Secret == secret && !other.Provider.Projects.SequenceEqual(provider.Projects))) missing.Add($"{provider.Name}/{key.Name} (its key is not project {provider.Projects[0]}'s alone)");
                else if (current.All.FirstOrDefault(one => one.Provider == provider && one.Target.Key == key.Name && one.Secret == secret && one.Target.Weight == key.Weight) is { } same) now.Add(same);
                else
                {
                    benches.Forget(provider.Name, key.Name);
                    now.Add(new Upstream { Target = new Target(provider.Name, key.Name, key.Weight), Provider = provider, Base = new Uri(provider.Url.TrimEnd('/') + "/"), Secret = secret });
                }
            }

            if (now.Count != current.All.Count || current.Config != config || now.Except(current.All).Any())
            {
                current = new Upstreams(config, now);
                Log.Changed(logger, now.Count, config.Providers.Count);
            }

            var told = missing.Count == 0 ? null : $"no usable file for {string.Join(", ", missing)}";
            if (told is not null && told != said) Log.Missing(logger, told);
            said = told;
        }
        finally
        {
            looking.Exit();
        }
    }

    private string? Read(string name)
    {
        try
        {
            var path = Path.Combine(options.KeyDirectory, name);
            if (new FileInfo(path) is not { Exists: true, Length: <= LongestKey }) return null;
            var secret = File.ReadAllText(path, Encoding.UTF8).Trim();
            return secret.Length > 0 && secret.All(one => one is > ' ' and < '\u007f') ? secret : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "{Keys} keys of {Providers} providers are in use")]
        public static partial void Changed(ILogger logger, int keys, int providers);

        [LoggerMessage(Level = LogLevel.Error, Message = "Some provider keys are left out: {Which}")]
        public static partial void Missing(ILogger logger, string which);
    }
}
