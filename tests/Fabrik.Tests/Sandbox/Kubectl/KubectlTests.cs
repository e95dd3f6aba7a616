using System.Text.Json.Nodes;

namespace Fabrik.Tests.Sandbox.Kubectl;

/// <summary>The verbs people use, with the kubectl of this machine. Each test has a namespace of its own.</summary>
public class KubectlTests(KubectlFixture kubectl) : IClassFixture<KubectlFixture>
{
    private const string Manifest = """
        apiVersion: batch/v1
        kind: Job
        metadata:
          name: verb
        spec:
          template:
            spec:
              containers:
              - name: main
                image: busybox
              restartPolicy: Never
        """;

    private readonly string ns = "k" + Guid.NewGuid().ToString("n")[..10];

    [Fact]
    public async Task Create_makes_jobs_and_cron_jobs_and_a_job_from_a_cron_job()
    {
        await StartAsync();

        (await OkAsync("create job a --image=busybox -- true")).ShouldBe("job.batch/a created\n");
        (await OkAsync("create cronjob c --image=busybox '--schedule=0 3 * * *' -- date")).ShouldBe("cronjob.batch/c created\n");
        (await OkAsync("create job b --from=cronjob/c")).ShouldBe("job.batch/b created\n");
        (await OkAsync("get job b -o 'jsonpath={.metadata.ownerReferences[0].kind} {.metadata.annotations.cronjob\\.kubernetes\\.io/instantiate}'")).ShouldBe("CronJob manual\n");
        (await OkAsync("create job d --image=busybox --dry-run=server -o name")).ShouldBe("job.batch/d\n");
        (await OkAsync("get jobs -o name")).ShouldBe("job.batch/a\njob.batch/b\n");
    }

    [Fact]
    public async Task Create_f_names_what_asks_for_a_name_and_refuses_fields_that_do_not_exist()
    {
        await StartAsync();

        var created = await OkAsync("create -f - -o name", Manifest.Replace("name: verb", "generateName: verb-"));
        created.ShouldMatch("^job.batch/verb-[a-z0-9]{5}\n$");
        var refused = await kubectl.RunAsync($"-n {ns} create -f -", Manifest.Replace("restartPolicy", "restartPolicie"));
        refused.Code.ShouldBe(1);
        refused.Error.ShouldContain("strict decoding error: unknown field \"spec.template.spec.restartPolicie\"");
    }

    [Fact]
    public async Task Apply_twice_changes_nothing_the_second_time_on_either_side()
    {
        await StartAsync();

        (await OkAsync("apply -f -", Manifest)).ShouldBe("job.batch/verb created\n");
        (await OkAsync("apply -f -", Manifest)).ShouldBe("job.batch/verb unchanged\n");
        (await OkAsync("apply --server-side -f -", Manifest)).ShouldBe("job.batch/verb serverside-applied\n");
        var before = await OkAsync("get job verb -o 'jsonpath={.metadata.resourceVersion}'");
        (await OkAsync("apply --server-side -f -", Manifest)).ShouldBe("job.batch/verb serverside-applied\n");
        (await OkAsync("get job verb -o 'jsonpath={.metadata.resourceVersion}'")).ShouldBe(before);
        var conflict = await kubectl.RunAsync($"-n {ns} apply --server-side --field-manager=other -f -", Manifest.Replace("busybox", "alpine"));
        conflict.Code.ShouldBe(1);
        conflict.Error.ShouldContain(".spec.template.spec.containers[name=\"main\"].image");
    }

    [Fact]
    public async Task Get_prints_every_output()
    {
        await StartAsync();
        await OkAsync("apply -f -", Manifest);

        (await OkAsync("get jobs")).ShouldMatch("^NAME +STATUS +COMPLETIONS +DURATION +AGE\nverb +Running +0/1 ");
        (await OkAsync("get jobs -o wide")).ShouldContain("CONTAINERS");
        (await OkAsync("get jobs -L job-name")).ShouldContain("JOB-NAME");
        (await OkAsync("get jobs -l job-name=verb -o name")).ShouldBe("job.batch/verb\n");
        (await OkAsync("get jobs -l 'job-name notin (verb)' -o name")).ShouldBe("");
        JsonNode.Parse(await OkAsync("get job verb -o json"))!["kind"]!.GetValue<string>().ShouldBe("Job");
        (await OkAsync("get job verb -o yaml")).ShouldStartWith("apiVersion: batch/v1\nkind: Job\n");
        (await OkAsync("get jobs -o 'custom-columns=N:.metadata.name'")).ShouldBe("N\nverb\n");
        (await OkAsync("get all")).ShouldContain("job.batch/verb");
        (await OkAsync("get jobs -A")).ShouldContain("NAMESPACE");
        (await kubectl.RunAsync($"-n {ns} get job nope")).Error.ShouldBe("Error from server (NotFound): jobs.batch \"nope\" not found\n");
    }

    [Fact]
    public async Task Get_w_shows_what_happens_after_the_list()
    {
        await StartAsync();
        await OkAsync("apply -f -", Manifest);

        var listed = new TaskCompletionSource();
        var watching = kubectl.RunAsync($"-n {ns} get jobs -w", until: text =>
        {
            if (text.Contains("\nverb ", StringComparison.Ordinal)) listed.TrySetResult();
            return text.Contains("\nsecond ", StringComparison.Ordinal);
        });
        await Task.WhenAny(listed.Task, watching);
        await OkAsync("create job second --image=busybox");

        (await watching).Output.ShouldMatch("\nverb .*\nsecond ");
    }

    [Fact]
    public async Task Label_annotate_and_the_three_patches_change_a_job()
    {
        await StartAsync();
        await OkAsync("apply -f -", Manifest);

        (await OkAsync("label job verb a=b")).ShouldBe("job.batch/verb labeled\n");
        (await OkAsync("annotate job verb c=d")).ShouldBe("job.batch/verb annotated\n");
        (await OkAsync("""patch job verb -p '{"metadata":{"labels":{"s":"1"}}}'""")).ShouldBe("job.batch/verb patched\n");
        await OkAsync("""patch job verb --type=merge -p '{"metadata":{"labels":{"m":"1","a":null}}}'""");
        await OkAsync("""patch job verb --type=json -p '[{"op":"add","path":"/metadata/labels/j","value":"1"}]'""");
        var labels = JsonNode.Parse(await OkAsync("get job verb -o json"))!["metadata"]!["labels"]!.AsObject();
        new[] { "s", "m", "j", "a" }.Where(labels.ContainsKey).ShouldBe(["s", "m", "j"]);
        var refused = await kubectl.RunAsync($"-n {ns} patch job verb --type=json -p " + """'[{"op":"replace","path":"/spec/template/spec/restartPolicy","value":"OnFailure"}]'""");
        refused.Error.ShouldContain("field is immutable");
    }

    [Fact]
    public async Task Describe_explain_events_and_the_discovery_verbs_answer()
    {
        await StartAsync();
        await OkAsync("apply -f -", Manifest);

        (await OkAsync("describe job verb")).ShouldContain("Parallelism:      1");
        (await OkAsync("explain job.spec.backoffLimit")).ShouldContain("FIELD: backoffLimit <integer>");
        (await OkAsync("explain cronjob.spec.jobTemplate.spec.template.spec.containers.resources")).ShouldContain("limits");
        (await kubectl.RunAsync($"-n {ns} events")).Code.ShouldBe(0);
        (await OkAsync("api-resources")).ShouldContain("cronjobs");
        (await OkAsync("api-versions")).ShouldContain("batch/v1\n");
        (await OkAsync("cluster-info")).ShouldContain("is running at");
        (await OkAsync("version")).ShouldContain("Server Version:");
    }

    [Fact]
    public async Task Wait_ends_when_the_condition_is_met()
    {
        await StartAsync();
        await OkAsync("apply -f -", Manifest);

        var waiting = kubectl.RunAsync($"-n {ns} wait --for=condition=complete job/verb --timeout=60s");
        await OkAsync("""patch job verb --subresource=status --type=merge -p '{"status":{"startTime":"2026-11-20T12:00:00Z","completionTime":"2026-11-20T12:00:01Z","succeeded":1,"conditions":[{"type":"SuccessCriteriaMet","status":"True"},{"type":"Complete","status":"True"}]}}'""");

        (await waiting).Output.ShouldBe("job.batch/verb condition met\n");
    }

    [Fact]
    public async Task Logs_come_from_what_the_node_has_written()
    {
        await StartAsync();
        await OkAsync("create -f -", """{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"main","image":"b"}]}}""");
        await OkAsync("create --raw /sandbox/v1/logs/NS/p -f -".Replace("NS", ns), "first\nsecond\n");

        (await OkAsync("logs p")).ShouldBe("first\nsecond\n");
        (await OkAsync("logs p --tail=1")).ShouldBe("second\n");
    }

    [Fact]
    public async Task Top_shows_what_the_node_has_told_of_its_pods()
    {
        await StartAsync();
        await OkAsync("create -f -", """{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"main","image":"b"}]}}""");
        await OkAsync("create --raw /sandbox/v1/usage/NS/p -f -".Replace("NS", ns), """
            {"uid":"u","node":"n","labels":{},"containers":[{"name":"main","start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:10:00Z","peakAt":"2026-01-01T00:05:00Z","peak":1073741824,"cpuMillis":250}]}
            """);

        (await OkAsync("top pods --no-headers")).ShouldMatch("^p +250m +1024Mi +\n$");
        (await OkAsync("top pod p --containers --no-headers")).ShouldMatch("^p +main +250m +1024Mi +\n$");
    }

    [Fact]
    public async Task Can_i_and_create_token_follow_the_roles()
    {
        await StartAsync();
        await OkAsync("create serviceaccount bot");
        await OkAsync("create role reader --verb=get,list --resource=jobs.batch");
        await OkAsync($"create rolebinding reader --role=reader --serviceaccount={ns}:bot");

        (await OkAsync("auth can-i create jobs")).ShouldBe("yes\n");
        (await OkAsync($"auth can-i list jobs --as=system:serviceaccount:{ns}:bot")).ShouldBe("yes\n");
        (await kubectl.RunAsync($"-n {ns} auth can-i delete jobs --as=system:serviceaccount:{ns}:bot")).Output.ShouldBe("no\n");
        (await OkAsync("create token bot")).Split('.').Length.ShouldBe(3);
    }

    [Fact]
    public async Task Delete_takes_the_pods_of_a_job_with_it()
    {
        await StartAsync();
        await OkAsync("apply -f -", Manifest);
        var uid = await OkAsync("get job verb -o 'jsonpath={.metadata.uid}'");
        await OkAsync("create -f -", $$$"""
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","name":"verb","uid":"{{{uid.Trim()}}}"}]},
             "spec":{"containers":[{"name":"main","image":"b"}]}}
            """);

        (await OkAsync("delete job verb --cascade=foreground")).ShouldBe("job.batch \"verb\" deleted\n");
        (await OkAsync("get pods -o name")).ShouldBe("");
        (await OkAsync($"delete ns {ns}")).ShouldContain("deleted");
    }

    [Fact]
    public async Task Custom_resources_are_served_as_soon_as_they_are_defined()
    {
        await StartAsync();
        foreach (var file in Directory.GetFiles(Path.Combine(Support.TestData.Checkout, "manifests", "crds"), "optimiz*.yaml")) await OkAsync($"apply --server-side -f {file}");

        await OkAsync("wait --for=condition=Established crd/optimizationchanges.fabrik.dev --timeout=10s");
        (await OkAsync("api-resources --api-group=fabrik.dev")).ShouldContain("OptimizationChange");
        (await OkAsync("explain optimizationchange.spec")).ShouldContain("FIELDS:");
        (await kubectl.RunAsync($"-n {ns} get optimizationchanges")).Code.ShouldBe(0);
    }

    private async Task StartAsync()
    {
        if (kubectl.Missing is { } reason) Assert.Skip(reason);
        (await kubectl.RunAsync($"create ns {ns}")).Error.ShouldBe("");
    }

    private async Task<string> OkAsync(string arguments, string? input = null)
    {
        var (code, output, error) = await kubectl.RunAsync($"-n {ns} {arguments}", input);
        code.ShouldBe(0, $"kubectl {arguments}: {error}");
        return output;
    }
}
