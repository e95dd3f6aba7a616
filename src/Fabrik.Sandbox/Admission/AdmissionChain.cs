using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Patches;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Server;
using Fabrik.Sandbox.Store;
using Fabrik.Sandbox.Validation;

namespace Fabrik.Sandbox.Admission;

/// <summary>Everything that may change or refuse a write before it is stored: built-in rules first, then the webhooks.</summary>
public sealed class AdmissionChain(Cluster cluster) : IDisposable
{
    private readonly WebhookCaller caller = new(cluster.Options.Services, cluster.Options.Seed, (ns, name, port) => ServiceResolver.Find(cluster.Store, ns, name, port));

    private readonly AdmissionPolicies policies = new(cluster);

    public Quotas Quotas { get; } = new(cluster);

    /// <summary>Built-in changes, then the mutating webhooks. The answer is the object to go on with, defaults filled in.</summary>
    public async Task<JsonObject> MutateAsync(AdmissionRequest request, CancellationToken ct)
    {
        if (request is { Operation: "CREATE", Subresource: "" } && request.Type == BuiltInTypes.Pod) PodAdmission.Prepare(cluster, request.Namespace!, request.Object!);
        if (request.Object is { } configuration)
        {
            RefuseUnknownConditions(request.Type, configuration);
            AdmissionPolicies.RefuseUnknown(request.Type, configuration);
        }

        var called = new List<(Webhook Webhook, int Changes)>();
        var changes = 0;
        foreach (var webhook in Matching(request, BuiltInTypes.MutatingWebhookConfiguration))
        {
            // Selectors see the object as the webhooks before have left it.
            if (!webhook.Wants(request, NamespaceLabels(request)) || !webhook.Conditions.All(condition => condition(request.Object ?? request.Old?.Read()))) continue;
            var changed = await MutateAsync(webhook, request, ct);
            if (changed is not null)
            {
                changes++;
                request = request with { Object = changed };
            }

            called.Add((webhook, changes));
        }

        foreach (var (webhook, before) in called)
        {
            if (!webhook.Reinvoke || before == changes) continue;
            if (await MutateAsync(webhook, request, ct) is { } changed) request = request with { Object = changed };
        }

        return request.Object ?? [];
    }

    /// <summary>Built-in checks and the validating webhooks; throws when one of them refuses.</summary>
    public async Task ValidateAsync(AdmissionRequest request, CancellationToken ct)
    {
        if (request is { Operation: "CREATE", Subresource: "" } && request.Type == BuiltInTypes.Pod)
        {
            LimitRanges.Check(cluster.Store, request.Namespace!, request.Object!);
            PodSecurity.Check(NamespaceLabels(request)!, request.Object!);
        }

        // Like webhooks, policies are not asked about themselves: a wrong one could not be mended.
        if (request.Type.Group != AdmissionPolicies.Policies.Group) policies.Check(request, NamespaceLabels(request));
        foreach (var webhook in Matching(request, BuiltInTypes.ValidatingWebhookConfiguration))
        {
            if (!webhook.Wants(request, NamespaceLabels(request)) || !webhook.Conditions.All(condition => condition(request.Object ?? request.Old?.Read()))) continue;
            await AskAsync(webhook, request, mayPatch: false, ct);
        }
    }

    /// <summary>What must hold in the moment of the write: the namespace's quotas. Null when there is nothing to check.</summary>
    public Action? QuotaGuard(ResourceType type, JsonObject content, StoredObject? old) => Quotas.Guard(type, content, old);

    public void Dispose() => caller.Dispose();

    // Null when nothing changed. A patch that does not fit the object is the request's failure, whatever the policy says: so does the real server.
    private async Task<JsonObject?> MutateAsync(Webhook webhook, AdmissionRequest request, CancellationToken ct)
    {
        var answer = await AskAsync(webhook, request, mayPatch: true, ct);
        if (answer?.Patch is not { Count: > 0 } patch || request.Object is not { } content) return null;
        try
        {
            var changed = TypeRules.Canonical(request.Type, JsonPatch.Apply(content, patch));
            TypeRules.Default(request.Type, changed);
            return JsonNode.DeepEquals(changed, content) ? null : changed;
        }
        catch (RequestException error)
        {
            throw ApiException.Internal(error.Details.Items("causes").FirstOrDefault().Text("message") ?? error.Message);
        }
    }

    // Null when the call failed and the webhook's policy is to ignore that.
    private async Task<WebhookAnswer?> AskAsync(Webhook webhook, AdmissionRequest request, bool mayPatch, CancellationToken ct)
    {
        if (request.Context.DryRun && !webhook.SafeInDryRun) throw ApiException.BadRequest($"admission webhook \"{webhook.Name}\" does not support dry run");
        WebhookAnswer answer;
        try
        {
            answer = await caller.CallAsync(webhook, request, mayPatch, ct);
        }
        catch (WebhookFailedException) when (webhook.FailOpen)
        {
            return null;
        }
        catch (WebhookFailedException error)
        {
            throw ApiException.Internal($"failed calling webhook \"{webhook.Name}\": failed to call webhook: {error.Message}");
        }

        foreach (var warning in answer.Warnings) request.Context.Warn(warning);
        return answer.Allowed ? answer : throw Denied(webhook, answer.Status);
    }

    private static ApiException Denied(Webhook webhook, JsonNode? status)
    {
        var by = $"admission webhook \"{webhook.Name}\" denied the request";
        var message = status.Text("message") is { Length: > 0 } text ? $"{by}: {text}" : status.Text("reason") is { Length: > 0 } reason ? $"{by}: {reason}" : $"{by} without explanation";
        return new((int)Math.Max(status.Number("code") ?? 400, 400), status.Text("reason") ?? "", message, status.At("details") as JsonObject);
    }

    // Configurations of webhooks are never sent to webhooks: a broken one could not be mended.
    private IEnumerable<Webhook> Matching(AdmissionRequest request, ResourceType configurations) =>
        request.Type.Group == BuiltInTypes.MutatingWebhookConfiguration.Group ? [] : Webhook.All(cluster.Store, configurations);

    private IReadOnlyDictionary<string, string>? NamespaceLabels(AdmissionRequest request)
    {
        if (request.Type == BuiltInTypes.Namespace) return request.Object is { } content ? Webhook.LabelsOf(content) : request.Old?.Labels;
        return request.Namespace is { } ns ? cluster.Store.Get(BuiltInTypes.Namespace, null, ns)?.Labels ?? new Dictionary<string, string>() : null;
    }

    private static void RefuseUnknownConditions(ResourceType type, JsonObject content)
    {
        if (type != BuiltInTypes.MutatingWebhookConfiguration && type != BuiltInTypes.ValidatingWebhookConfiguration) return;
        var causes = new List<FieldError>();
        var (hook, condition) = (0, 0);
        foreach (var entry in content.Items("webhooks"))
        {
            condition = 0;
            foreach (var expression in entry.Items("matchConditions").Select(each => each.Text("expression") ?? ""))
            {
                if (MatchConditions.Find(expression) is null)
                {
                    causes.Add(FieldError.Invalid(
                        $"webhooks[{hook}].matchConditions[{condition}].expression", expression, "the sandbox evaluates only the expressions that Fabrik registers; try this one on a real cluster"));
                }

                condition++;
            }

            hook++;
        }

        if (causes.Count > 0) throw ApiException.Invalid(type, content.Text("metadata", "name") ?? "", causes);
    }
}
