using Fabrik.Admission;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Kubernetes.Serving;

namespace Fabrik.Webhook.Files;

/// <summary>The keys that sign assignments, and where there is a gateway those that sign run tokens, each from its file. A file that is not there yet is waited for.</summary>
internal sealed class SigningKeys : IDisposable
{
    private readonly WatchedFiles file;
    private readonly WatchedFiles? tokenFile;
    private readonly WebhookOptions options;
    private volatile AssignmentKeys? current;
    private volatile GatewayAddress? gateway;

    /// <exception cref="WebhookException">A key that is there cannot be used.</exception>
    public SigningKeys(WebhookOptions options, ILogger<SigningKeys> logger)
    {
        this.options = options;
        file = Watch(options.AssignmentKeyFile, "assignment key", Names.Variables.AssignmentKeyFile, content => current = AssignmentKeyFile.Parse(content));
        if (options.GatewayUrl is not { } url) return;
        if (options.RunTokenKeyFile is not { } path) throw new WebhookException($"there is a gateway and no run token key; {Names.Variables.RunTokenKeyFile} names its file");
        tokenFile = Watch(path, "run token key", Names.Variables.RunTokenKeyFile, content => gateway = new GatewayAddress(url, RunTokenKeys.Parse(content)));

        WatchedFiles Watch(string path, string what, string variable, Action<byte[]> use)
        {
            try
            {
                return new WatchedFiles([path], content => Use(content[0], use), options.Clock, logger, $"the {what} ({variable} names the file)");
            }
            catch (Exception e)
            {
                file?.Dispose();
                throw new WebhookException($"there is no usable {what}: {e.Message} ({variable} names the file)", e);
            }
        }
    }

    /// <summary>Not before nothing is <see cref="Missing"/>.</summary>
    public AssignmentKeys Current => current!;

    /// <summary>Null where there is no gateway.</summary>
    public GatewayAddress? Gateway => gateway;

    /// <summary>What is waited for; null when every key is there.</summary>
    public string? Missing => current is null ? $"waits for the assignment key in {options.AssignmentKeyFile}"
        : tokenFile is not null && gateway is null ? $"waits for the run token key in {options.RunTokenKeyFile}"
        : null;

    /// <summary>Called after a change.</summary>
    public Action? Changed { get; set; }

    public void Dispose()
    {
        file.Dispose();
        tokenFile?.Dispose();
    }

    private void Use(byte[] content, Action<byte[]> use)
    {
        use(content);
        Changed?.Invoke();
    }
}
