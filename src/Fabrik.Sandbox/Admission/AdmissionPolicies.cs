using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Server;
using Fabrik.Sandbox.Store;
using Fabrik.Sandbox.Validation;

namespace Fabrik.Sandbox.Admission;

/// <summary>ValidatingAdmissionPolicies with their bindings; the expressions are those of <see cref="PolicyTwin"/>.</summary>
internal sealed class AdmissionPolicies(Cluster cluster)
{
    public static readonly ResourceType Policies = BuiltInTypes.All.Single(type => type.Kind == "ValidatingAdmissionPolicy");
    public static readonly ResourceType Bindings = BuiltInTypes.All.Single(type => type.Kind == "ValidatingAdmissionPolicyBinding");

    /// <summary>What this server could not enforce is refused when it is written.</summary>
    public static void RefuseUnknown(ResourceType type, JsonObject content)
    {
        var name = content.Text("metadata", "name") ?? "";
        if (type == Policies && PolicyTwin.Find(content) is null)
        {
            throw ApiException.Invalid(type, name,
            [
                FieldError.Invalid("spec.validations", name, $"the sandbox evaluates only the policies that Fabrik ships (this one's expressions are {PolicyTwin.FingerprintOf(content)}); try this one on a real cluster"),
            ]);
        }

        if (type == Bindings && content.At("spec", "paramRef", "selector") is not null)
            throw ApiException.Invalid(type, name, [FieldError.Invalid("spec.paramRef.selector", name, "the sandbox knows parameters by name only; try this one on a real cluster")]);
    }

    /// <exception cref="ApiException">A policy refuses the write.</exception>
    public void Check(AdmissionRequest request, IReadOnlyDictionary<string, string>? namespaceLabels)
    {
        foreach (var binding in cluster.Store.Log(Bindings).Now().From(null))
        {
            var bound = binding.Read()["spec"];
            if (cluster.Store.Get(Policies, null, bound.Text("policyName") ?? "")?.Read() is not { } policy || PolicyTwin.Find(policy) is not { } twin) continue;
            if (!Matches(policy.At("spec", "matchConstraints"), request, namespaceLabels) || (bound.At("matchResources") is { } narrower && !Matches(narrower, request, namespaceLabels))) continue;
            if (Refusal(policy, bound, twin, request) is not var (message, reason)) continue;
            var text = $"ValidatingAdmissionPolicy '{policy.Text("metadata", "name")}' with binding '{binding.Name}' denied request: {message}";
            if (bound.Texts("validationActions").Contains("Deny")) throw Denied(request, text, reason);
            if (bound.Texts("validationActions").Contains("Warn")) request.Context.Warn($"Validation failed for ValidatingAdmissionPolicy '{policy.Text("metadata", "name")}' with binding '{binding.Name}': {message}");
        }
    }

    private (string Message, string Reason)? Refusal(JsonObject policy, JsonNode? bound, PolicyTwin twin, AdmissionRequest request)
    {
        JsonObject? parameters = null;
        if (policy.At("spec", "paramKind") is { } kind)
        {
            parameters = Parameters(kind, bound.At("paramRef"), request.Namespace);
            if (parameters is null)
            {
                if (bound.Text("paramRef", "parameterNotFoundAction") != "Deny" || policy.Text("spec", "failurePolicy") == "Ignore") return null;
                return ("failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction", "Invalid");
            }
        }

        var home = request.Namespace is { } ns ? cluster.Store.Get(BuiltInTypes.Namespace, null, ns)?.Read() : null;
        var question = new PolicyQuestion(request, request.Object, request.Old?.Read(), home, parameters, PolicyTwin.TextsOf(policy), asked => cluster.Authorizer.Decide(request.Context.Caller, asked).Allowed);
        if (!twin.Applies(question)) return null;
        foreach (var (validation, holds) in policy.Items("spec", "validations").Zip(twin.Validations))
        {
            if (holds(question) is not { } said) continue;
            return (said.Length > 0 ? said : validation.Text("message") ?? $"failed expression: {validation.Text("expression")}", validation.Text("reason") ?? "Invalid");
        }

        return null;
    }

    private JsonObject? Parameters(JsonNode kind, JsonNode? reference, string? ns)
    {
        var type = cluster.Catalog.All.FirstOrDefault(one => one.ApiVersion == kind.Text("apiVersion") && one.Kind == kind.Text("kind"));
        return type is null ? null : cluster.Store.Get(type, type.Namespaced ? reference.Text("namespace") ?? ns : null, reference.Text("name") ?? "")?.Read();
    }

    private static bool Matches(JsonNode? resources, AdmissionRequest request, IReadOnlyDictionary<string, string>? namespaceLabels)
    {
        JsonNode?[] rules = [.. resources.Items("resourceRules")];
        if (rules.Length > 0 && !rules.Any(rule => IsOf(rule, request))) return false;
        if (resources.Items("excludeResourceRules").Any(rule => IsOf(rule, request))) return false;
        if (namespaceLabels is not null && !LabelSelector.FromObject(resources.At("namespaceSelector")).Matches(namespaceLabels)) return false;
        var objects = LabelSelector.FromObject(resources.At("objectSelector"));
        return objects.Requirements.Count == 0
            || (request.Object is { } content && objects.Matches(Webhook.LabelsOf(content)))
            || (request.Old is { } old && objects.Matches(old.Labels));
    }

    private static bool IsOf(JsonNode? rule, AdmissionRequest request)
    {
        string[] names = [.. rule.Texts("resourceNames")];
        return Webhook.Rule.Parse(rule).Matches(request) && (names.Length == 0 || names.Contains(request.Name));
    }

    private static ApiException Denied(AdmissionRequest request, string text, string reason)
    {
        var details = ApiException.Details(request.Type, request.Name);
        details["causes"] = new JsonArray(new JsonObject { ["message"] = text });
        var code = reason switch { "Forbidden" => 403, "Unauthorized" => 401, "RequestEntityTooLarge" => 413, _ => 422 };
        return new ApiException(code, reason, $"{request.Type.GroupResource} \"{request.Name}\" is forbidden: {text}", details);
    }
}
