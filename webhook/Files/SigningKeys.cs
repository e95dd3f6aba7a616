using Fabrik.Admission;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Kubernetes.Serving;

namespace Fabrik.Webhook.Files;

/// <summary>The keys that sign assignments, and where there is a gateway those that sign run tokens, each from its file.</summary>
internal sealed class SigningKeys : IDisposable
{
    private readonly WatchedFiles file;
    private readonly WatchedFiles? tokenFile;
    private volatile AssignmentKeys? current;
    private volatile GatewayAddress? gateway;

    /// <exception cref="WebhookException">There is no usable key yet.</exception>
    public SigningKeys(WebhookOptions options, ILogger<SigningKeys> logger)
    {
        file = Watch(options.AssignmentKeyFile, "assignment key", Names.Variables.AssignmentKeyFile, content => current = AssignmentKeyFile.Parse(content));
        if (options.GatewayUrl is not { } url) return;
        if (options.RunTokenKeyFile is not { } path) throw new WebhookException($"there is a gateway and no run token key; {Names.Variables.RunTokenKeyFile} names its file");
        tokenFile = Watch(path, "run token key", Names.Variables.RunTokenKeyFile, content => gateway = new GatewayAddress(url, RunTokenKeys.Parse(content)));

        WatchedFiles Watch(string path, string what, string variable, Action<byte[]> use)
        {
            try
            {
                return new WatchedFiles([path], content => Use(content[0], use), options.Clock, logger);
            }
            catch (Exception e)
            {
                file?.Dispose();
                throw new WebhookException($"there is no usable {what}: {e.Message} ({variable} names the file)", e);
            }
        }
    }

    public AssignmentKeys Current => current!;

    /// <summary>Null where there is no gateway.</summary>
    public GatewayAddress? Gateway => gateway;

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
