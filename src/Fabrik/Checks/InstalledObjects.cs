using System.Text.Json;

namespace Fabrik.Checks;

/// <summary>What of Fabrik is in the cluster. Many checks depend on whether its processes run there at all.</summary>
/// <param name="Webhook">The Deployment.</param>
/// <param name="Control">The StatefulSet of API and scheduler.</param>
/// <param name="Gateway">The gateway's StatefulSet.</param>
/// <param name="Registration">The MutatingWebhookConfiguration.</param>
/// <param name="Discovery">The ConfigMap by which the command finds API and gateway.</param>
public sealed record InstalledObjects(Reading<JsonElement> Webhook, Reading<JsonElement> Control, Reading<JsonElement> Gateway, Reading<JsonElement> Registration, Reading<JsonElement> Discovery)
{
    /// <summary>Why nothing can be said about workloads, where Fabrik was started by hand or by the sandbox; null where it runs in the cluster, or should.</summary>
    public string? Outside =>
        Webhook.State == ReadState.Missing && Control.State == ReadState.Missing && Registration.IsRead && Registration.Value.List("webhooks").Select(entry => entry.Text("clientConfig", "url")).FirstOrDefault() is { } url
            ? $"Fabrik runs outside of this cluster: its webhook is registered by the address {url}"
            : null;

    /// <summary>Of a workload that must be there, unless none is.</summary>
    public Finding Workload(Reading<JsonElement> workload, string what, Func<JsonElement, Finding> judge) => Outside is { } outside
        ? Finding.Skipped(outside)
        : workload.Judge(judge, () => Finding.Failed($"there is no {what}", "fabrik install"));
}
