using System.Text.Json.Nodes;
using Fabrik.Admission;
using Fabrik.Tests.Sandbox.Kubectl;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Sandbox.Server;

public class WebhookTests
{
    private const string Jobs = "/apis/batch/v1/namespaces/default/jobs";
    private const string Mutating = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
    private const string Validating = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

    [Fact]
    public async Task A_webhooks_patch_is_applied_and_its_warnings_reach_the_client()
    {
        await using var api = await ApiServer.StartAsync();
        await using var hook = await Hook.StartAsync();
        hook.Answer = _ =>
        {
            var answer = Hook.Patch(Hook.Add("/metadata/labels", new JsonObject { ["seen"] = "yes" }), Hook.Add("/spec/parallelism", 3));
            answer["warnings"] = new JsonArray("mind \"this\"");
            return answer;
        };
        (await api.PostAsync(Mutating, hook.Configuration("a"))).ShouldBe(201);

        var created = (await api.PostAsync(Jobs, ApiServer.Job("j"))).ShouldBe(201);

        created.Json["metadata"]!["labels"]!["seen"]!.GetValue<string>().ShouldBe("yes");
        created.Json["spec"]!["parallelism"]!.GetValue<int>().ShouldBe(3);
        created.Headers["Warning"].ShouldBe("299 - \"mind \\\"this\\\"\"");
    }

    [Fact]
    public async Task The_review_has_the_shape_of_a_recorded_one()
    {
        await using var api = await ApiServer.StartAsync();
        await using var hook = await Hook.StartAsync();
        (await api.PostAsync(Mutating, hook.Configuration("a"))).ShouldBe(201);
        await api.PostAsync("/api/v1/namespaces", """{"metadata":{"name":"ci"}}""");

        await api.PostAsync("/apis/batch/v1/namespaces/ci/jobs?fieldManager=kubectl-create&fieldValidation=Strict", """
            {"kind":"Job","apiVersion":"batch/v1","metadata":{"name":"hello"},"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"hello","image":"busybox","command":["echo","hi"]}]}}}}
            """);

        var recorded = TestData.Text("admission/reviews/jobs-create-kubectl-create-job.json");
        Shape.Of(hook.Received.Single().ToJsonString()).ShouldBe(Shape.Of(recorded), ignoreOrder: true);
        foreach (var member in (string[])["kind", "resource", "requestKind", "requestResource", "name", "namespace", "operation", "userInfo", "oldObject", "dryRun", "options"])
        {
            JsonNode.DeepEquals(hook.Received[0]["request"]![member], JsonNode.Parse(recorded)!["request"]![member]).ShouldBeTrue(member);
        }
    }

    [Fact]
    public async Task With_a_seed_the_same_jobs_get_the_same_reviews_and_so_the_same_draws()
    {
        var uids = new List<string[]>();
        foreach (var seed in new[] { "7", "7", "8", null, null })
        {
            await using var api = await ApiServer.StartAsync(new() { Seed = seed });
            await using var hook = await Hook.StartAsync();
            await api.PostAsync(Mutating, hook.Configuration("a"));
            foreach (var name in new[] { "x", "y", "x" })
            {
                (await api.PostAsync(Jobs, ApiServer.Job(name))).ShouldBe(201);
                await api.SendAsync("DELETE", $"{Jobs}/{name}?propagationPolicy=Background");
            }

            uids.Add([.. hook.Received.Select(review => (string)review["request"]!["uid"]!)]);
        }

        uids[0].ShouldBe(uids[1]);
        uids[0].Distinct().Count().ShouldBe(3); // a Job that is created again is another one
        uids[0].ShouldNotBe(uids[2]);
        uids[3].ShouldNotBe(uids[4]);
    }

    [Fact]
    public async Task Generated_names_uids_and_job_labels_are_not_there_yet_when_the_webhook_looks()
    {
        await using var api = await ApiServer.StartAsync();
        await using var hook = await Hook.StartAsync();
        await api.PostAsync(Mutating, hook.Configuration("a"));
        var job = ApiServer.Job("x");
        job["metadata"] = new JsonObject { ["generateName"] = "x-" };

        (await api.PostAsync(Jobs, job)).ShouldBe(201);

        var request = hook.Received.Single()["request"]!.AsObject();
        request.ContainsKey("name").ShouldBeFalse();
        request["object"]!["metadata"]!.AsObject().ContainsKey("uid").ShouldBeFalse();
        request["object"]!["metadata"]!.AsObject().ContainsKey("labels").ShouldBeFalse();
    }

    [Theory]
    [InlineData("Ignore", 201)]
    [InlineData("Fail", 500)]
    public async Task A_webhook_that_cannot_be_called_counts_as_its_policy_says(string policy, int expected)
    {
        await using var api = await ApiServer.StartAsync();
        await using var hook = await Hook.StartAsync();
        hook.Answer = _ => JsonValue.Create("no review");
        (await api.PostAsync(Mutating, hook.Configuration("a", new() { ["failurePolicy"] = policy }))).ShouldBe(201);

        var answer = (await api.PostAsync(Jobs, ApiServer.Job("j"))).ShouldBe(expected);

        if (expected == 500) answer.Message.ShouldStartWith("Internal error occurred: failed calling webhook \"a.example.com\"");
    }

    [Fact]
    public async Task A_patch_that_does_not_fit_is_the_callers_failure_even_under_ignore()
    {
        await using var api = await ApiServer.StartAsync();
        await using var hook = await Hook.StartAsync();
        hook.Answer = _ => Hook.Patch(Hook.Add("/metadata/annotations/x", "y"));
        await api.PostAsync(Mutating, hook.Configuration("a", new() { ["failurePolicy"] = "Ignore" }));

        var answer = (await api.PostAsync(Jobs, ApiServer.Job("j"))).ShouldBe(500);

        answer.Message.ShouldBe("Internal error occurred: add operation does not apply: doc is missing path: \"/metadata/annotations/x\": missing value");
        (await api.GetAsync(Jobs + "/j")).ShouldBe(404);
    }

    [Fact]
    public async Task A_denial_is_told_with_the_webhooks_words_and_code()
    {
        await using var api = await ApiServer.StartAsync();
        await using var hook = await Hook.StartAsync();
        hook.Answer = _ => new JsonObject { ["allowed"] = false, ["status"] = new JsonObject { ["message"] = "not today", ["code"] = 403 } };
        await api.PostAsync(Validating, hook.Configuration("v", kind: "ValidatingWebhookConfiguration"));

        (await api.PostAsync(Jobs, ApiServer.Job("j"))).ShouldBe(403).Message.ShouldBe("admission webhook \"v.example.com\" denied the request: not today");
    }

    [Fact]
    public async Task A_dry_run_stores_nothing_and_refuses_webhooks_with_side_effects()
    {
        await using var api = await ApiServer.StartAsync();
        await using var hook = await Hook.StartAsync();
        await api.PostAsync(Mutating, hook.Configuration("a"));

        (await api.PostAsync(Jobs + "?dryRun=All", ApiServer.Job("j"))).ShouldBe(201).Json["metadata"]!.AsObject().ContainsKey("resourceVersion").ShouldBeFalse();
        hook.Received.Single()["request"]!["dryRun"]!.GetValue<bool>().ShouldBeTrue();
        hook.Received[0]["request"]!["options"]!["dryRun"]!.ToJsonString().ShouldBe("""["All"]""");
        (await api.GetAsync(Jobs + "/j")).ShouldBe(404);
    }

    [Fact]
    public async Task Only_the_expressions_of_fabrik_are_taken_as_match_conditions()
    {
        await using var api = await ApiServer.StartAsync();
        await using var hook = await Hook.StartAsync();
        var other = hook.Configuration("a", new() { ["matchConditions"] = new JsonArray(new JsonObject { ["name"] = "x", ["expression"] = "object.metadata.name == 'x'" }) });
        (await api.PostAsync(Mutating, other)).ShouldBe(422);
        var own = WebhookRegistration.Configuration(new JsonObject { ["url"] = hook.Url.ToString() + "mutate", ["caBundle"] = hook.CaBundle });
        (await api.PostAsync(Mutating, own)).ShouldBe(201);

        await api.PostAsync(Jobs, ApiServer.Job("plain"));
        hook.Received.ShouldBeEmpty();
        var asked = ApiServer.Job("asked");
        asked["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Optimize] = "true" };
        await api.PostAsync(Jobs, asked);
        hook.Received.Count.ShouldBe(1);
        await api.SendAsync("PATCH", "/api/v1/namespaces/default", """{"metadata":{"labels":{"fabrik.dev/enabled":"true"}}}""", "application/merge-patch+json");
        var left = ApiServer.Job("left");
        left["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Optimize] = "false" };
        await api.PostAsync(Jobs, left);
        hook.Received.Count.ShouldBe(1);
        await api.PostAsync(Jobs, ApiServer.Job("opted-in-by-namespace"));
        hook.Received.Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_service_reference_leads_where_the_options_say_and_is_known_by_its_own_name()
    {
        await using var hook = await Hook.StartAsync("fabrik-webhook.fabrik-system.svc");
        await using var api = await ApiServer.StartAsync(new() { Services = new Dictionary<string, Uri> { ["fabrik-system/fabrik-webhook:443"] = hook.Url } });
        var service = new JsonObject { ["namespace"] = "fabrik-system", ["name"] = "fabrik-webhook", ["path"] = "/mutate" };
        await api.PostAsync(Mutating, hook.Configuration("a", new() { ["clientConfig"] = new JsonObject { ["service"] = service, ["caBundle"] = hook.CaBundle } }));

        (await api.PostAsync(Jobs, ApiServer.Job("j"))).ShouldBe(201);

        hook.Received.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_webhook_that_may_be_asked_again_is_when_a_later_one_changed_the_object()
    {
        await using var api = await ApiServer.StartAsync();
        await using var first = await Hook.StartAsync();
        await using var second = await Hook.StartAsync();
        second.Answer = _ => Hook.Patch(Hook.Add("/spec/parallelism", 2));
        await api.PostAsync(Mutating, first.Configuration("a", new() { ["reinvocationPolicy"] = "IfNeeded" }));
        await api.PostAsync(Mutating, second.Configuration("b"));

        (await api.PostAsync(Jobs, ApiServer.Job("j"))).ShouldBe(201);

        first.Received.Count.ShouldBe(2);
        first.Received[1]["request"]!["object"]!["spec"]!["parallelism"]!.GetValue<int>().ShouldBe(2);
        first.Received[0]["request"]!["uid"]!.GetValue<string>().ShouldNotBe(first.Received[1]["request"]!["uid"]!.GetValue<string>());
        second.Received.Count.ShouldBe(1);
    }
}
