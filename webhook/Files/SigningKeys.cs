using Fabrik.Experiments;
using Fabrik.Kubernetes.Serving;

namespace Fabrik.Webhook.Files;

/// <summary>The keys that sign assignments, from their file.</summary>
internal sealed class SigningKeys : IDisposable
{
    private readonly WatchedFiles file;
    private volatile AssignmentKeys? current;

    /// <exception cref="WebhookException">There is no usable key yet.</exception>
    public SigningKeys(WebhookOptions options, ILogger<SigningKeys> logger)
    {
        try
        {
            file = new WatchedFiles([options.AssignmentKeyFile], Use, options.Clock, logger);
        }
        catch (Exception e)
        {
            throw new WebhookException($"there is no usable assignment key: {e.Message} ({Names.Variables.AssignmentKeyFile} names the file)", e);
        }
    }

    public AssignmentKeys Current => current!;

    /// <summary>Called after a change.</summary>
    public Action? Changed { get; set; }

    public void Dispose() => file.Dispose();

    private void Use(byte[][] content)
    {
        current = AssignmentKeyFile.Parse(content[0]);
        Changed?.Invoke();
    }
}
