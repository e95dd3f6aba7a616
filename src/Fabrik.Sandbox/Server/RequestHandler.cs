using System.Text.Json.Nodes;
using Fabrik.Sandbox.Access;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;
using Fabrik.Sandbox.Tables;
using Fabrik.Sandbox.Validation;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace Fabrik.Sandbox.Server;

/// <summary>From a request to its answer: who asks, may they, what do they want, and how it is said.</summary>
public sealed partial class RequestHandler(Cluster cluster, Authenticator authenticator, ILogger logger, CancellationToken stopping)
{
    private readonly Reader reader = new(cluster);
    private readonly Watcher watcher = new(cluster, stopping);
    private readonly Documents documents = new(cluster);
    private readonly PodRequests pods = new(cluster, stopping);
    private readonly PodForwarding forwarding = new(cluster, stopping);
    private readonly UsageRequests usage = new(cluster);
    private readonly Reviews reviews = new(cluster, authenticator);

    public async Task HandleAsync(HttpContext http)
    {
        http.Response.Headers.Append("Audit-Id", Guid.NewGuid().ToString());
        http.Response.Headers.CacheControl = "no-cache, private";
        RequestContext? context = null;
        try
        {
            var caller = authenticator.Authenticate(http.Request.Headers.Authorization) ?? throw ApiException.Unauthorized();
            caller = Impersonation.Apply(caller, http.Request.Headers);
            var path = http.Request.Path.Value ?? "/";
            var request = ApiRequest.Parse(http.Request.Method, path, ListQuery.IsTrue(http.Request.Query["watch"]), cluster.Catalog);
            Authorize(caller, request, path, http.Request);
            if (request is null)
            {
                if (!await documents.TryAnswerAsync(http, path) && !await pods.TryTakeLogsAsync(http, path, caller) && !await usage.TryTakeAsync(http, path, caller)) await SendPathNotFoundAsync(http, path);
                return;
            }

            context = Context(http.Request, caller);
            await AnswerAsync(http, request, context);
        }
        catch (ApiException error) when (!http.Response.HasStarted)
        {
            AddWarnings(http, context);
            await WriteAsync(http, error.Code, ObjectJson.Serialize(error.ToStatus()));
        }
        catch (Schema.RequestException refusal) when (!http.Response.HasStarted)
        {
            AddWarnings(http, context);
            await WriteAsync(http, refusal.Code, ObjectJson.Serialize(ApiException.From(refusal).ToStatus()));
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested || stopping.IsCancellationRequested)
        {
            // Nobody is listening any more.
        }
        catch (IOException error) when (error is not BadHttpRequestException && (error is ConnectionResetException || http.RequestAborted.IsCancellationRequested))
        {
            // The client went away while it was sending.
        }
        catch (BadHttpRequestException) when (!http.Response.HasStarted)
        {
            await WriteAsync(http, 413, ObjectJson.Serialize(ApiException.TooLarge(RequestBody.Limit).ToStatus()));
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            // A fault of this server: said aloud, and the client is told, but the server lives on.
            Log.RequestFailed(logger, http.Request.Method, http.Request.Path, error);
            if (!http.Response.HasStarted) await WriteAsync(http, 500, ObjectJson.Serialize(ApiException.Internal(error.Message).ToStatus()));
        }
    }

    // Below a group and version that is served a Status, elsewhere a line of text.
    private async Task SendPathNotFoundAsync(HttpContext http, string path)
    {
        var served = path.Split('/', StringSplitOptions.RemoveEmptyEntries) switch
        {
            ["api", var version, ..] => cluster.Catalog.HasGroupVersion("", version),
            ["apis", var group, var version, ..] => cluster.Catalog.HasGroupVersion(group, version),
            _ => false,
        };
        if (served) throw ApiException.PathNotFound();
        http.Response.StatusCode = 404;
        http.Response.ContentType = "text/plain; charset=utf-8";
        await http.Response.WriteAsync("404 page not found\n");
    }

    private async Task AnswerAsync(HttpContext http, ApiRequest request, RequestContext context)
    {
        var type = request.Type;
        var verbs = request.Subresource.Length == 0 ? type.Verbs : type.Subresource(request.Subresource)?.Verbs ?? throw ApiException.PathNotFound();
        if (!verbs.Contains(request.Verb)) throw ApiException.MethodNotAllowed();
        if (type.Namespaced && request.Namespace is null && request.Verb is not ("list" or "watch" or "deletecollection")) throw ApiException.MethodNotAllowed();
        switch (request.Verb)
        {
            case "watch":
                await WatchAsync(http, request);
                return;
            case "list" or "get" when type == BuiltInTypes.PodMetrics:
                await WriteAsync(http, 200, ObjectJson.Serialize(usage.Metrics(request, ListQuery.Parse(http.Request.Query, type))));
                return;
            case "get" when request.Subresource == "proxy":
                await WriteAsync(http, 200, ObjectJson.Serialize(usage.Summary(request, http.Request.Path.Value ?? "")));
                return;
            case "list":
                var query = ListQuery.Parse(http.Request.Query, type);
                await WriteAsync(http, 200, reader.List(type, request.Namespace, query, Negotiation.Form(http.Request), TablePrinter.Include(http.Request.Query["includeObject"])));
                return;
            case "get" when request.Subresource == "portforward":
                await forwarding.ForwardAsync(http, request);
                return;
            case "get" when request.Subresource == "log":
                await pods.SendLogsAsync(http, request);
                return;
            case "get":
                var found = cluster.Store.Get(type, request.Namespace, request.Name) ?? throw ApiException.NotFound(type, request.Name);
                await ShowAsync(http, 200, type, found, context);
                return;
            case "create":
                await CreateAsync(http, request, context);
                return;
            case "update":
                var body = TypeRules.Decode(type, await RequestBody.ReadAsync(http.Request, http.RequestAborted), RequestBody.MediaType(http.Request), context);
                var (updated, made) = await cluster.Objects.UpdateAsync(type, request.Namespace, request.Name, request.Subresource, body, context, http.RequestAborted);
                await ShowAsync(http, made ? 201 : 200, type, updated, context);
                return;
            case "patch":
                await PatchAsync(http, request, context);
                return;
            case "delete":
                await DeleteAsync(http, request, context);
                return;
            case "deletecollection":
                await DeleteCollectionAsync(http, request, context);
                return;
            default:
                throw ApiException.MethodNotAllowed();
        }
    }

    private async Task WatchAsync(HttpContext http, ApiRequest request)
    {
        var query = ListQuery.Parse(http.Request.Query, request.Type);
        if (request.Name.Length > 0) query = query with { Fields = new([.. query.Fields.Terms, new("metadata.name", request.Name, Negated: false)]) };
        http.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        await watcher.StreamAsync(request.Type, request.Namespace, query, Negotiation.Form(http.Request), TablePrinter.Include(http.Request.Query["includeObject"]), http);
    }

    private async Task CreateAsync(HttpContext http, ApiRequest request, RequestContext context)
    {
        var (type, bytes, media) = (request.Type, await RequestBody.ReadAsync(http.Request, http.RequestAborted), RequestBody.MediaType(http.Request));
        if (request.Subresource.Length > 0 || type.IsVirtual)
        {
            var answer = request.Subresource is "binding" or "eviction" || type.Plural == "bindings"
                ? await pods.CreateAsync(request, bytes, media, context, http.RequestAborted)
                : reviews.Answer(request, bytes, media, context);
            AddWarnings(http, context);
            await WriteAsync(http, 201, ObjectJson.Serialize(answer));
            return;
        }

        if (request.Name.Length > 0) throw ApiException.MethodNotAllowed();
        var body = TypeRules.Decode(type, bytes, media, context);
        var stored = await cluster.Objects.CreateAsync(type, request.Namespace, body, context, http.RequestAborted);
        await ShowAsync(http, 201, type, stored, context);
    }

    private async Task PatchAsync(HttpContext http, ApiRequest request, RequestContext context)
    {
        var media = RequestBody.MediaType(http.Request);
        var bytes = await RequestBody.ReadAsync(http.Request, http.RequestAborted);
        var apply = media == "application/apply-patch+yaml";
        if (apply && !context.FieldManagerGiven) throw ApiException.InvalidOptions("PatchOptions", FieldError.Required("fieldManager", "is required for apply patch"));
        if (!apply && http.Request.Query.ContainsKey("force")) throw ApiException.InvalidOptions("PatchOptions", FieldError.Forbidden("force", "may not be specified for non-apply patch"));
        // An apply that makes the object needs the right to create as well.
        if (apply && request.Subresource.Length == 0 && cluster.Store.Get(request.Type, request.Namespace, request.Name) is null) Authorize(context.Caller, request with { Verb = "create" }, "", http.Request);
        var change = TypeRules.Patch(request.Type, bytes, media, request.Subresource, context, cluster.Clock.GetUtcNow());
        var (stored, made) = await cluster.Objects.PatchAsync(
            request.Type, request.Namespace, request.Name, request.Subresource, change, track: !apply, mayCreate: apply, context, http.RequestAborted);
        await ShowAsync(http, made ? 201 : 200, request.Type, stored, context);
    }

    private async Task DeleteAsync(HttpContext http, ApiRequest request, RequestContext context)
    {
        var options = await DeleteOptionsAsync(http.Request, http.RequestAborted);
        context = WithDryRun(context, options);
        var (last, gone) = await cluster.Deletions.DeleteAsync(request.Type, request.Namespace, request.Name, options, context, http.RequestAborted);
        if (!gone || request.Type.ReturnsDeleted)
        {
            await ShowAsync(http, 200, request.Type, last, context);
            return;
        }

        var details = ApiException.Details(request.Type, last.Name);
        details["uid"] = last.Uid;
        AddWarnings(http, context);
        await WriteAsync(http, 200, ObjectJson.Serialize(new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Success",
            ["details"] = details,
        }));
    }

    private async Task DeleteCollectionAsync(HttpContext http, ApiRequest request, RequestContext context)
    {
        var query = ListQuery.Parse(http.Request.Query, request.Type);
        var options = await DeleteOptionsAsync(http.Request, http.RequestAborted);
        context = WithDryRun(context, options);
        var answer = reader.List(request.Type, request.Namespace, query, AnswerForm.Json, IncludeObject.None);
        foreach (var stored in cluster.Store.Log(request.Type).Now().From(request.Namespace).Where(query.Selects))
        {
            try
            {
                await cluster.Deletions.DeleteAsync(request.Type, stored.Namespace, stored.Name, options, context, http.RequestAborted);
            }
            catch (ApiException error) when (error.Code == 404)
            {
                // Gone already is what was wanted.
            }
        }

        AddWarnings(http, context);
        await WriteAsync(http, 200, answer);
    }

    private static async Task<JsonObject> DeleteOptionsAsync(HttpRequest request, CancellationToken ct)
    {
        var body = await RequestBody.ReadAsync(request, ct);
        var options = body.Length == 0 ? [] : TypeRules.DecodeOptions(body, RequestBody.MediaType(request));
        if (long.TryParse(request.Query["gracePeriodSeconds"], out var grace)) options["gracePeriodSeconds"] = grace;
        if (request.Query["propagationPolicy"].ToString() is { Length: > 0 } policy) options["propagationPolicy"] = policy;
        if (request.Query["orphanDependents"].ToString() is { Length: > 0 } orphan) options["orphanDependents"] = ListQuery.IsTrue(orphan);
        return options;
    }

    private static RequestContext WithDryRun(RequestContext context, JsonObject options) => !options.Texts("dryRun").Contains("All") ? context : new(context.Caller)
    {
        DryRun = true,
        FieldManager = context.FieldManager,
        FieldManagerGiven = context.FieldManagerGiven,
        FieldValidation = context.FieldValidation,
        Force = context.Force,
    };

    private void Authorize(Identity caller, ApiRequest? request, string path, HttpRequest http)
    {
        var question = request is null
            ? new AccessQuestion(http.Method.ToLowerInvariant(), "", "", "", "", "", path)
            : new AccessQuestion(request.Verb, request.Type.Group, request.Type.Plural, request.Subresource, request.Namespace ?? "", Named(request, http));
        var isAllowed = cluster.Authorizer.Decide(caller, question).Allowed;
        cluster.Options.Asked?.Invoke(caller.Name, question, isAllowed);
        if (!isAllowed) throw Refusals.Forbidden(caller, question, request?.Type);
    }

    /// <summary>Who lists or watches one object by a selector of its name needs the permission for that name alone.</summary>
    private static string Named(ApiRequest request, HttpRequest http)
    {
        if (request.Name.Length > 0 || request.Verb is not ("list" or "watch" or "deletecollection")) return request.Name;
        try
        {
            return FieldSelector.Parse(http.Query["fieldSelector"], request.Type).Name ?? "";
        }
        catch (FormatException)
        {
            return ""; // what is wrong with it is said to whom may ask
        }
    }

    private static RequestContext Context(HttpRequest request, Identity caller)
    {
        var query = request.Query;
        var dryRun = query["dryRun"].ToString();
        var options = request.Method switch { "POST" => "CreateOptions", "PATCH" => "PatchOptions", "DELETE" => "DeleteOptions", _ => "UpdateOptions" };
        if (dryRun.Length > 0 && dryRun != "All") throw ApiException.InvalidOptions(options, new("FieldValueNotSupported", $"Unsupported value: [\"{dryRun}\"]: supported values: \"All\"", "dryRun"));
        var validation = query["fieldValidation"].ToString();
        if (validation is not ("" or "Strict" or "Warn" or "Ignore")) throw ApiException.InvalidOptions(options, FieldError.NotSupported("fieldValidation", validation, "", "Ignore", "Strict", "Warn"));
        var manager = query["fieldManager"].ToString();
        var agent = request.Headers.UserAgent.ToString().Split('/', ' ')[0];
        return new(caller)
        {
            DryRun = dryRun.Length > 0,
            FieldManager = manager.Length > 0 ? manager : agent.Length > 0 ? agent : "unknown",
            FieldManagerGiven = manager.Length > 0,
            FieldValidation = validation,
            Force = ListQuery.IsTrue(query["force"]),
        };
    }

    private async Task ShowAsync(HttpContext http, int code, ResourceType type, StoredObject stored, RequestContext context)
    {
        AddWarnings(http, context);
        var form = Negotiation.Form(http.Request);
        await WriteAsync(http, code, form switch
        {
            AnswerForm.Table => ObjectJson.Serialize(Views.Table(type, [stored], new() { ["resourceVersion"] = $"{stored.ResourceVersion}" }, cluster, TablePrinter.Include(http.Request.Query["includeObject"]))),
            AnswerForm.Metadata => ObjectJson.Serialize(Views.Metadata(stored)),
            _ => Views.Bytes(type, stored),
        });
    }

    private static void AddWarnings(HttpContext http, RequestContext? context)
    {
        foreach (var warning in context?.Warnings ?? [])
        {
            var clean = string.Concat(warning.Where(c => c is >= ' ' and < '\x7f')).Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
            http.Response.Headers.Append("Warning", $"299 - \"{clean}\"");
        }
    }

    private static async Task WriteAsync(HttpContext http, int code, ReadOnlyMemory<byte> body)
    {
        http.Response.StatusCode = code;
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(http.Request.Method)) await http.Response.Body.WriteAsync(body, http.RequestAborted);
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed in the sandbox's API server; please report it with the request")]
        public static partial void RequestFailed(ILogger logger, string method, PathString path, Exception error);
    }
}
