using System.Net;
using System.Text;
using Fabrik.Gateway;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.Proxy;

/// <summary>A provider that is one project's alone, and what that project may do there.</summary>
public sealed class OwnedProviderTests : IAsyncLifetime
{
    private GatewayBench bench = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => bench = await GatewayBench.StartAsync(two: true, ofFirst: ""","projects":["search"],"paths":["files","responses","completions","audio"]""");

    public async ValueTask DisposeAsync() => await bench.DisposeAsync();

    [Theory]
    [InlineData("GET", "/openai/v1/files?limit=2", "/v1/files?limit=2", null, null)]
    [InlineData("GET", "/openai/v1/files/file-1/content", "/v1/files/file-1/content", null, null)]
    [InlineData("DELETE", "/openai/v1/files/file-1", "/v1/files/file-1", null, null)]
    [InlineData("POST", "/openai/v1/files", "/v1/files", "multipart/form-data; boundary=x", "--x\r\n\r\n{\"model\":\"gpt-4o-mini\"}\r\n--x--")]
    [InlineData("POST", "/openai/v1/responses/resp_1/cancel", "/v1/responses/resp_1/cancel", null, null)]
    public async Task Paths_that_its_provider_names_are_passed_on_as_they_are_and_stand_in_the_ledger_with_a_flag(string method, string path, string asked, string? type, string? body)
    {
        var seen = ("", "", "", "");
        bench.Provider.Fault = async (http, bytes) =>
        {
            seen = ($"{http.Request.Method} {http.Request.Path}{http.Request.QueryString}", http.Request.ContentType ?? "", Encoding.UTF8.GetString(bytes), http.Request.Headers.Authorization.ToString());
            http.Response.ContentType = "application/octet-stream";
            // As of a stored response, that was paid for when it was made.
            await http.Response.WriteAsync("""{"model":"gpt-4o-mini","usage":{"prompt_tokens":1000,"completion_tokens":1000}}""");
            return true;
        };
        using var answer = await SendAsync(method, path, "search", type, body);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldContain("usage");
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/octet-stream");
        seen.ShouldBe(($"{method} {asked}", type ?? "", body ?? "", "Bearer sk-first-key"));
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Operation, row.Project, row.Provider, row.Outcome).ShouldBe((Operation.Other, "search", "first", AttemptOutcome.Completed));
        (row.CostMicros, row.Tokens.All, row.Estimated, row.PriceUnknown).ShouldBe((0, 0, true, true));
    }

    [Fact]
    public async Task What_names_a_model_and_is_answered_with_its_usage_is_charged_by_it()
    {
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync("""{"model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":1000}}""");
            return true;
        };
        using var answer = await SendAsync("POST", "/openai/v1/completions", "search", "application/json", """{"model":"gpt-4o-mini","prompt":"say"}""");
        answer.Headers.GetValues(Names.Headers.Cost).ShouldBe(["0.000750 USD"]);
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Operation, row.CostMicros, row.Estimated, row.PriceUnknown).ShouldBe((Operation.Other, 750, false, false));
    }

    [Theory]
    [InlineData("other", "/openai/v1/files")]
    [InlineData(null, "/openai/v1/files")]
    [InlineData("search", "/openai/v1/batches")]
    [InlineData("search", "/openai/v1/filesystem")]
    [InlineData("search", "/openai/v1/files/../batches")]
    [InlineData("search", "/openai/v1/files/%2e%2e/batches")]
    [InlineData("search", "/openai/v1/files/..%2fbatches")]
    [InlineData("search", "/openai/v1/files/%252e%252e/batches")]
    [InlineData("search", "/openai/v1/files//x")]
    [InlineData("search", "/openai/v1/files/a%3Fb")]
    public async Task Everything_else_is_refused_and_nobody_is_asked(string? project, string path)
    {
        using var answer = await SendAsync("GET", path, project);
        answer.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (bench.Provider.Requests, bench.Second!.Requests).ShouldBe((0, 0));
    }

    [Fact]
    public async Task A_project_with_a_provider_of_its_own_goes_to_no_other_and_nobody_else_to_that_one()
    {
        bench.Provider.Fault = (http, _) =>
        {
            http.Response.StatusCode = 500;
            return Task.FromResult(true);
        };
        using (var upload = await SendAsync("POST", "/openai/v1/files", "search", "text/plain", "x")) upload.StatusCode.ShouldBe(HttpStatusCode.InternalServerError);
        bench.Provider.Requests.ShouldBe(1); // what it did may not be done twice
        using (var chat = await bench.ChatAsync()) chat.StatusCode.ShouldBe(HttpStatusCode.InternalServerError);
        bench.Second!.Requests.ShouldBe(0);
        using var other = await SendAsync("POST", "/openai/v1/chat/completions", "other", "application/json", """{"model":"gpt-4o-mini","messages":[]}""");
        other.StatusCode.ShouldBe(HttpStatusCode.OK);
        (bench.Provider.Requests, bench.Second!.Requests).ShouldBe((2, 1));
    }

    [Fact]
    public async Task Under_its_own_key_a_project_may_store_responses_and_under_a_shared_one_not()
    {
        var sent = "";
        bench.Provider.Fault = (_, bytes) =>
        {
            sent = Encoding.UTF8.GetString(bytes);
            return Task.FromResult(false);
        };
        foreach (var body in (string[])["""{"model":"gpt-5-mini","input":"go on","store":true,"previous_response_id":"resp_1"}""", """{"model":"gpt-5-mini","input":"go on"}"""])
        {
            using var own = await SendAsync("POST", "/openai/v1/responses", "search", "application/json", body);
            own.StatusCode.ShouldBe(HttpStatusCode.OK);
            sent.ShouldBe(body);
        }

        using var shared = await SendAsync("POST", "/openai/v1/responses", "other", "application/json", """{"model":"gpt-5-mini","input":"go on","store":true}""");
        shared.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        bench.Second!.Requests.ShouldBe(0);
    }

    [Fact]
    public async Task A_long_answer_and_events_of_an_api_that_is_not_known_are_passed_on_as_they_come()
    {
        var gate = new TaskCompletionSource();
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = "text/event-stream";
            await http.Response.WriteAsync("data: first\n\n");
            await http.Response.Body.FlushAsync();
            await gate.Task;
            await http.Response.WriteAsync(new string('x', 3 << 20));
            return true;
        };
        using var answer = await SendAsync("POST", "/openai/v1/audio/speech", "search", "application/json", """{"model":"tts-1","input":"a","stream":true}""");
        using var stream = await answer.Content.ReadAsStreamAsync(Cancel);
        var first = new byte[13];
        await stream.ReadExactlyAsync(first, Cancel);
        Encoding.UTF8.GetString(first).ShouldBe("data: first\n\n");
        gate.SetResult();
        using var rest = new MemoryStream();
        await stream.CopyToAsync(rest, Cancel);
        rest.Length.ShouldBe(3 << 20);
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.RequestedModel, row.CostMicros, row.PriceUnknown, row.Outcome).ShouldBe(("tts-1", 0, true, AttemptOutcome.Completed));
    }

    [Fact]
    public async Task Only_a_token_of_the_gateways_own_namespace_may_name_the_provider_to_be_asked()
    {
        foreach (var (ns, isObeyed) in (IEnumerable<(string, bool)>)[("agents", false), (Names.GatewayNamespace, true)])
        {
            var before = (bench.Provider.Requests, bench.Second!.Requests);
            var withheld = true;
            bench.Provider.Fault = bench.Second!.Fault = (http, _) =>
            {
                withheld &= !http.Request.Headers.ContainsKey(Names.Headers.Provider);
                return Task.FromResult(false);
            };
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(bench.Gateway, "/openai/v1/chat/completions")) { Content = new StringContent("""{"model":"gpt-4o-mini","messages":[]}""") };
            request.Headers.Authorization = new("Bearer", RunToken.Mint(new RunClaims("t", ns, "other", null, null, null, null, TimeProvider.System.GetUtcNow().AddMinutes(2)), RunTokenKeys.Parse(Encoding.UTF8.GetBytes(GatewayBench.TokenKey))));
            request.Headers.Add(Names.Headers.Provider, "first");
            using var answer = await bench.Http.SendAsync(request, Cancel);
            answer.StatusCode.ShouldBe(HttpStatusCode.OK);
            (bench.Provider.Requests - before.Item1, bench.Second!.Requests - before.Item2).ShouldBe(isObeyed ? (1, 0) : (0, 1));
            withheld.ShouldBeTrue();
        }
    }

    private async Task<HttpResponseMessage> SendAsync(string method, string path, string? project, string? type = null, string? body = null)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), new Uri(bench.Gateway.AbsoluteUri.TrimEnd('/') + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        if (body is not null) request.Content = new StringContent(body);
        if (type is not null) request.Content!.Headers.ContentType = System.Net.Http.Headers.MediaTypeHeaderValue.Parse(type);
        request.Headers.Authorization = new("Bearer", GatewayBench.Token(project: project));
        return await bench.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
    }
}
