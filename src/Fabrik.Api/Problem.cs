using System.Text.Json.Serialization;
using Fabrik.Api.Usage;

namespace Fabrik.Api;

/// <summary>An error as application/problem+json (RFC 9457): what happened, why, and what to do next.</summary>
/// <param name="Type">Where the error is explained.</param>
/// <param name="Code">Stable: FAB-nnnn.</param>
public sealed record Problem(int Status, string Code, string Title, string Detail, string Next)
{
    public const string ContentType = "application/problem+json";

    [JsonPropertyOrder(-1)]
    public string Type => $"{Names.Documents.Errors}#{Code.ToLowerInvariant()}";

    public static Problem NotAuthenticated(string why) =>
        new(401, "FAB-2001", "the caller is not known", why, $"send a token of this cluster for the audience {Names.Audience}: kubectl -n {Names.SystemNamespace} create token {Names.Objects.Reader} --audience {Names.Audience}");

    public static Problem Forbidden(string user, string verb, string resource, string where) => new(
        403,
        "FAB-2002",
        "the caller may not do this",
        $"{user} may not {verb} {resource} {where}",
        $"{(resource == Names.Resources.Usage ? $"usage is delivered by {Names.GatewayUser}; for another " : "")}ask for a role with the verb {verb} on resource {resource} of API group {Names.Group} {where}");

    public static Problem ReviewsUnavailable(string why) =>
        new(503, "FAB-2003", "the cluster could not say who the caller is", why, "try again in a few seconds; if it stays so, look at the API server and at the permissions of Fabrik's own service account");

    public static Problem BadParameter(string name, string why, string next) => new(400, "FAB-2004", $"the parameter {name} is not usable", why, next);

    public static Problem NoSuchRun(string id) =>
        new(404, "FAB-2005", "there is no such run", $"no run has the id {id}", "list what there is: fabrik runs list; a run appears once its Job was seen in a namespace that is opted in");

    public static Problem NoSuchPath(string path) => new(404, "FAB-2006", "there is nothing here", $"{path} is not a path of this API", $"see {Names.Paths.OpenApi} for what there is");

    public static Problem ReadOnly(string method) => new(405, "FAB-2007", "this API is read-only", $"{method} is not offered here", "changes are made to the objects of the cluster, with kubectl or fabrik");

    public static Problem Unexpected(string trace) => new(500, "FAB-2008", "something went wrong in Fabrik", "the log of the API has the reason", $"look for {trace} in the log: kubectl -n {Names.SystemNamespace} logs statefulset/fabrik-control -c api");

    public static Problem StorageUnavailable(string why) => new(503, "FAB-2009", "the database could not be used", why, "try again in a few seconds; if it stays so, look at the log of the API");

    public static Problem BadRequest(int status, string why) => new(status, "FAB-2010", "the request is not usable", why, $"see {Names.Paths.OpenApi} for what is expected");

    public static Problem NoSuchExperiment(string change) =>
        new(404, "FAB-2011", "there is no such experiment", $"no run counts for a change of the name {(change.Length <= 253 ? change : change[..253])}", "list what there is: fabrik experiments list; an experiment appears with its first Job");

    /// <param name="invalid">All that are wrong.</param>
    /// <param name="count">Of the batch.</param>
    public static Problem BadEvents(IReadOnlyList<RefusedEvent> invalid, int count) => new(
        400,
        "FAB-2012",
        "events are not usable, and none of the batch was taken in",
        $"{invalid.Count} of {count}: event {invalid[0].Index}: {invalid[0].Reason}",
        "deliver the others without those that invalid names, and keep these aside")
    {
        Invalid = invalid,
    };

    /// <summary>Which events of a batch are wrong; null where the error is another.</summary>
    public IReadOnlyList<RefusedEvent>? Invalid { get; init; }

    public IResult ToResult() => new ProblemResult(this);

    private sealed class ProblemResult(Problem problem) : IResult
    {
        public Task ExecuteAsync(HttpContext context) => problem.WriteAsync(context);
    }

    public Task WriteAsync(HttpContext context)
    {
        context.Response.StatusCode = Status;
        if (Status == 401) context.Response.Headers.WWWAuthenticate = $"Bearer realm=\"{Names.Audience}\"";
        if (Status == 503) context.Response.Headers.RetryAfter = "2";
        return context.Response.WriteAsJsonAsync(this, ApiJson.Default.Problem, ContentType, context.RequestAborted);
    }
}
