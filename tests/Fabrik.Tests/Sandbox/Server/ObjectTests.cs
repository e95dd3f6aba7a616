using System.Text.Json.Nodes;
using Fabrik.Sandbox.Access;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Sandbox.Server;

public class ObjectTests
{
    private const string Jobs = "/apis/batch/v1/namespaces/default/jobs";
    private const string Pods = "/api/v1/namespaces/default/pods";
    private const string Pod = """{"metadata":{"name":"p"},"spec":{"containers":[{"name":"main","image":"b","resources":{"requests":{"memory":"600Mi"}}}]}}""";

    [Theory]
    [InlineData("404-get-job.json")]
    [InlineData("409-conflict.json")]
    [InlineData("409-create-exists.json")]
    [InlineData("422-invalid-job.json")]
    [InlineData("401-bad-token.json")]
    [InlineData("403-anonymous.json")]
    public async Task Failures_are_worded_as_recorded(string file)
    {
        await using var api = await ApiServer.StartAsync();
        var hello = (await api.PostAsync(Jobs, ApiServer.Job("hello"))).Json;
        var stale = (JsonObject)hello.DeepClone();
        stale["metadata"]!["resourceVersion"] = "1";

        var answer = file switch
        {
            "404-get-job.json" => await api.GetAsync(Jobs + "/nope"),
            "409-conflict.json" => await api.SendAsync("PUT", Jobs + "/hello", stale),
            "409-create-exists.json" => await api.PostAsync(Jobs, ApiServer.Job("hello")),
            "401-bad-token.json" => await api.GetAsync(Jobs, token: "bad"),
            "403-anonymous.json" => await api.GetAsync("/apis/batch/v1/jobs", token: ""),
            _ => await api.PostAsync(Jobs, """
                {"metadata":{"name":"bad"},"spec":{"template":{"spec":{"containers":[{"name":"main","image":"b","resources":{"requests":{"memory":"4Gi"},"limits":{"memory":"2Gi"}}}]}}}}
                """),
        };

        var recorded = JsonNode.Parse(TestData.Text("status/" + file))!;
        JsonNode.DeepEquals(answer.Json, recorded).ShouldBeTrue(answer.Text);
        answer.Code.ShouldBe(recorded["code"]!.GetValue<int>());
    }

    /// <summary>Words and kinds of Kubernetes 1.36.</summary>
    [Theory]
    [InlineData("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", "{}", false)]
    [InlineData("/apis/coordination.k8s.io/v1/namespaces/default/leases", "{}", false)]
    [InlineData("/api/v1/namespaces/default/configmaps", "{}", true)]
    public async Task Who_replaces_without_having_read_is_refused_where_kubernetes_refuses_it(string path, string spec, bool taken)
    {
        await using var api = await ApiServer.StartAsync();
        var body = JsonNode.Parse(spec)!.AsObject();
        body["metadata"] = new JsonObject { ["name"] = "x" };
        (await api.PostAsync(path, body.DeepClone())).ShouldBe(201);

        var answer = await api.SendAsync("PUT", path + "/x", body.DeepClone());

        answer.Code.ShouldBe(taken ? 200 : 422);
        if (!taken) answer.Message.ShouldEndWith("\"x\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update");
    }

    [Fact]
    public async Task Status_and_spec_are_written_apart_and_only_the_spec_makes_generations()
    {
        await using var api = await ApiServer.StartAsync();
        await api.PostAsync(Jobs, ApiServer.Job("j"));

        var status = (await api.SendAsync("PATCH", Jobs + "/j/status", """{"spec":{"parallelism":5},"status":{"startTime":"2026-11-20T12:00:00Z","active":1}}""", "application/merge-patch+json")).ShouldBe(200).Json;
        status["spec"]!["parallelism"]!.GetValue<int>().ShouldBe(1);
        status["metadata"]!["generation"]!.GetValue<int>().ShouldBe(1);
        var spec = (await api.SendAsync("PATCH", Jobs + "/j", """{"spec":{"parallelism":5},"status":{"active":9}}""", "application/merge-patch+json")).ShouldBe(200).Json;
        spec["status"]!["active"]!.GetValue<int>().ShouldBe(1);
        spec["metadata"]!["generation"]!.GetValue<int>().ShouldBe(2);
    }

    [Fact]
    public async Task A_write_that_changes_nothing_leaves_the_version()
    {
        await using var api = await ApiServer.StartAsync();
        var before = (await api.PostAsync(Jobs, ApiServer.Job("j"))).Json;

        var after = (await api.SendAsync("PUT", Jobs + "/j", before.DeepClone())).ShouldBe(200).Json;

        after["metadata"]!["resourceVersion"]!.GetValue<string>().ShouldBe(before["metadata"]!["resourceVersion"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_pod_on_a_node_waits_for_the_node_and_a_finalizer_for_its_owner()
    {
        await using var api = await ApiServer.StartAsync();
        await api.PostAsync(Pods, Pod);
        await api.PostAsync(Pods + "/p/binding", """{"target":{"name":"n"}}""");

        var deleting = (await api.SendAsync("DELETE", Pods + "/p")).ShouldBe(200).Json;
        deleting["metadata"]!["deletionGracePeriodSeconds"]!.GetValue<int>().ShouldBe(30);
        await api.SendAsync("PATCH", Pods + "/p", """{"metadata":{"finalizers":["a/b"]}}""", "application/merge-patch+json");
        (await api.SendAsync("DELETE", Pods + "/p?gracePeriodSeconds=0")).ShouldBe(200);
        (await api.GetAsync(Pods + "/p")).ShouldBe(200);
        await api.SendAsync("PATCH", Pods + "/p", """{"metadata":{"finalizers":null}}""", "application/merge-patch+json");
        (await api.GetAsync(Pods + "/p")).ShouldBe(404);
    }

    [Fact]
    public async Task A_job_that_is_deleted_without_a_word_keeps_its_pods_and_says_so()
    {
        await using var api = await ApiServer.StartAsync();
        var uid = (await api.PostAsync(Jobs, ApiServer.Job("j"))).Json["metadata"]!["uid"]!.GetValue<string>();
        var pod = JsonNode.Parse(Pod)!;
        pod["metadata"]!["ownerReferences"] = new JsonArray(new JsonObject { ["apiVersion"] = "batch/v1", ["kind"] = "Job", ["name"] = "j", ["uid"] = uid });
        (await api.PostAsync(Pods, pod)).ShouldBe(201);

        (await api.SendAsync("DELETE", Jobs + "/j")).Headers["Warning"].ShouldContain("child pods are preserved by default");

        await Eventually(async () => (await api.GetAsync(Jobs + "/j")).Code == 404);
        (await api.GetAsync(Pods + "/p")).ShouldBe(200).Json["metadata"]!.AsObject().ContainsKey("ownerReferences").ShouldBeFalse();
    }

    [Fact]
    public async Task Limits_fill_in_and_refuse_and_quotas_count()
    {
        await using var api = await ApiServer.StartAsync();
        await api.PostAsync("/api/v1/namespaces/default/limitranges", """{"metadata":{"name":"l"},"spec":{"limits":[{"type":"Container","default":{"cpu":"1"},"max":{"memory":"1Gi"}}]}}""");
        var refused = (await api.PostAsync(Pods, Pod.Replace("\"requests\":{\"memory\":\"600Mi\"}", "\"limits\":{\"memory\":\"2Gi\"}", StringComparison.Ordinal))).ShouldBe(403);
        refused.Message.ShouldBe("pods \"p\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi");
        await api.SendAsync("DELETE", "/api/v1/namespaces/default/limitranges/l");
        await api.PostAsync("/api/v1/namespaces/default/resourcequotas", """{"metadata":{"name":"q"},"spec":{"hard":{"requests.memory":"1Gi","count/jobs.batch":"1"}}}""");
        (await api.PostAsync(Pods, Pod)).ShouldBe(201);

        var beyond = (await api.PostAsync(Pods, Pod.Replace("\"p\"", "\"p2\"", StringComparison.Ordinal))).ShouldBe(403);

        beyond.Message.ShouldBe("pods \"p2\" is forbidden: exceeded quota: q, requested: requests.memory=600Mi, used: requests.memory=600Mi, limited: requests.memory=1Gi");
        (await api.PostAsync(Jobs, ApiServer.Job("a"))).ShouldBe(201);
        (await api.PostAsync(Jobs, ApiServer.Job("b"))).ShouldBe(403).Message.ShouldContain("exceeded quota: q, requested: count/jobs.batch=1");
        await Eventually(async () => (await api.GetAsync("/api/v1/namespaces/default/resourcequotas/q")).Json["status"]?["used"]?["requests.memory"]?.GetValue<string>() == "600Mi");
    }

    [Fact]
    public async Task A_permission_for_one_name_covers_a_list_and_a_watch_of_that_name_alone()
    {
        await using var api = await ApiServer.StartAsync();
        await api.PostAsync("/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles", """
            {"metadata":{"name":"one"},"rules":[{"apiGroups":[""],"resources":["secrets"],"resourceNames":["mine"],"verbs":["list","watch"]}]}
            """);
        await api.PostAsync("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", """
            {"metadata":{"name":"one"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"one"},"subjects":[{"kind":"ServiceAccount","name":"default","namespace":"default"}]}
            """);
        var token = (await api.PostAsync("/api/v1/namespaces/default/serviceaccounts/default/token", """{"spec":{}}""")).ShouldBe(201).Json["status"]!["token"]!.GetValue<string>();

        const string Secrets = "/api/v1/namespaces/default/secrets";
        (await api.GetAsync(Secrets + "?fieldSelector=metadata.name%3Dmine", token)).ShouldBe(200);
        (await api.GetAsync(Secrets + "?fieldSelector=metadata.name%3Dother", token)).ShouldBe(403);
        (await api.GetAsync(Secrets + "?fieldSelector=metadata.name!%3Dmine", token)).ShouldBe(403);
        (await api.GetAsync(Secrets, token)).ShouldBe(403);
    }

    [Fact]
    public async Task A_service_accounts_token_is_good_for_its_audience_and_its_roles()
    {
        await using var api = await ApiServer.StartAsync();
        var own = await Token("""{"spec":{}}""");
        var foreign = await Token("""{"spec":{"audiences":["fabrik"]}}""");

        (await api.GetAsync(Jobs, own)).ShouldBe(403).Message.ShouldBe("jobs.batch is forbidden: User \"system:serviceaccount:default:default\" cannot list resource \"jobs\" in API group \"batch\" in the namespace \"default\"");
        (await api.GetAsync(Jobs, foreign)).ShouldBe(401);
        await api.PostAsync("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", """
            {"metadata":{"name":"v"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},"subjects":[{"kind":"ServiceAccount","name":"default","namespace":"default"}]}
            """);
        (await api.GetAsync(Jobs, own)).ShouldBe(200);
        (await Review(foreign, "fabrik"))["authenticated"]!.GetValue<bool>().ShouldBeTrue();
        (await Review(own, "fabrik")).ContainsKey("authenticated").ShouldBeFalse();

        async Task<string> Token(string body) =>
            (await api.PostAsync("/api/v1/namespaces/default/serviceaccounts/default/token", body)).ShouldBe(201).Json["status"]!["token"]!.GetValue<string>();

        async Task<JsonObject> Review(string token, string audience) =>
            (await api.PostAsync("/apis/authentication.k8s.io/v1/tokenreviews", new JsonObject { ["spec"] = new JsonObject { ["token"] = token, ["audiences"] = new JsonArray(audience) } })).ShouldBe(201).Json["status"]!.AsObject();
    }

    [Fact]
    public void A_token_counts_until_it_expires_and_only_as_it_was_signed()
    {
        var clock = new TestClock();
        var store = new ObjectStore();
        var account = store.Put(BuiltInTypes.ServiceAccount, (JsonObject)JsonNode.Parse("""{"metadata":{"name":"a","namespace":"n","uid":"u"}}""")!, expected: null)!;
        using var tokens = new Tokens(store, clock);
        var (token, _) = tokens.Issue(account, ["fabrik"], TimeSpan.FromHours(1), boundTo: null);

        tokens.Read(token).Identity!.Name.ShouldBe("system:serviceaccount:n:a");
        tokens.Read(token[..^6] + "AAAAAA").Error.ShouldBe("invalid bearer token");
        clock.Advance(TimeSpan.FromHours(1));
        tokens.Read(token).Error.ShouldBe("token has expired");
    }

    [Fact]
    public async Task Events_of_both_groups_are_the_same_events()
    {
        await using var api = await ApiServer.StartAsync();
        (await api.PostAsync("/apis/events.k8s.io/v1/namespaces/default/events", """
            {"metadata":{"name":"e"},"eventTime":"2026-11-20T12:00:00.000000Z","regarding":{"kind":"Job","namespace":"default","name":"j"},"note":"hi","type":"Normal","reason":"R","action":"A","reportingController":"c","reportingInstance":"i"}
            """)).ShouldBe(201).Json["note"]!.GetValue<string>().ShouldBe("hi");

        (await api.GetAsync("/api/v1/namespaces/default/events/e")).ShouldBe(200).Json["message"]!.GetValue<string>().ShouldBe("hi");
    }

    [Fact]
    public async Task A_followed_log_ends_with_the_nodes_last_line()
    {
        await using var api = await ApiServer.StartAsync();
        await api.PostAsync(Pods, Pod);
        await api.SendAsync("POST", "/sandbox/v1/logs/default/p", "one\n", "text/plain");
        using var following = await api.RequestAsync("GET", Pods + "/p/log?follow=true");
        var text = following.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

        await api.SendAsync("POST", "/sandbox/v1/logs/default/p?end=true", "two\n", "text/plain");

        (await text.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken)).ShouldBe("one\ntwo\n");
    }

    [Fact]
    public async Task Yaml_bodies_are_taken_and_those_that_explode_refused()
    {
        await using var api = await ApiServer.StartAsync();
        (await api.SendAsync("POST", "/api/v1/namespaces/default/configmaps", "metadata:\n  name: c\ndata:\n  a: \"1\"\n", "application/yaml")).ShouldBe(201);
        var bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + string.Concat(Enumerable.Range('b', 9).Select(c => $"{(char)c}: &{(char)c} [{string.Join(',', Enumerable.Repeat("*" + (char)(c - 1), 9))}]\n"));

        (await api.SendAsync("POST", "/api/v1/namespaces/default/configmaps", bomb, "application/yaml")).ShouldBe(400);
    }

    [Fact]
    public async Task A_deleted_namespace_takes_its_content_with_it_and_takes_nothing_new()
    {
        await using var api = await ApiServer.StartAsync();
        await api.PostAsync("/api/v1/namespaces", """{"metadata":{"name":"n"}}""");
        var held = ApiServer.Job("held");
        held["metadata"]!["finalizers"] = new JsonArray("a/b");
        (await api.PostAsync("/apis/batch/v1/namespaces/n/jobs", held)).ShouldBe(201);

        (await api.SendAsync("DELETE", "/api/v1/namespaces/n")).ShouldBe(200).Json["status"]!["phase"]!.GetValue<string>().ShouldBe("Terminating");

        (await api.PostAsync("/apis/batch/v1/namespaces/n/jobs", ApiServer.Job("new"))).ShouldBe(403).Message.ShouldContain("because it is being terminated");
        await Eventually(async () => (await api.GetAsync("/apis/batch/v1/namespaces/n/jobs/held")).Json["metadata"]!["deletionTimestamp"] is not null);
        await api.SendAsync("PATCH", "/apis/batch/v1/namespaces/n/jobs/held", """{"metadata":{"finalizers":null}}""", "application/merge-patch+json");
        await Eventually(async () => (await api.GetAsync("/api/v1/namespaces/n")).Code == 404);
    }

    [Fact]
    public async Task What_is_too_large_of_a_strange_type_or_of_no_acceptable_form_is_refused()
    {
        await using var api = await ApiServer.StartAsync();
        (await api.PostAsync(Jobs, new string(' ', 3 * 1024 * 1024 + 1))).ShouldBe(413);
        (await api.SendAsync("POST", Jobs, "<job/>", "application/xml")).ShouldBe(415);
        (await api.SendAsync("GET", Jobs, accept: "application/xml")).ShouldBe(406);
        (await api.SendAsync("POST", Jobs, "{", "application/json")).ShouldBe(400);
        (await api.GetAsync("/apis/nothing/v1/things")).ShouldBe(404);
        (await api.SendAsync("PUT", Jobs, ApiServer.Job("j"))).ShouldBe(405);
    }

    private static async Task Eventually(Func<Task<bool>> holds)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30), TimeProvider.System);
        while (!await holds()) limit.Token.ThrowIfCancellationRequested();
    }
}
