using System.Text.Json;
using Fabrik.Admission;

namespace Fabrik.Checks;

/// <summary>A Job as the API server would have stored it.</summary>
/// <param name="Took">Of the whole request.</param>
/// <param name="Warnings">What the API server said beside it.</param>
public sealed record TriedJob(JsonElement Job, string Namespace, TimeSpan Took);

/// <param name="Configuration">The MutatingWebhookConfiguration.</param>
/// <param name="Endpoints">EndpointSlices of the Service that it names; null where it names an address instead.</param>
/// <param name="Optimised">A Job tried in a namespace that is opted in.</param>
/// <param name="Declined">The same, with the annotation that declines.</param>
/// <param name="InGateway">A Job with the annotation that asks for a run token.</param>
public sealed record WebhookFacts(Reading<JsonElement> Configuration, Reading<IReadOnlyList<JsonElement>>? Endpoints, Reading<TriedJob> Optimised, Reading<TriedJob> Declined, Reading<TriedJob> InGateway);

/// <summary>Whether Jobs really come back as they should, and whether the registration is the one that cannot harm anybody.</summary>
public static class WebhookChecks
{
    public const string Registered = "FAB-3081";

    private static readonly TimeSpan Slow = TimeSpan.FromMilliseconds(500);

    public static readonly Category<WebhookFacts> Category = new("webhook",
    [
        new(Registered, "the webhook is registered", facts => facts.Configuration.Judge(
            configuration => configuration.List("webhooks").Any() ? Finding.Passed(Where(configuration)) : Finding.Failed("the configuration has no entry", Repair),
            () => Finding.Failed($"there is no MutatingWebhookConfiguration {Names.Objects.WebhookConfiguration}: every Job is created as it came", Repair))),
        new("FAB-3082", "a Job is created even when the webhook is away", facts => facts.Configuration.Judge(configuration =>
            configuration.List("webhooks").Where(entry => entry.Text("failurePolicy") != "Ignore" || entry.Whole("timeoutSeconds") is not (> 0 and <= 2)).Select(entry => entry.Text("name") ?? "?").ToList() is { Count: > 0 } strict
                ? Finding.Failed($"{strict.Few()}: failurePolicy must be Ignore and timeoutSeconds at most 2, or an outage of Fabrik stops the cluster's Jobs", Repair)
                : Finding.Passed("Ignore, 2 s"))) { Needs = [Registered] },
        new("FAB-3083", "the registration is what this version of Fabrik means", facts => facts.Configuration.Judge(configuration => Difference(configuration) is { } place
            ? Finding.Failed($"it differs at {place}", Repair)
            : Finding.Passed($"{configuration.List("webhooks").Count()} entries"))) { Needs = [Registered] },
        new("FAB-3084", "its Service has a Pod that is ready", facts => facts.Endpoints is null
            ? Finding.Skipped("the webhook is registered by its address, without a Service")
            : facts.Endpoints.Judge(slices => slices.SelectMany(slice => slice.List("endpoints")).Count(endpoint => endpoint.At("conditions", "ready").ValueKind != JsonValueKind.False) is var ready and > 0
                ? Finding.Passed($"{ready} ready")
                : Finding.Failed("the Service has no ready endpoint: every Job is created as it came", $"kubectl -n {Names.SystemNamespace} get pods -l {Names.Labels.Name}={Names.Objects.Webhook}"))) { Needs = [Registered] },
        new("FAB-3085", "a canary Job is really changed", facts => facts.Optimised.Judge(
            tried => tried.Job.Text("metadata", "annotations", Names.Annotations.Assignment) is not null && tried.Job.Label(Names.Labels.RunId) is not null
                ? Finding.Passed($"in namespace {tried.Namespace}, with --dry-run=server")
                : Finding.Failed($"a Job tried in namespace {tried.Namespace} came back without {Names.Annotations.Assignment}: the API server does not reach the webhook, does not trust it, or it took longer than 2 s",
                    $"kubectl -n {Names.SystemNamespace} logs deployment/{Names.Objects.Webhook} --tail=50; the API server's log says why it was passed over: failed calling webhook"),
            next: "kubectl auth can-i create namespaces")) { Needs = [Registered] },
        new("FAB-3086", "a Job that declines is in no arm", facts => facts.Declined.Judge(
            tried => tried.Job.Label(Names.Labels.Variant) is not { } arm
                ? Finding.Passed()
                : Finding.Failed($"a Job with annotation {Names.Annotations.Optimize}: \"false\" came back in arm {arm}", Repair))) { Needs = ["FAB-3085"] },
        new("FAB-3087", "the API server has its answer within half a second", facts => facts.Optimised.Judge(tried => tried.Took < Slow
            ? Finding.Passed($"{tried.Took.TotalMilliseconds:0} ms for the whole request")
            : Finding.Warning($"the whole request took {tried.Took.TotalMilliseconds:0} ms; after 2 s Jobs are created as they came", $"kubectl -n {Names.SystemNamespace} top pods"))) { Needs = ["FAB-3085"] },
        new("FAB-3088", "a Job that calls models gets an address and a token", facts => facts.InGateway.State == ReadState.Missing
            ? Finding.Skipped(facts.InGateway.Why!)
            : facts.InGateway.Judge(tried => Variable(tried.Job, Names.ClientVariables.OpenAiUrl) is { } url && Variable(tried.Job, Names.ClientVariables.OpenAiKey) is not null
                ? Finding.Passed(url)
                : Finding.Failed($"a Job with annotation {Names.Annotations.Gateway}: \"true\" came back without {Names.ClientVariables.OpenAiUrl}: the webhook knows no gateway ({Names.Variables.GatewayUrl}), or no key to sign tokens with",
                    $"kubectl -n {Names.SystemNamespace} get deployment {Names.Objects.Webhook} -o yaml | grep -A1 {Names.Variables.GatewayUrl}"))) { Needs = ["FAB-3085"] },
    ])
    { Needs = [AccessChecks.Answers], Phase = CheckPhase.After };

    private static string Repair => "fabrik install writes it again";

    private static string Where(JsonElement configuration)
    {
        var client = configuration.List("webhooks").First().At("clientConfig");
        return client.Text("url") ?? $"service {client.Text("service", "namespace")}/{client.Text("service", "name")}";
    }

    /// <summary>Apart from where it is and whom to trust, which belong to the installation.</summary>
    private static string? Difference(JsonElement configuration)
    {
        var meant = JsonSerializer.SerializeToElement(WebhookRegistration.Configuration([]));
        return Alike.Difference(meant.At("webhooks"), configuration.At("webhooks"), "webhooks");
    }

    private static string? Variable(JsonElement job, string name) => job.List("spec", "template", "spec", "containers").SelectMany(container => container.List("env")).Where(one => one.Text("name") == name).Select(one => one.Text("value")).FirstOrDefault();
}
