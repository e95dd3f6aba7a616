using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Checks;

/// <summary>Tries Jobs, without creating any.</summary>
internal static class WebhookGathering
{
    /// <summary>A namespace made a moment ago is not in the webhook's snapshot yet.</summary>
    private const int Tries = 40;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    public static async Task<WebhookFacts> GatherAsync(FactReader reader, Canaries canaries, TimeProvider clock, CancellationToken ct)
    {
        var configuration = await reader.GetAsync(Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration, ct);
        var service = configuration.IsRead ? configuration.Value.List("webhooks").Select(entry => entry.At("clientConfig", "service")).FirstOrDefault(one => one.ValueKind == JsonValueKind.Object) : default;
        var endpoints = service.Text("name") is { } name
            ? await reader.ListAsync(Kinds.EndpointSlice, service.Text("namespace") ?? Names.SystemNamespace, ct, $"kubernetes.io/service-name={name}")
            : null;
        var ns = await FactReader.TryAsync(() => OptedInAsync(reader, canaries, ct));
        if (!ns.IsRead)
        {
            var unknown = Reading.Not<TriedJob>(ns.State, ns.Why!);
            return new WebhookFacts(configuration, endpoints, unknown, unknown, unknown);
        }

        var (where, fresh) = ns.Value;
        var optimised = await TryAsync(reader, where, null, clock, ct);
        for (var left = fresh ? Tries : 0; left > 0 && optimised is { IsRead: true } && optimised.Value.Job.Text("metadata", "annotations", Names.Annotations.Assignment) is null; left--)
        {
            await Task.Delay(Pause, clock, ct);
            optimised = await TryAsync(reader, where, null, clock, ct);
        }

        if (optimised.IsRead) optimised = await TryAsync(reader, where, null, clock, ct); // the first may have had to connect
        var declined = await TryAsync(reader, where, Names.Annotations.Optimize, clock, ct);
        var discovery = await reader.GetAsync(Kinds.ConfigMap, Names.SystemNamespace, Names.Objects.ApiDiscovery, ct);
        var gateway = discovery.IsRead && discovery.Value.Text("data", Names.Objects.GatewayAddress) is null
            ? Reading.Not<TriedJob>(ReadState.Missing, $"there is no gateway here: ConfigMap {Names.SystemNamespace}/{Names.Objects.ApiDiscovery} names none")
            : await TryAsync(reader, where, Names.Annotations.Gateway, clock, ct);
        return new WebhookFacts(configuration, endpoints, optimised, declined, gateway);
    }

    /// <summary>The namespace that comes with Fabrik, or any that is opted in, or one that is made for it; and whether it is new.</summary>
    private static async Task<(string Name, bool Fresh)> OptedInAsync(FactReader reader, Canaries canaries, CancellationToken ct)
    {
        var found = await reader.ListAsync(Kinds.Namespace, null, ct, $"{Names.Labels.Enabled}=true");
        var usable = (found.IsRead ? found.Value : []).Where(ns => ns.Text("status", "phase") != "Terminating" && ns.Time("metadata", "deletionTimestamp") is null).Select(ns => ns.Name()).ToList();
        if (usable.Count > 0) return (usable.Contains(Names.RunsNamespace) ? Names.RunsNamespace : usable[0], false);
        return (await canaries.NamespaceAsync("webhook", new JsonObject { [Names.Labels.Enabled] = "true" }, ct), true);
    }

    private static async Task<Reading<TriedJob>> TryAsync(FactReader reader, string ns, string? annotation, TimeProvider clock, CancellationToken ct)
    {
        var began = clock.GetTimestamp();
        var tried = await reader.DryRunAsync(Kinds.Job, ns, Job(annotation), ct);
        return tried.IsRead ? Reading.Of(new TriedJob(tried.Value, ns, clock.GetElapsedTime(began))) : Reading.Not<TriedJob>(tried.State, tried.Why!);
    }

    /// <summary>One that fits Pod Security's strictest level and any LimitRange that gives defaults.</summary>
    private static JsonObject Job(string? annotation)
    {
        var metadata = new JsonObject { ["name"] = "fabrik-check-canary" };
        if (annotation is not null) metadata["annotations"] = new JsonObject { [annotation] = annotation == Names.Annotations.Optimize ? "false" : "true" };
        return new JsonObject
        {
            ["apiVersion"] = "batch/v1",
            ["kind"] = "Job",
            ["metadata"] = metadata,
            ["spec"] = new JsonObject { ["activeDeadlineSeconds"] = CanaryPods.Deadline, ["template"] = new JsonObject { ["spec"] = CanaryPods.Spec("canary", "true") } },
        };
    }
}
