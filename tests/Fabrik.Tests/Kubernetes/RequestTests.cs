using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Tests.Support;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.Kubernetes;

public sealed class RequestTests : IAsyncLifetime
{
    private const string Job = """{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"hello","namespace":"ci","uid":"u","resourceVersion":"7","labels":{"a":"b"},"creationTimestamp":"2026-11-20T12:00:00Z"}}""";
    private readonly TestClock clock = new();
    private FakeApiServer server = null!;
    private KubernetesClient client = null!;

    public async ValueTask InitializeAsync()
    {
        server = await FakeApiServer.StartAsync(context => FakeApiServer.Reply(context, 200, Job));
        client = new KubernetesClient(server.Config with { Server = new Uri(server.Url, "/base/") }, clock);
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await server.DisposeAsync();
    }

    public static TheoryData<string, Func<KubernetesClient, Task>, string> Calls => new()
    {
        { "get", c => c.GetAsync(Kinds.Job, "ci", "hello", default), "GET /base/apis/batch/v1/namespaces/ci/jobs/hello" },
        { "get of the core group", c => c.GetAsync(Kinds.Node, null, "n:1", default), "GET /base/api/v1/nodes/n:1" },
        { "get of a subresource", c => c.GetAsync(Kinds.Job, "ci", "hello", default, "status"), "GET /base/apis/batch/v1/namespaces/ci/jobs/hello/status" },
        { "create", c => c.CreateAsync(Kinds.Job, "ci", JsonNode.Parse(Job)!, default, new WriteOptions { DryRun = true, FieldManager = "me", FieldValidation = "Strict" }), $"POST /base/apis/batch/v1/namespaces/ci/jobs?dryRun=All&fieldManager=me&fieldValidation=Strict application/json {Job}" },
        { "create of a token", c => c.CreateAsync(Kinds.ServiceAccount, "ci", new JsonObject(), default, new WriteOptions { Subresource = "token", Name = "sa" }), "POST /base/api/v1/namespaces/ci/serviceaccounts/sa/token application/json {}" },
        { "create of a review", c => c.CreateAsync(Kinds.TokenReview, null, new JsonObject(), default), "POST /base/apis/authentication.k8s.io/v1/tokenreviews application/json {}" },
        { "replace of a status", c => c.ReplaceAsync(Kinds.Job, "ci", "hello", new JsonObject(), default, new WriteOptions { Subresource = "status" }), "PUT /base/apis/batch/v1/namespaces/ci/jobs/hello/status application/json {}" },
        { "JSON patch", c => c.PatchAsync(Kinds.Job, "ci", "hello", PatchType.Json, new JsonArray(), default), "PATCH /base/apis/batch/v1/namespaces/ci/jobs/hello application/json-patch+json []" },
        { "merge patch", c => c.PatchAsync(Kinds.Job, "ci", "hello", PatchType.Merge, new JsonObject { ["a"] = null }, default), "PATCH /base/apis/batch/v1/namespaces/ci/jobs/hello application/merge-patch+json {\"a\":null}" },
        { "strategic patch", c => c.PatchAsync(Kinds.Job, "ci", "hello", PatchType.Strategic, new JsonObject(), default), "PATCH /base/apis/batch/v1/namespaces/ci/jobs/hello application/strategic-merge-patch+json {}" },
        { "apply", c => c.PatchAsync(Kinds.Job, "ci", "hello", PatchType.Apply, new JsonObject(), default), "PATCH /base/apis/batch/v1/namespaces/ci/jobs/hello?fieldManager=fabrik application/apply-patch+yaml {}" },
        { "forced apply", c => c.PatchAsync(Kinds.Job, "ci", "hello", PatchType.Apply, new JsonObject(), default, new WriteOptions { FieldManager = "me", Force = true, Subresource = "status" }), "PATCH /base/apis/batch/v1/namespaces/ci/jobs/hello/status?fieldManager=me&force=true application/apply-patch+yaml {}" },
        { "delete", c => c.DeleteAsync(Kinds.Job, "ci", "hello", default), "DELETE /base/apis/batch/v1/namespaces/ci/jobs/hello application/json {\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\"}" },
        { "delete with everything", c => c.DeleteAsync(Kinds.Job, "ci", "hello", default, new DeleteOptions { DryRun = true, GracePeriodSeconds = 0, PropagationPolicy = "Foreground", Preconditions = new Preconditions("u", "7") }), """DELETE /base/apis/batch/v1/namespaces/ci/jobs/hello application/json {"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0,"propagationPolicy":"Foreground","dryRun":["All"],"preconditions":{"uid":"u","resourceVersion":"7"}}""" },
        { "raw", c => c.GetRawAsync("/version", default), "GET /base/version" },
        { "a log", c => c.LogsAsync("ci", "p", default, "main"), "GET /base/api/v1/namespaces/ci/pods/p/log?container=main&limitBytes=16777216" },
    };

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Each_call_asks_for_what_it_says(string what, Func<KubernetesClient, Task> call, string expected)
    {
        await call(client);
        var request = server.Requests.ShouldHaveSingleItem(what);
        var query = string.Join('&', request.Query.Select(pair => $"{pair.Key}={pair.Value}"));
        $"{request.Method} {request.Path}{(query.Length == 0 ? "" : "?" + query)}{(request.Body.Length == 0 ? "" : $" {request.Headers.ContentType} {request.Body}")}".ShouldBe(expected);
        request.Headers.Accept.ToString().ShouldBe("application/json");
        request.Headers.UserAgent.ToString().ShouldStartWith("fabrik/");
    }

    [Fact]
    public async Task An_object_tells_its_metadata()
    {
        var job = await client.GetAsync(Kinds.Job, "ci", "hello", default);
        (job.Kind, job.Key, job.Uid, job.ResourceVersion, job.Label("a"), job.Label("c"), job.Annotation("x"), job.GenerateName).ShouldBe(("Job", "ci/hello", "u", "7", "b", null, null, null));
        job.CreationTimestamp.ShouldBe(clock.GetUtcNow());
        job.DeletionTimestamp.ShouldBeNull();
        var copy = job.ToNode();
        copy["metadata"]!["labels"]!["a"] = "changed";
        job.Label("a").ShouldBe("b");
    }

    [Theory]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("a%2fb")]
    [InlineData("")]
    public async Task A_name_cannot_lead_to_another_path(string name)
    {
        await Should.ThrowAsync<ArgumentException>(() => client.GetAsync(Kinds.Job, "ci", name, default));
        await Should.ThrowAsync<ArgumentException>(() => client.GetAsync(Kinds.Job, name, "x", default));
        server.Requests.ShouldBeEmpty();
    }

    public static TheoryData<string, int, Func<KubernetesException, bool>, string> Recorded => new()
    {
        { "401-bad-token", 401, e => e.IsUnauthorized, "log in again" },
        { "403-anonymous", 403, e => e.IsForbidden, "system:anonymous" },
        { "404-get-job", 404, e => e.IsNotFound, "jobs.batch \"nope\" not found" },
        { "409-conflict", 409, e => e.IsConflict && !e.IsAlreadyExists, "the object has been modified" },
        { "409-create-exists", 409, e => e.IsAlreadyExists && !e.IsConflict, "already exists" },
        { "422-invalid-job", 422, e => e.IsInvalid && e.Causes is [{ Field: "spec.template.spec.containers[0].resources.requests" }, { Reason: "FieldValueRequired" }], "must be less than or equal to memory limit" },
    };

    [Theory]
    [MemberData(nameof(Recorded))]
    public async Task A_recorded_status_becomes_a_typed_error(string file, int code, Func<KubernetesException, bool> isWhat, string expected)
    {
        server.Answer = context => FakeApiServer.Reply(context, code, TestData.Text($"status/{file}.json"));
        var error = await FailAsync();
        error.Code.ShouldBe(code);
        isWhat(error).ShouldBeTrue();
        error.Message.ShouldContain(expected);
        error.Message.ShouldStartWith("get jobs.batch ci/hello: ");
        server.Requests.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(500, "<html>\r\n<h1>Internal\u0007 error</h1></html>", "HTTP 500 \"<html> <h1>Internal error</h1></html>\"")]
    [InlineData(404, "404 page not found\n", "HTTP 404 \"404 page not found\"")]
    [InlineData(400, "", "HTTP 400. This answer is not from a Kubernetes API server")]
    [InlineData(403, "{\"message\":\"no Status\"}", "HTTP 403")]
    [InlineData(400, "{\"kind\":\"Status\"", "HTTP 400")]
    public async Task The_answer_of_something_in_between_is_quoted_in_one_line(int code, string body, string expected)
    {
        server.Answer = context => FakeApiServer.Reply(context, code, body, "text/html");
        var error = await FailAsync();
        error.Code.ShouldBe(code);
        error.Message.ShouldContain(expected);
        error.Message.ShouldNotContain("\n");
        error.IsNotFound.ShouldBe(code == 404);
    }

    [Theory]
    [InlineData("<html>please log in</html>")]
    [InlineData("[1]")]
    [InlineData("")]
    public async Task A_good_answer_that_is_no_object_is_not_from_Kubernetes(string body)
    {
        server.Answer = context => FakeApiServer.Reply(context, 200, body);
        (await FailAsync()).Reason.ShouldBe(KubernetesException.NotKubernetes);
    }

    [Fact]
    public async Task A_redirect_is_not_followed()
    {
        server.Answer = context =>
        {
            context.Response.Headers.Location = "https://elsewhere.example/login?secret=1";
            return FakeApiServer.Reply(context, 302, "");
        };
        (await FailAsync()).Message.ShouldContain("a redirect to https://elsewhere.example/login, which is not followed");
    }

    [Fact]
    public async Task An_answer_without_end_is_given_up()
    {
        server.Answer = async context =>
        {
            var chunk = new byte[1 << 20];
            Array.Fill(chunk, (byte)' ');
            for (var i = 0; i < 64; i++) await context.Response.Body.WriteAsync(chunk, context.RequestAborted);
        };
        (await FailAsync()).Reason.ShouldBe("TooLarge");
    }

    [Fact]
    public async Task A_server_that_does_not_answer_is_given_up_in_time()
    {
        server.Answer = context => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
        var getting = FailAsync();
        await UntilAsync(() => server.Requests.Count == 1);
        clock.Advance(TimeSpan.FromSeconds(31));
        var error = await getting;
        error.Reason.ShouldBe(KubernetesException.TimedOut);
        error.Message.ShouldContain("within 30 s");
    }

    [Fact]
    public async Task A_caller_that_cancels_gets_a_cancellation()
    {
        server.Answer = context => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
        using var stop = new CancellationTokenSource();
        var getting = client.GetAsync(Kinds.Job, "ci", "hello", stop.Token);
        await UntilAsync(() => server.Requests.Count == 1);
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(getting);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_named_with_what_to_check()
    {
        var gone = await FakeApiServer.StartAsync();
        await gone.DisposeAsync();
        using var nobody = new KubernetesClient(gone.Config, clock);
        var creating = Should.ThrowAsync<KubernetesException>(() => nobody.CreateAsync(Kinds.Job, "ci", new JsonObject(), default));
        var error = await creating;
        (error.Code, error.Reason, error.IsTransient).ShouldBe((0, KubernetesException.Unreachable, true));
        error.Message.ShouldContain($"{gone.Url} cannot be reached");
    }

    [Theory]
    [InlineData(429, "get", 3)]
    [InlineData(503, "get", 3)]
    [InlineData(503, "replace", 3)]
    [InlineData(503, "delete", 3)]
    [InlineData(503, "apply", 3)]
    [InlineData(429, "create", 3)]
    [InlineData(503, "create", 1)]
    [InlineData(503, "json patch", 1)]
    [InlineData(500, "get", 1)]
    public async Task An_overloaded_server_is_asked_again_after_the_time_it_names_where_that_is_safe(int code, string verb, int requests)
    {
        server.Answer = context =>
        {
            if (server.Requests.Count == 3) return FakeApiServer.Reply(context, 200, Job);
            context.Response.Headers.RetryAfter = "7";
            return FakeCluster.Fail(context, code, "TooManyRequests", "later");
        };
        Task call = verb switch
        {
            "get" => client.GetAsync(Kinds.Job, "ci", "hello", default),
            "replace" => client.ReplaceAsync(Kinds.Job, "ci", "hello", new JsonObject(), default),
            "delete" => client.DeleteAsync(Kinds.Job, "ci", "hello", default),
            "apply" => client.PatchAsync(Kinds.Job, "ci", "hello", PatchType.Apply, new JsonObject(), default),
            "json patch" => client.PatchAsync(Kinds.Job, "ci", "hello", PatchType.Json, new JsonArray(), default),
            _ => client.CreateAsync(Kinds.Job, "ci", new JsonObject(), default),
        };
        for (var asked = 1; asked < requests; asked++)
        {
            await UntilAsync(() => server.Requests.Count == asked && clock.Next is { } next && next < TimeSpan.FromSeconds(10));
            clock.Next!.Value.ShouldBeGreaterThan(TimeSpan.FromSeconds(7));
            clock.Advance(clock.Next.Value);
        }

        if (requests == 1) (await Should.ThrowAsync<KubernetesException>(call)).RetryAfter.ShouldBe(TimeSpan.FromSeconds(7));
        else await call;
        server.Requests.Count.ShouldBe(requests);
    }

    [Fact]
    public async Task It_gives_up_after_a_few_times_and_at_once_when_asked_to_wait_for_long()
    {
        server.Answer = context => FakeCluster.Fail(context, 503, "ServiceUnavailable", "no");
        var getting = FailAsync();
        for (var attempt = 1; attempt < 5; attempt++)
        {
            await UntilAsync(() => server.Requests.Count == attempt && clock.Next is { } next && next < TimeSpan.FromSeconds(10));
            clock.Advance(clock.Next!.Value);
        }

        (await getting).Code.ShouldBe(503);
        server.Requests.Count.ShouldBe(5);
        server.Answer = context =>
        {
            context.Response.Headers.RetryAfter = "3600";
            return FakeCluster.Fail(context, 429, "TooManyRequests", "no");
        };
        (await FailAsync()).RetryAfter.ShouldBe(TimeSpan.FromHours(1));
        server.Requests.Count.ShouldBe(6);
    }

    [Fact]
    public async Task Warnings_beside_an_answer_are_passed_on()
    {
        var warnings = new List<string>();
        using var warned = new KubernetesClient(server.Config, clock) { OnWarning = warnings.Add };
        server.Answer = context =>
        {
            context.Response.Headers.Append("Warning", "299 - \"say \\\"no\\\"\", 299 - \"two\"");
            context.Response.Headers.Append("Warning", "199 - \"not this\"");
            return FakeApiServer.Reply(context, 200, Job);
        };
        await warned.GetAsync(Kinds.Job, "ci", "hello", default);
        warnings.ShouldBe(["say \"no\"", "two"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_list_whose_pages_expire_goes_on_and_gives_no_object_twice(bool withToken)
    {
        var cluster = new FakeCluster();
        for (var i = 0; i < 10; i++) cluster.Put(Kinds.Job, i % 2 == 0 ? "a" : "b", $"j{i}");
        var expired = 0;
        server.Answer = context =>
        {
            context.Request.Path = context.Request.Path.Value!["/base".Length..];
            if (context.Request.Query["continue"].ToString() is not { Length: > 0 } token || Interlocked.Exchange(ref expired, 1) == 1) return cluster.Answer(context);
            return FakeApiServer.Reply(context, 410, new JsonObject
            {
                ["kind"] = "Status",
                ["code"] = 410,
                ["reason"] = "Expired",
                ["metadata"] = withToken ? new JsonObject { ["continue"] = token } : new JsonObject(),
            }.ToJsonString());
        };
        var names = new List<string>();
        await foreach (var job in client.ListAsync(Kinds.Job, null, default, new ListOptions { PageSize = 3, LabelSelector = "x=y" }))
        {
            names.Add(job.Name);
            job.Kind.ShouldBe("Job");
            job.Json.GetProperty("apiVersion").GetString().ShouldBe("batch/v1");
        }

        names.Order().ShouldBe(Enumerable.Range(0, 10).Select(i => $"j{i}"));
        server.Requests.ShouldAllBe(request => request.Query["labelSelector"] == "x=y" && request.Query["limit"] == "3");
        server.Requests.Count.ShouldBe(withToken ? 5 : 6);
    }

    [Fact]
    public async Task A_proxy_is_used_when_the_configuration_names_one()
    {
        using var proxied = new KubernetesClient(new ClusterConfig { Server = new Uri("http://far.example:8080"), ProxyUrl = server.Url }, clock);
        await proxied.GetAsync(Kinds.Job, "ci", "hello", default);
        server.Requests.Single().Headers.Host.ToString().ShouldBe("far.example:8080");
    }

    [Fact]
    public async Task A_log_is_text_and_may_be_cut_but_not_endless()
    {
        server.Answer = async context =>
        {
            await context.Response.WriteAsync("grüße\n");
            for (var i = 0; i < 20; i++) await context.Response.Body.WriteAsync(new byte[1 << 20], context.RequestAborted);
        };
        var log = await client.LogsAsync("ci", "p", default);
        log.ShouldStartWith("grüße\n");
        log.Length.ShouldBeLessThanOrEqualTo(16 << 20);
    }

    private Task<KubernetesException> FailAsync() => Should.ThrowAsync<KubernetesException>(() => client.GetAsync(Kinds.Job, "ci", "hello", default));

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var i = 0; !condition(); i++)
        {
            i.ShouldBeLessThan(12_000);
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
        }
    }
}
