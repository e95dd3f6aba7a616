using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Gateway.Wire;
using Fabrik.Proxy.Budgets;
using Fabrik.Proxy.Callers;
using Fabrik.Proxy.Forwarding;
using Fabrik.Proxy.Hosting;
using Fabrik.Proxy.Providers;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using Yarp.ReverseProxy.Forwarder;
using Endpoint = Fabrik.Gateway.Wire.Endpoint;

namespace Fabrik.Proxy.Calls;

/// <summary>A request as it comes: who calls, what for, and whether it may; then it is forwarded.</summary>
internal sealed class CallEndpoint(IHttpForwarder forwarder, FailoverInvoker invoker, CallerFiles callers, EndedRuns ended, ProviderFiles providers, Ledger ledger, BudgetKeeper keeper, BudgetBook book, ProxyMetrics metrics, ProxyOptions options)
{
    /// <summary>Of everything at once, where all else is bounded by the handler beneath.</summary>
    private static readonly ForwarderRequestConfig Forwarding = new() { ActivityTimeout = TimeSpan.FromHours(1), Version = new Version(2, 0), VersionPolicy = HttpVersionPolicy.RequestVersionOrLower };

    /// <summary>While the API does not say what is left of a budget.</summary>
    private static readonly TimeSpan UnknownFor = TimeSpan.FromSeconds(5);

    public async Task HandleAsync(HttpContext http)
    {
        var now = options.Clock.GetUtcNow();
        var operationId = CallIds.New(now);
        http.Response.Headers[Names.Headers.Operation] = operationId;
        var endpoint = Endpoint.Of(http.Request.Method, http.Request.Path.Value ?? "");
        if (endpoint.Format is not { } format)
        {
            await RefuseAsync(http, null, new WireError(404, "not_found_error", "unknown_path", endpoint.Refused!), operationId);
            return;
        }

        var verdict = callers.Verify(Credential(http.Request.Headers, format), now, out var caller);
        if (caller?.Run is { } run && ended.Has(run.RunId)) (verdict, caller) = (TokenVerdict.Ended, null);
        var all = providers.Current;
        var upstreams = all.Of(caller?.Project);
        var isOwned = upstreams.Owns(format);
        var operation = endpoint.Operation ?? Operation.Other;
        var isOther = operation == Operation.Other;
        if (isOther)
        {
            if (all.Naming(caller?.Project, format, endpoint.ProviderPath) is not { } naming)
            {
                await RefuseAsync(http, format, WireError.Refused(format, "path_not_served", endpoint.Refused!), operationId);
                return;
            }

            (upstreams, isOwned) = (naming, true);
        }
        else if (caller?.Run is { Namespace: Names.GatewayNamespace } && http.Request.Headers[Names.Headers.Provider] is [{ Length: > 0 } only])
        {
            (upstreams, isOwned) = (all.Only(only), false);
        }

        if (caller is null)
        {
            await RefuseAsync(http, format, Unauthenticated(format, verdict), operationId);
            return;
        }

        RequestFacts? facts = null;
        var body = ReadOnlyMemory<byte>.Empty;
        var model = "";
        if (http.Request.Method == HttpMethods.Post || isOther)
        {
            var most = upstreams.Config.Limits.RequestBytes;
            byte[] read;
            bool isWhole;
            try
            {
                (read, isWhole) = http.Request.ContentLength > most ? ([], false) : await Bodies.ReadAsync(http.Request.Body, http.Request.ContentLength, most, http.RequestAborted);
            }
            catch (BadHttpRequestException e)
            {
                await RefuseAsync(http, format, WireError.Invalid(e.StatusCode == 408 ? "request_too_slow" : "request_cut", $"The request's body did not come as its headers say: {e.Message.TrimEnd('.')}.", e.StatusCode), operationId);
                return;
            }

            if (!isWhole)
            {
                await RefuseAsync(http, format, WireError.Invalid("request_too_large", $"The request's body is longer than {most} bytes.", 413), operationId);
                return;
            }

            try
            {
                facts = isOther ? RequestFacts.ReadOther(read) : RequestFacts.Read(operation, read);
            }
            catch (FormatException e)
            {
                await RefuseAsync(http, format, WireError.Invalid("malformed_request", e.Message), operationId);
                return;
            }

            if (facts.Refused is { } why && !isOwned)
            {
                await RefuseAsync(http, format, WireError.Refused(format, "shared_state", why), operationId);
                return;
            }

            model = isOther ? facts.Model : upstreams.Config.Model(caller.Project, facts.Model);
            if (!isOther && caller.Run?.Rewritten(facts.Model, model) is { } other)
            {
                // What no provider here serves would fail every treated run for the configuration's fault.
                var isServed = upstreams.For(format, other).Count > 0;
                metrics.Rewritten(isServed);
                if (isServed) model = other;
            }

            body = facts.Rewrite(read, model, isOwned) ?? read;
        }

        var call = new Call
        {
            OperationId = operationId,
            Format = format,
            Operation = operation,
            Path = http.Request.QueryString.HasValue ? endpoint.ProviderPath + http.Request.QueryString.Value : endpoint.ProviderPath,
            Caller = caller,
            Upstreams = upstreams,
            Headers = http.Request.Headers,
            Body = body,
            BodyBytes = body.Length,
            ContentType = isOther && http.Request.ContentType is { Length: > 0 } type ? type : "application/json",
            Facts = endpoint.IsMetered || isOther ? facts : null,
            SentModel = model,
            Client = http.Features.GetRequiredFeature<IHttpRequestLifetimeFeature>(),
        };
        if (call.Facts is { Model.Length: > 0 } && keeper.IsOn)
        {
            var (reservation, refusal, isUnknown) = await keeper.ReserveAsync(Charged(caller), ledger.Most(call.Facts, model, body.Length), http.RequestAborted);
            if (refusal is not null || isUnknown)
            {
                await RefuseAsync(http, format, isUnknown ? BudgetErrors.Unknown(format, refusal) : BudgetErrors.Refused(format, refusal!), operationId, isUnknown ? UnknownFor : refusal!.RetryAfter);
                return;
            }

            call.Reservation = reservation;
            if (reservation?.Tightest is var (budget, left)) http.Response.Headers[Names.Headers.BudgetLeft] = $"{budget.Name} {budget.Say(left)}";
        }

        try
        {
            await forwarder.SendAsync(http, CallTransformer.Prefix, invoker, Forwarding, new CallTransformer(call), http.RequestAborted);
        }
        finally
        {
            if (call.Reservation is { } held) book.Release(held);
        }
    }

    /// <summary>As the official clients send it for the API that is called.</summary>
    private static string? Credential(IHeaderDictionary headers, WireFormat format)
    {
        if (format == WireFormat.Anthropic && headers.TryGetValue("x-api-key", out var key) && !StringValues.IsNullOrEmpty(key)) return key.Count == 1 ? key[0] : "";
        const string scheme = "Bearer ";
        var authorization = headers.Authorization;
        return authorization.Count == 1 && authorization[0] is { } text && text.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) ? text[scheme.Length..].Trim() : null;
    }

    private static WireError Unauthenticated(WireFormat format, TokenVerdict verdict) => verdict switch
    {
        TokenVerdict.Missing => WireError.Unauthenticated(format, "missing_token", "The call has no key. A Job in a namespace with the label fabrik.dev/gateway=true is given one; anybody else gets one with: fabrik gateway keys create"),
        TokenVerdict.Expired => WireError.Unauthenticated(format, "expired_token", "The key has expired."),
        TokenVerdict.Ended => WireError.Unauthenticated(format, "ended_token", "The key's run has ended, or the key was revoked."),
        TokenVerdict.DryRun => WireError.Unauthenticated(format, "dry_run_token", "The key is of a Job that was only tried, not created."),
        _ => WireError.Unauthenticated(format, "invalid_token", "The key is none of this gateway's."),
    };

    private static BudgetCaller Charged(Caller caller) => new(caller.Run?.Namespace, caller.Project, caller.Key?.Id, caller.Run?.Change, caller.Run?.Arm, caller.Run?.RunId);

    /// <param name="wait">After which the same call may be let through; null where trying again does not help.</param>
    private async Task RefuseAsync(HttpContext http, WireFormat? format, WireError error, string operationId, TimeSpan? wait = null)
    {
        metrics.Refused(error.Code);
        http.Response.StatusCode = error.Status;
        http.Response.ContentType = "application/json";
        http.Response.Headers[Names.Headers.ShouldRetry] = wait is null ? "false" : "true";
        if (wait is { } time) http.Response.Headers.RetryAfter = Math.Ceiling(time.TotalSeconds).ToString(System.Globalization.CultureInfo.InvariantCulture);
        var body = error.Body(format, operationId);
        http.Response.ContentLength = body.Length;
        await http.Response.Body.WriteAsync(body, http.RequestAborted);
    }
}
