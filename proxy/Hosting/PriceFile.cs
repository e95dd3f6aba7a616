using Fabrik.Gateway.Prices;
using Fabrik.Kubernetes.Serving;

namespace Fabrik.Proxy.Hosting;

/// <summary>The prices that count now: those that Fabrik ships, and before them those of the operator's file, read again when it changes.</summary>
internal sealed class PriceFile : IDisposable
{
    private readonly WatchedFiles? file;
    private volatile ModelPriceBook current = ModelPriceBook.Default;

    /// <exception cref="ProxyException">The file cannot be used.</exception>
    public PriceFile(ProxyOptions options, ILogger<PriceFile> logger)
    {
        if (options.PriceFile is not { } path) return;
        try
        {
            file = new WatchedFiles([path], content => current = ModelPriceBook.Default.With(content[0]), options.Clock, logger);
        }
        catch (Exception e)
        {
            throw new ProxyException($"the prices {path} cannot be used: {e.Message} ({Names.Variables.ModelPrices} names the file)", e);
        }
    }

    public ModelPriceBook Current => current;

    public void Dispose() => file?.Dispose();
}
