using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Api.Hosting;
using Fabrik.Kubernetes;

namespace Fabrik.Api.Callers;

/// <summary>Asks the cluster who a caller is (TokenReview) and what they may do (SubjectAccessReview).</summary>
internal sealed partial class Reviews(KubernetesClient cluster, ApiMetrics metrics, TimeProvider clock, ILogger<Reviews> logger) : IDisposable
{
    private const int Capacity = 4096;
    private const int LongestToken = 16 * 1024;
    private const int AtOnce = 16;
    private static readonly TimeSpan Life = TimeSpan.FromSeconds(10);

    /// <summary>For one review with the wait for a free place; nobody is kept waiting longer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ReviewCache<Caller?> callers = new(clock, Life, Capacity);
    private readonly ReviewCache<bool> permissions = new(clock, Life, Capacity);

    // A flood of made-up tokens must not become a flood of reviews.
    private readonly SemaphoreSlim places = new(AtOnce);

    public async Task<(Caller? Caller, Problem? Problem)> IdentifyAsync(HttpContext http)
    {
        const string scheme = "Bearer ";
        if (http.Request.Headers.Authorization is not [{ } header] || !header.StartsWith(scheme, StringComparison.OrdinalIgnoreCase))
            return (null, Problem.NotAuthenticated("the request has no bearer token"));
        var token = header[scheme.Length..].Trim();
        if (token.Length is 0 or > LongestToken) return (null, Problem.NotAuthenticated("the bearer token is empty or too long"));

        // The token itself is not kept.
        var key = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        if (!callers.TryGet(key, out var caller))
        {
            var (review, problem) = await AskAsync(Kinds.TokenReview, new JsonObject { ["token"] = token, ["audiences"] = new JsonArray(Names.Audience) }, http.RequestAborted);
            if (review is not { } status) return (null, problem);
            caller = Read(status);
            callers.Set(key, caller);
        }

        return caller is null
            ? (null, Problem.NotAuthenticated($"the cluster does not accept the token for the audience {Names.Audience}; it may be expired, or made for another audience"))
            : (caller, null);
    }

    /// <param name="ns">Null: all namespaces.</param>
    /// <param name="resource">One of <see cref="Names.Resources"/>.</param>
    /// <returns>Null where the caller may.</returns>
    public async Task<Problem?> MayAsync(Caller caller, string verb, string? ns, CancellationToken ct, string resource = Names.Resources.Runs)
    {
        var key = $"{verb}\n{resource}\n{ns}\n{caller.Key}";
        if (!permissions.TryGet(key, out var allowed))
        {
            var spec = caller.Attributes.DeepClone().AsObject();
            var attributes = new JsonObject { ["group"] = Names.Group, ["resource"] = resource, ["verb"] = verb };
            if (ns is not null) attributes["namespace"] = ns;
            spec["resourceAttributes"] = attributes;
            var (review, problem) = await AskAsync(Kinds.SubjectAccessReview, spec, ct);
            if (review is not { } status) return problem;
            allowed = status.TryGetProperty("allowed", out var answer) && answer.ValueKind == JsonValueKind.True;
            permissions.Set(key, allowed);
        }

        return allowed ? null : Problem.Forbidden(caller.User, verb, resource, ns is null ? "in all namespaces" : $"in namespace {ns}");
    }

    public void Dispose() => places.Dispose();

    private static Caller? Read(JsonElement status)
    {
        if (!status.TryGetProperty("authenticated", out var yes) || yes.ValueKind != JsonValueKind.True) return null;

        // A server that does not know audiences answers without them; such a token is good for anything, so not for us.
        if (!status.TryGetProperty("audiences", out var audiences) || audiences.ValueKind != JsonValueKind.Array
            || !audiences.EnumerateArray().Any(audience => audience.ValueEquals(Names.Audience))) return null;
        if (!status.TryGetProperty("user", out var user) || user.ValueKind != JsonValueKind.Object
            || !user.TryGetProperty("username", out var name) || name.GetString() is not { Length: > 0 } username) return null;
        var attributes = new JsonObject { ["user"] = username };
        foreach (var field in (ReadOnlySpan<string>)["uid", "groups", "extra"])
        {
            if (user.TryGetProperty(field, out var value) && value.ValueKind != JsonValueKind.Null) attributes[field] = JsonNode.Parse(value.GetRawText());
        }

        return new Caller(username, attributes, attributes.ToJsonString());
    }

    private async Task<(JsonElement? Status, Problem? Problem)> AskAsync(ResourceKind kind, JsonObject spec, CancellationToken ct)
    {
        using var patience = new CancellationTokenSource(Patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, patience.Token);
        try
        {
            await places.WaitAsync(either.Token);
            try
            {
                var body = new JsonObject { ["apiVersion"] = kind.ApiVersion, ["kind"] = kind.Kind, ["spec"] = spec };
                var review = await cluster.CreateAsync(kind, null, body, either.Token);
                metrics.Reviewed(kind.Kind, answered: true);
                return review.Json.TryGetProperty("status", out var status) && status.ValueKind == JsonValueKind.Object
                    ? (status, null)
                    : (null, Problem.ReviewsUnavailable($"the {kind.Kind} came back without an answer"));
            }
            finally
            {
                places.Release();
            }
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            metrics.Reviewed(kind.Kind, answered: false);
            Log.Failed(logger, kind.Kind, "no answer in time");
            return (null, Problem.ReviewsUnavailable($"the {kind.Kind} was not answered within {Patience.TotalSeconds:0} s"));
        }
        catch (KubernetesException e)
        {
            metrics.Reviewed(kind.Kind, answered: false);
            Log.Failed(logger, kind.Kind, e.Message);
            return (null, Problem.ReviewsUnavailable($"the {kind.Kind} failed with {(e.Code == 0 ? e.Reason : e.Code)}"));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "{Kind} failed: {Why}")]
        public static partial void Failed(ILogger logger, string kind, string why);
    }
}
