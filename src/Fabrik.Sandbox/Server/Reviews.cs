using System.Text.Json.Nodes;
using Fabrik.Sandbox.Access;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;
using Fabrik.Sandbox.Validation;

namespace Fabrik.Sandbox.Server;

/// <summary>Requests that are answered and not stored: tokens, token reviews, access reviews.</summary>
public sealed class Reviews(Cluster cluster, Authenticator authenticator)
{
    private const long DefaultLifetime = 3600;
    private const long ShortestLifetime = 600;
    private const long LongestLifetime = 1L << 32;

    public JsonObject Answer(ApiRequest request, byte[] bytes, string media, RequestContext context)
    {
        var type = request.Type;
        var expected = request.Subresource == "token" ? TokenRequestType : type;
        var body = TypeRules.DecodeOptions(bytes, media, expected);
        if (body.Text("kind") is { } kind && kind != expected.Kind) throw ApiException.BadRequest($"{kind} in version \"{body.Text("apiVersion")}\" cannot be handled as a {expected.Kind}");
        var spec = body.Child("spec");
        if (request.Subresource == "token") spec["expirationSeconds"] ??= DefaultLifetime;
        var answer = new JsonObject { ["kind"] = expected.Kind, ["apiVersion"] = expected.ApiVersion, ["metadata"] = Metadata(body, expected, context, request.Subresource) };
        if (type == BuiltInTypes.SelfSubjectReview) answer.Child("metadata")["creationTimestamp"] = cluster.Now();
        if (request.Subresource == "token") return Token(request, answer, spec);
        if (type != BuiltInTypes.SelfSubjectReview) answer["spec"] = spec.DeepClone();
        answer["status"] = type.Plural switch
        {
            "tokenreviews" => Review(spec),
            "selfsubjectreviews" => new JsonObject { ["userInfo"] = UserInfo(context.Caller) },
            "selfsubjectaccessreviews" => Decide(context.Caller, spec, request.Namespace),
            "subjectaccessreviews" or "localsubjectaccessreviews" => Decide(Subject(spec, type), spec, request.Namespace),
            "selfsubjectrulesreviews" => Rules(context.Caller, spec.Text("namespace") ?? ""),
            _ => throw ApiException.MethodNotAllowed(),
        };
        return answer;
    }

    /// <summary>As admission and reviews show a caller.</summary>
    public static JsonObject UserInfo(Identity caller)
    {
        var user = new JsonObject { ["username"] = caller.Name };
        if (caller.Uid.Length > 0) user["uid"] = caller.Uid;
        user["groups"] = Array(caller.Groups);
        if (caller.Extra.Count > 0) user["extra"] = new JsonObject(caller.Extra.Select(extra => KeyValuePair.Create<string, JsonNode?>(extra.Key, Array(extra.Value))));
        return user;
    }

    private static readonly ResourceType TokenRequestType = new("authentication.k8s.io", "v1", "serviceaccounts", "TokenRequest", Namespaced: true);

    private JsonObject Metadata(JsonObject body, ResourceType type, RequestContext context, string subresource)
    {
        var metadata = new JsonObject();
        if (body["spec"] is not JsonObject { Count: > 0 }) return metadata;
        var tracked = new JsonObject { ["kind"] = type.Kind, ["apiVersion"] = type.ApiVersion, ["metadata"] = new JsonObject(), ["spec"] = body["spec"]!.DeepClone() };
        Ownership.Track(type, null, tracked, context, cluster.Clock.GetUtcNow(), subresource);
        if (tracked.At("metadata", "managedFields") is { } managed) metadata["managedFields"] = managed.DeepClone();
        return metadata;
    }

    private JsonObject Token(ApiRequest request, JsonObject answer, JsonObject spec)
    {
        var account = cluster.Store.Get(BuiltInTypes.ServiceAccount, request.Namespace, request.Name) ?? throw ApiException.NotFound(BuiltInTypes.ServiceAccount, request.Name);
        var seconds = spec.Number("expirationSeconds") ?? DefaultLifetime;
        if (seconds is < ShortestLifetime or > LongestLifetime)
        {
            throw ApiException.Invalid(TokenRequestType, "", [FieldError.Invalid("spec.expirationSeconds", JsonValue.Create(seconds), seconds < ShortestLifetime ? "may not specify a duration less than 10 minutes" : "may not specify a duration larger than 2^32 seconds")]);
        }

        string[] audiences = [.. spec.Texts("audiences")];
        if (audiences.Length == 0) audiences = Authenticator.OwnAudiences;
        var bound = spec["boundObjectRef"] as JsonObject;
        if (bound is not null && Bound(bound, request.Namespace!) is { } target) bound["uid"] = target.Uid;
        var (token, expires) = cluster.Tokens.Issue(account, audiences, TimeSpan.FromSeconds(seconds), bound);
        var metadata = (JsonObject)answer["metadata"]!;
        metadata["name"] = account.Name;
        metadata["namespace"] = account.Namespace;
        metadata["uid"] = Guid.NewGuid().ToString();
        metadata["creationTimestamp"] = cluster.Now();
        answer["spec"] = new JsonObject { ["audiences"] = Array(audiences), ["expirationSeconds"] = seconds, ["boundObjectRef"] = bound?.DeepClone() };
        answer["status"] = new JsonObject { ["token"] = token, ["expirationTimestamp"] = ObjectJson.Time(expires) };
        return answer;
    }

    private StoredObject? Bound(JsonObject reference, string ns)
    {
        var type = reference.Text("kind") switch
        {
            "Pod" => BuiltInTypes.Pod,
            "Secret" => BuiltInTypes.Secret,
            var other => throw ApiException.BadRequest($"cannot bind token to object of type \"{other}\""),
        };
        var name = reference.Text("name") ?? "";
        var found = cluster.Store.Get(type, ns, name) ?? throw ApiException.NotFound(type, name);
        return reference.Text("uid") is not { Length: > 0 } uid || uid == found.Uid
            ? found
            : throw ApiException.Conflict(type, name, $"the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated");
    }

    private JsonObject Review(JsonObject spec)
    {
        string[] audiences = [.. spec.Texts("audiences")];
        var (identity, common, error) = authenticator.Authenticate(spec.Text("token") ?? "", audiences.Length > 0 ? audiences : Authenticator.OwnAudiences);
        return identity is null
            ? new() { ["user"] = new JsonObject(), ["error"] = error }
            : new() { ["authenticated"] = true, ["user"] = UserInfo(identity), ["audiences"] = Array(common) };
    }

    private JsonObject Decide(Identity caller, JsonObject spec, string? ns)
    {
        AccessQuestion question;
        if (spec["resourceAttributes"] is JsonObject resource)
        {
            if (ns is not null && (resource.Text("namespace") ?? "") != ns) throw ApiException.BadRequest("spec.resourceAttributes.namespace must match metadata.namespace");
            question = new(
                resource.Text("verb") ?? "", resource.Text("group") ?? "", resource.Text("resource") ?? "", resource.Text("subresource") ?? "",
                resource.Text("namespace") ?? "", resource.Text("name") ?? "");
        }
        else if (spec["nonResourceAttributes"] is JsonObject path) question = new(path.Text("verb") ?? "", "", "", "", "", "", path.Text("path") ?? "");
        else throw ApiException.BadRequest("exactly one of nonResourceAttributes or resourceAttributes must be specified");
        var (allowed, reason) = cluster.Authorizer.Decide(caller, question);
        var status = new JsonObject { ["allowed"] = allowed };
        if (reason.Length > 0) status["reason"] = reason;
        return status;
    }

    private static Identity Subject(JsonObject spec, ResourceType type)
    {
        var (user, groups) = (spec.Text("user") ?? "", spec.Texts("groups").ToArray());
        if (user.Length == 0 && groups.Length == 0) throw ApiException.Invalid(type, "", [FieldError.Invalid("spec.user", "", "at least one of user or group must be specified")]);
        return new(user, spec.Text("uid") ?? "", groups);
    }

    private JsonObject Rules(Identity caller, string ns)
    {
        var resources = new JsonArray();
        var paths = new JsonArray();
        var rules = caller.IsMaster
            ? [JsonNode.Parse("""{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}""")!, JsonNode.Parse("""{"verbs":["*"],"nonResourceURLs":["*"]}""")!]
            : cluster.Authorizer.RulesFor(caller, ns).SelectMany(each => each.Rules);
        foreach (var rule in rules) (rule["nonResourceURLs"] is null ? resources : paths).Add(rule.DeepClone());
        return new() { ["resourceRules"] = resources, ["nonResourceRules"] = paths, ["incomplete"] = false };
    }

    private static JsonArray Array(IEnumerable<string> values) => [.. values.Select(value => (JsonNode)value)];
}
