using System.Net;
using System.Text;
using Fabrik.Gateway;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.Proxy;

/// <summary>What a client sees of the gateway is what the provider said.</summary>
public sealed class WireTests : IAsyncLifetime
{
    private GatewayBench bench = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => bench = await GatewayBench.StartAsync();

    public async ValueTask DisposeAsync() => await bench.DisposeAsync();

    [Fact]
    public async Task A_chat_is_answered_as_the_provider_answers_it_and_charged_to_its_run()
    {
        using var answer = await bench.ChatAsync();
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldBe(await DirectAsync("/v1/chat/completions", """{"model":"gpt-4o-mini","messages":[{"role":"user","content":"say some words"}]}"""));
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.RunId, row.Namespace, row.Project, row.Outcome, row.Estimated, row.Streamed).ShouldBe(("run-1", "agents", "search", AttemptOutcome.Completed, false, false));
        (row.RequestedModel, row.ServedModel, row.Provider, row.ProviderKey).ShouldBe(("gpt-4o-mini", "gpt-4o-mini", "first", "first-key"));
        (row.Tokens.Input, row.Tokens.Output).ShouldBe((3, 20));

        // 3 tokens at 0.15 and 20 at 0.60 dollars a million: 12.45 millionths.
        (row.CostMicros, row.Currency, row.PriceUnknown).ShouldBe((12, "USD", false));
        answer.Headers.GetValues(Names.Headers.Cost).ShouldBe(["0.000012 USD"]);
        answer.Headers.GetValues(Names.Headers.Operation).ShouldBe([row.OperationId]);
    }

    [Theory]
    [InlineData("/openai/v1/chat/completions", "/v1/chat/completions", """{"model":"gpt-4o-mini","messages":[],"stream":true,"stream_options":{"include_usage":true}}""")]
    [InlineData("/openai/v1/responses", "/v1/responses", """{"model":"gpt-5-mini","input":"say some words","stream":true,"store":false}""")]
    [InlineData("/anthropic/v1/messages", "/v1/messages", """{"model":"claude-haiku-4-5","max_tokens":20,"messages":[],"stream":true}""")]
    public async Task A_stream_is_passed_on_byte_for_byte(string path, string direct, string body)
    {
        using var answer = await bench.SendAsync(path, body);
        answer.Content.Headers.ContentType!.ToString().ShouldBe("text/event-stream; charset=utf-8");
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldBe(await DirectAsync(direct, body));
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Tokens.Output, row.Outcome, row.Estimated, row.Streamed).ShouldBe((20, AttemptOutcome.Completed, false, true));
        row.FirstByteMs.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_client_that_did_not_ask_for_usage_sees_none_and_is_metered_all_the_same()
    {
        const string body = """{"model":"gpt-4o-mini","messages":[],"stream":true}""";
        using var answer = await bench.SendAsync("/openai/v1/chat/completions", body);
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldBe(await DirectAsync("/v1/chat/completions", body));
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Tokens.Output, row.Estimated).ShouldBe((20, false));
    }

    [Fact]
    public async Task Embeddings_models_and_counts_are_served()
    {
        using var embedded = await bench.SendAsync("/openai/v1/embeddings", """{"model":"text-embedding-3-small","input":"two words"}""");
        (await embedded.Content.ReadAsStringAsync(Cancel)).ShouldContain("\"embedding\":[0.25,-0.5]");
        using var counted = await bench.SendAsync("/anthropic/v1/messages/count_tokens", """{"model":"claude-haiku-4-5","messages":[]}""");
        (await counted.Content.ReadAsStringAsync(Cancel)).ShouldBe("""{"input_tokens":1}""");
        using var models = new HttpRequestMessage(HttpMethod.Get, new Uri(bench.Gateway, "/openai/v1/models"));
        models.Headers.Authorization = new("Bearer", GatewayBench.Token());
        using var listed = await bench.Http.SendAsync(models, Cancel);
        (await listed.Content.ReadAsStringAsync(Cancel)).ShouldContain("gpt-4o-mini");

        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Operation, row.Tokens.Input, row.Tokens.Output, row.Estimated).ShouldBe((Operation.Embeddings, 2, 0, false));
    }

    [Fact]
    public async Task No_credential_of_the_client_reaches_the_provider_and_nothing_that_names_the_account_the_client()
    {
        var (seen, body) = ("", "");
        bench.Provider.Fault = (http, bytes) =>
        {
            seen = string.Join("\n", http.Request.Headers.Select(header => $"{header.Key}: {header.Value}"));
            body = Encoding.UTF8.GetString(bytes);
            return Task.FromResult(false);
        };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(bench.Gateway, "/openai/v1/chat/completions")) { Content = new StringContent("""{"model":"gpt-4o-mini","messages":[]}""") };
        request.Headers.Authorization = new("Bearer", GatewayBench.Token());
        foreach (var (name, value) in new[] { ("x-api-key", "client"), ("OpenAI-Organization", "org-client"), ("Cookie", "a=b"), ("X-Forwarded-For", "10.0.0.1"), ("OpenAI-Beta", "assistants=v2") }) request.Headers.Add(name, value);
        using var answer = await bench.Http.SendAsync(request, Cancel);

        seen.ShouldContain("Authorization: Bearer sk-first-key");
        seen.ShouldContain("OpenAI-Beta: assistants=v2");
        seen.ShouldNotContain("fbk-run");
        seen.ShouldNotContain("client");
        seen.ShouldNotContain("10.0.0.1");
        body.ShouldBe("""{"model":"gpt-4o-mini","messages":[]}""");
        answer.Headers.Select(header => header.Key).ShouldNotContain("openai-organization");
        answer.Headers.GetValues("request-id").ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_model_whose_name_has_a_dot_can_be_asked_for()
    {
        bench.Provider.Fault = async (http, _) =>
        {
            await http.Response.WriteAsync(http.Request.Path);
            return true;
        };
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(bench.Gateway, "/openai/v1/models/gpt-4.1"));
        request.Headers.Authorization = new("Bearer", GatewayBench.Token());
        using var answer = await bench.Http.SendAsync(request, Cancel);
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldBe("/v1/models/gpt-4.1");
    }

    [Theory]
    [InlineData("gpt-4o", "gpt-4o-mini", true)]
    [InlineData("clever", "gpt-4o-mini", true)]
    [InlineData("gpt-4.1", "gpt-4.1", false)]
    public async Task A_run_in_a_model_experiment_calls_the_other_model_where_it_asks_for_the_one_and_nowhere_else(string asked, string called, bool isRewritten)
    {
        await using var aliased = await GatewayBench.StartAsync(aliases: """{"search":{"clever":"gpt-4o"}}""");
        var token = GatewayBench.Token(models: [new ModelRewrite("gpt-4o", "gpt-4o-mini")]);
        var sent = "";
        aliased.Provider.Fault = (_, body) =>
        {
            sent = Encoding.UTF8.GetString(body);
            return Task.FromResult(false);
        };
        using var answer = await aliased.SendAsync("/openai/v1/chat/completions", $$"""{ "temperature" : 0.5, "model":"{{asked}}","messages":[{"role":"user","content":"call model \"gpt-4o\""}]}""", token);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        var row = (await aliased.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.RequestedModel, row.SentModel).ShouldBe((asked, called));
        sent.ShouldBe($$"""{ "temperature" : 0.5, "model":"{{called}}","messages":[{"role":"user","content":"call model \"gpt-4o\""}]}""");
        var metrics = await aliased.Http.GetStringAsync(new Uri(aliased.Gateway, Names.Paths.Metrics), Cancel);
        metrics.Contains("fabrik_gateway_rewritten_total{result=\"rewritten\"} 1", StringComparison.Ordinal).ShouldBe(isRewritten);
    }

    [Fact]
    public async Task A_model_experiment_whose_model_nobody_serves_leaves_the_calls_as_they_are()
    {
        await using var narrow = await GatewayBench.StartAsync(ofFirst: """, "models": ["gpt-*"]""");
        using var answer = await narrow.SendAsync("/openai/v1/chat/completions", """{"model":"gpt-4o-mini","messages":[]}""", GatewayBench.Token(models: [new ModelRewrite("gpt-4o-mini", "claude-haiku-4-5")]));
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await narrow.LedgerAsync(1)).ShouldHaveSingleItem().SentModel.ShouldBe("gpt-4o-mini");
        (await narrow.Http.GetStringAsync(new Uri(narrow.Gateway, Names.Paths.Metrics), Cancel)).ShouldContain("fabrik_gateway_rewritten_total{result=\"not_served\"} 1");
    }

    [Theory]
    [InlineData("POST", "/openai/v1/files")]
    [InlineData("GET", "/openai/v1/responses/resp_1")]
    [InlineData("DELETE", "/openai/v1/files/file-1")]
    [InlineData("POST", "/openai/v1/batches")]
    [InlineData("POST", "/anthropic/v1/messages/batches")]
    [InlineData("GET", "/openai/v1/models/../files")]
    public async Task What_one_project_could_read_of_another_is_refused_in_words(string method, string path)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(bench.Gateway, path));
        request.Headers.Authorization = new("Bearer", GatewayBench.Token());
        using var answer = await bench.Http.SendAsync(request, Cancel);
        answer.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldContain("must not reach another");
        bench.Provider.Requests.ShouldBe(0);
    }

    private async Task<string> DirectAsync(string path, string body)
    {
        using var answer = await bench.Http.PostAsync(new Uri(bench.Provider.Address, path), new StringContent(body), Cancel);
        return await answer.Content.ReadAsStringAsync(Cancel);
    }
}
