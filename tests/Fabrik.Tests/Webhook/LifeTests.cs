using System.Net;
using System.Text;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Kubernetes;
using Fabrik.Tests.Metrics;

namespace Fabrik.Tests.Webhook;

public sealed class LifeTests
{
    [Fact]
    public async Task It_is_alive_but_not_ready_until_the_changes_can_be_read_and_says_why()
    {
        var installed = false;
        await using var webhook = await WebhookUnderTest.StartAsync(path => !Volatile.Read(ref installed) && path.EndsWith("/optimizationchanges", StringComparison.Ordinal) && !path.Contains("/namespaces/", StringComparison.Ordinal) ? 404 : null);
        using var client = WebhookUnderTest.Client();
        (await webhook.GetAsync(client, Names.Paths.Live)).Status.ShouldBe(200);
        await webhook.UntilAsync(async () => (await webhook.GetAsync(client, Names.Paths.Ready)) is (503, var body) && body.Contains("optimizationchanges", StringComparison.Ordinal) && body.Contains("not now", StringComparison.Ordinal));
        using (var answer = await webhook.PostAsync(client, WebhookUnderTest.Json(WebhookUnderTest.Review))) answer.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);

        Volatile.Write(ref installed, true);
        await webhook.ReadyAsync(client);
        (await webhook.AddedAsync(client, Names.Labels.Experiment)).ShouldBe("memory");
    }

    [Fact]
    public async Task It_reviews_jobs_of_its_own_before_it_is_ready_and_they_are_in_no_figure()
    {
        await using var webhook = await WebhookUnderTest.StartAsync(warmUp: TimeSpan.FromSeconds(2));
        using var client = WebhookUnderTest.Client();
        await webhook.UntilAsync(async () => (await webhook.GetAsync(client, Names.Paths.Ready)) is (503, "not ready: warms up\n"));
        using (var posing = WebhookUnderTest.Json(WebhookUnderTest.Review))
        {
            posing.Headers.Add("Fabrik-Warm-Up", "a guess");
            (await webhook.PostAsync(client, posing)).Dispose();
        }

        await webhook.ReadyAsync(client);

        var said = webhook.Log.Lines.Single(line => line.Contains("reviews of its own", StringComparison.Ordinal));
        int.Parse(said.Split("after ")[1].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture).ShouldBeGreaterThan(0);
        var (_, metrics) = await webhook.GetAsync(client, Names.Paths.Metrics);
        ExpositionParser.Parse(metrics, openMetrics: false)["fabrik_webhook_review_duration_seconds_count"].ShouldBe(1);
    }

    [Fact]
    public async Task A_change_in_the_cluster_reaches_the_next_review()
    {
        await using var webhook = await WebhookUnderTest.StartAsync();
        using var client = WebhookUnderTest.Client();
        await webhook.ReadyAsync(client);
        (await webhook.AddedAsync(client, Names.Labels.Experiment)).ShouldBe("memory");
        webhook.Cluster.Delete(Kinds.OptimizationChange, Names.SystemNamespace, "memory");
        await webhook.UntilAsync(async () => await webhook.AddedAsync(client, Names.Labels.Experiment) is null);
        (await webhook.AddedAsync(client, Names.Labels.RunId)).ShouldNotBeNull();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_a_restart_of_the_API_server_that_has_forgotten_the_watches_a_change_that_went_meanwhile_is_put_on_no_more(bool isRestored)
    {
        var isDown = false;
        await using var webhook = await WebhookUnderTest.StartAsync(_ => Volatile.Read(ref isDown) ? 503 : null);
        using var client = WebhookUnderTest.Client();
        await webhook.ReadyAsync(client);
        (await webhook.AddedAsync(client, Names.Labels.Experiment)).ShouldBe("memory");

        Volatile.Write(ref isDown, true);
        webhook.Cluster.CloseWatches();
        webhook.Cluster.Delete(Kinds.OptimizationChange, Names.SystemNamespace, "memory");
        if (isRestored) webhook.Cluster.Restore();
        else webhook.Cluster.Compact();
        Volatile.Write(ref isDown, false);
        await webhook.UntilAsync(async () => await webhook.AddedAsync(client, Names.Labels.Experiment) is null);
        (await webhook.AddedAsync(client, Names.Labels.RunId)).ShouldNotBeNull();
        (await webhook.GetAsync(client, Names.Paths.Ready)).Status.ShouldBe(200);
    }

    [Fact]
    public async Task An_object_that_cannot_be_used_is_left_out_and_named()
    {
        await using var webhook = await WebhookUnderTest.StartAsync();
        using var client = WebhookUnderTest.Client();
        await webhook.ReadyAsync(client);
        webhook.Cluster.Put(Kinds.OptimizationChange, Names.SystemNamespace, "broken");
        await webhook.UntilAsync(async () => (await webhook.GetAsync(client, Names.Paths.Metrics)).Body.Contains("fabrik_webhook_snapshot_problems 1", StringComparison.Ordinal));
        webhook.Log.Lines.ShouldContain(line => line.Contains("fabrik-system/broken", StringComparison.Ordinal));
        (await webhook.AddedAsync(client, Names.Labels.Experiment)).ShouldBe("memory");
    }

    [Fact]
    public async Task Silence_of_the_watches_stops_experiments_until_the_server_is_heard_again()
    {
        await using var webhook = await WebhookUnderTest.StartAsync();
        using var client = WebhookUnderTest.Client();
        await webhook.ReadyAsync(client);
        (await webhook.AddedAsync(client, Names.Labels.Experiment)).ShouldBe("memory");
        webhook.Clock.Advance(TimeSpan.FromSeconds(95));
        (await webhook.AddedAsync(client, Names.Labels.Experiment)).ShouldBeNull();
        var (_, metrics) = await webhook.GetAsync(client, Names.Paths.Metrics);
        metrics.ShouldContain("fabrik_webhook_stopped{what=\"experiments\"} 1");
        metrics.ShouldContain("fabrik_webhook_stopped{what=\"applied\"} 0");

        webhook.Cluster.Bookmark(Kinds.OptimizationChange);
        webhook.Cluster.Bookmark(Kinds.OptimizerPolicy);
        await webhook.UntilAsync(async () => await webhook.AddedAsync(client, Names.Labels.Experiment) == "memory");
    }

    [Fact]
    public async Task A_new_certificate_serves_new_connections_while_old_ones_live_on_and_a_broken_one_is_not_taken()
    {
        await using var webhook = await WebhookUnderTest.StartAsync();
        var (seen, later) = (new List<string>(), new List<string>());
        using var client = WebhookUnderTest.Client(seen);
        await webhook.ReadyAsync(client);
        var second = webhook.WriteCertificate("second");
        webhook.Clock.Advance(TimeSpan.FromSeconds(5));
        using var other = WebhookUnderTest.Client(later);
        (await webhook.GetAsync(other, Names.Paths.Live)).Status.ShouldBe(200);
        later.ShouldHaveSingleItem().ShouldBe(second);
        (await webhook.GetAsync(client, Names.Paths.Live)).Status.ShouldBe(200);
        seen.ShouldHaveSingleItem().ShouldNotBe(second);

        webhook.WriteCertificateFile("-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n");
        webhook.Clock.Advance(TimeSpan.FromSeconds(30));
        var third = new List<string>();
        using var last = WebhookUnderTest.Client(third);
        (await webhook.GetAsync(last, Names.Paths.Live)).Status.ShouldBe(200);
        third.ShouldHaveSingleItem().ShouldBe(second);
        webhook.Log.Lines.Count(line => line.Contains("cannot be used", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task A_new_key_signs_and_the_previous_one_still_verifies()
    {
        const string First = "the first key of these tests, long enough";
        const string Second = "the second key of these tests, long enough";
        await using var webhook = await WebhookUnderTest.StartAsync();
        using var client = WebhookUnderTest.Client();
        await webhook.ReadyAsync(client);
        var old = await webhook.AddedAsync(client, Names.Annotations.Assignment);
        Assignment.Verify(old!, Keys(First)).ShouldNotBeNull();

        webhook.WriteKeys("too short");
        webhook.Clock.Advance(TimeSpan.FromSeconds(5));
        Assignment.Verify((await webhook.AddedAsync(client, Names.Annotations.Assignment))!, Keys(First)).ShouldNotBeNull();
        webhook.Log.Lines.ShouldContain(line => line.Contains("at least 32", StringComparison.Ordinal));
        webhook.Log.Lines.ShouldNotContain(line => line.Contains("too short", StringComparison.Ordinal));

        webhook.WriteKeys(Second, First);
        webhook.Clock.Advance(TimeSpan.FromSeconds(5));
        await webhook.UntilAsync(async () => Assignment.Verify((await webhook.AddedAsync(client, Names.Annotations.Assignment))!, Keys(Second)) is not null);
        Assignment.Verify(old!, Keys(Second + "\n" + First)).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_new_key_of_run_tokens_mints_and_tokens_of_the_previous_one_hold()
    {
        const string First = "the first token key of these tests, long enough";
        const string Second = "the second token key of these tests, long enough";
        await using var webhook = await WebhookUnderTest.StartAsync();
        using var client = WebhookUnderTest.Client();
        await webhook.ReadyAsync(client);
        var old = (await webhook.TokenAsync(client)).ShouldNotBeNull();
        Verdict(old, First).ShouldBe(TokenVerdict.Valid);

        webhook.WriteTokenKeys(Second, First);
        webhook.Clock.Advance(TimeSpan.FromSeconds(5));
        await webhook.UntilAsync(async () => Verdict((await webhook.TokenAsync(client))!, Second) == TokenVerdict.Valid);
        Verdict(old, Second + "\n" + First).ShouldBe(TokenVerdict.Valid);
        Verdict(old, Second).ShouldBe(TokenVerdict.Invalid);
        webhook.Log.Lines.ShouldNotContain(line => line.Contains("fbk-run-", StringComparison.Ordinal) || line.Contains("token key of these", StringComparison.Ordinal));

        TokenVerdict Verdict(string token, string keys) => RunToken.Verify(token, RunTokenKeys.Parse(Encoding.ASCII.GetBytes(keys)), webhook.Clock.GetUtcNow(), out _);
    }

    [Fact]
    public async Task Draining_takes_readiness_first_and_finishes_what_is_in_flight()
    {
        await using var webhook = await WebhookUnderTest.StartAsync(grace: TimeSpan.FromSeconds(5));
        using var client = WebhookUnderTest.Client();
        await webhook.ReadyAsync(client);
        using var body = new HeldContent(Encoding.UTF8.GetBytes(WebhookUnderTest.Review));
        var review = webhook.PostAsync(client, body);
        await body.Begun.Task;

        var stopped = webhook.StopAsync();
        (await webhook.GetAsync(client, Names.Paths.Ready)).ShouldBe((503, "not ready: draining\n"));
        using (var another = await webhook.PostAsync(client, WebhookUnderTest.Json(WebhookUnderTest.Review))) another.StatusCode.ShouldBe(HttpStatusCode.OK);
        stopped.IsCompleted.ShouldBeFalse();

        webhook.Clock.Advance(TimeSpan.FromSeconds(5));
        body.Go.SetResult();
        using var answer = await review;
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await answer.Content.ReadAsStringAsync()).ShouldContain("\"allowed\":true");
        await stopped.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System);
        await Should.ThrowAsync<HttpRequestException>(webhook.GetAsync(WebhookUnderTest.Client(), Names.Paths.Live));
    }

    private static AssignmentKeys Keys(string lines) => AssignmentKeyFile.Parse(Encoding.ASCII.GetBytes(lines));

    /// <summary>Sends half, then waits to be told to go on.</summary>
    private sealed class HeldContent : HttpContent
    {
        private readonly byte[] bytes;

        public HeldContent(byte[] bytes)
        {
            this.bytes = bytes;
            Headers.ContentType = new("application/json");
        }

        public TaskCompletionSource Begun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Go { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(bytes.AsMemory(0, bytes.Length / 2));
            await stream.FlushAsync();
            Begun.SetResult();
            await Go.Task;
            await stream.WriteAsync(bytes.AsMemory(bytes.Length / 2));
        }

        protected override bool TryComputeLength(out long length)
        {
            length = bytes.Length;
            return true;
        }
    }
}
