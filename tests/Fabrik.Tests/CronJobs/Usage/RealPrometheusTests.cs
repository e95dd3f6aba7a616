using Fabrik.CronJobs.Usage;
using Fabrik.Runs;
using Fabrik.Runs.Usage;
using Fabrik.Tests.Kubernetes;
using Fabrik.Tests.Runs.Usage;
using Fabrik.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using static Fabrik.Tests.Runs.Usage.Readings;

namespace Fabrik.Tests.CronJobs.Usage;

/// <summary>The queries and their answers, with the Prometheus that Debian ships.</summary>
public sealed class RealPrometheusTests : IDisposable
{
    private const string Web = "basic_auth_users:\n  fabrik: $2b$04$SIqvxcj7UtWSd77pnRJ3H.Xy6KEsFqrPjlYO3XHnTxZ4Qs8hlpafy\n";
    private const string Password = "correct horse";
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("fabrik-test-");
    private readonly UsageMetrics metrics = new();

    public void Dispose()
    {
        metrics.Dispose();
        directory.Delete(recursive: true);
    }

    [Fact]
    public async Task What_a_container_used_comes_out_exactly_and_duplicates_do_not_count()
    {
        // 300 s with a peak of memory in the middle, a core until 150 s and a tenth of it afterwards; scraped each 15 s by two, and with the Pod's own cgroup.
        var exposed = new Exposed();
        foreach (var (container, labels) in ((string, string)[])[("main", "id=\"/kubepods/x\",image=\"i\",job=\"cadvisor\""), ("main", "id=\"/kubepods/x\",image=\"i\",job=\"again\""), ("main", "job=\"resource\""), ("", "id=\"/kubepods\""), ("POD", "id=\"/kubepods/p\"")])
            exposed.Add("ci", "a-1", container, labels, Enumerable.Range(1, 20).Select(n => (At(n * 15), n == 10 ? 9e8 : 4e8, Math.Min(n * 15, 150) + (Math.Max(0, (n * 15) - 150) * 0.1))));
        await using var server = await PrometheusProcess.StartAsync(exposed.ToString());
        var usage = (await AskAsync(server, Window(to: 400)))["run-1"];
        usage.ShouldBe(new RunUsage { Source = UsageSource.Prometheus, PeakMemoryBytes = 900_000_000, MeanCpuMillis = 550, P95CpuMillis = 1000, PeakCpuMillis = 1000, Samples = 20, Settled = true });
    }

    [Fact]
    public async Task The_recorded_answers_of_a_kubelet_count_the_container_and_not_its_pod_beside_it()
    {
        await using var server = await PrometheusProcess.StartAsync(new Exposed().AddRecorded(TestData.Text("usage/metrics-cadvisor.txt")).AddRecorded(TestData.Text("usage/metrics-resource.txt")).ToString());
        var start = new DateTimeOffset(2026, 11, 20, 21, 58, 6, TimeSpan.Zero);
        var pod = new PodWindow("run-1", "ci", "busy2-xmf8q", start, start.AddMinutes(2), start);
        var usage = (await AskAsync(server, pod))["run-1"];
        (usage.PeakMemoryBytes, usage.Samples).ShouldBe((60538880, 1));

        // 0.501 core-seconds in the 28.464 s from the container's start to the sample.
        usage.MeanCpuMillis.ShouldBe(18);
    }

    [Fact]
    public async Task Restarts_gaps_and_values_that_are_none_are_understood()
    {
        var exposed = new Exposed()
            .Add("ci", "restarted", "main", "id=\"/one\"", [(At(30), 100, 30), (At(60), 200, 60)])
            .Add("ci", "restarted", "main", "id=\"/two\"", [(At(90), 150, 15), (At(120), 180, 45)])
            .Add("ci", "reset", "main", "", [(At(30), 100, 30), (At(60), 100, 60), (At(90), 100, 15), (At(120), 100, 45)])
            .Add("ci", "odd", "main", "", [(At(30), double.NaN, double.NaN), (At(60), 100, 60), (At(90), double.NaN, double.NaN), (At(120), 300, 120)])
            .Add("ci", "nothing", "main", "", [(At(60), double.NaN, double.NaN)])
            .Add("other", "reset", "main", "", [(At(60), 1e9, 1e6)]);
        await using var server = await PrometheusProcess.StartAsync(exposed.ToString());
        var usages = await AskAsync(server, [.. new[] { "restarted", "reset", "odd", "nothing", "absent" }.Select(pod => Window(pod, run: pod))]);
        (usages["restarted"].PeakMemoryBytes, usages["restarted"].MeanCpuMillis).ShouldBe((200, 875));
        (usages["reset"].PeakMemoryBytes, usages["reset"].MeanCpuMillis).ShouldBe((100, 875));
        (usages["odd"].PeakMemoryBytes, usages["odd"].MeanCpuMillis).ShouldBe((300, 1000));
        usages["nothing"].Source.ShouldBe(UsageSource.None);
        usages["absent"].Source.ShouldBe(UsageSource.None);
    }

    [Fact]
    public async Task A_run_of_many_hours_is_asked_for_in_steps_and_keeps_its_peaks()
    {
        // Ten hours at 15 s: half a core, two cores for half an hour; its memory peaks in one single sample.
        var samples = Enumerable.Range(1, 2400).Select(n => (At(n * 15), n == 1201 ? 8e9 : 1e9, (n * 15 * 0.5) + (Math.Clamp((n * 15) - 7200, 0, 1800) * 1.5)));
        await using var server = await PrometheusProcess.StartAsync(new Exposed().Add("ci", "a-1", "main", "id=\"/x\"", samples).ToString());
        var usage = (await AskAsync(server, Window(to: 36_060)))["run-1"];
        (usage.PeakMemoryBytes, usage.Samples).ShouldBe((8_000_000_000, 2400));
        usage.MeanCpuMillis.ShouldNotBeNull().ShouldBeInRange(570, 580);
        usage.PeakCpuMillis.ShouldNotBeNull().ShouldBeInRange(1990, 2010);
    }

    [Fact]
    public async Task Names_with_characters_of_the_query_language_match_themselves_alone()
    {
        var exposed = new Exposed();
        foreach (var pod in (string[])["a.b", "axb", "a.b-2", "a"]) exposed.Add("ci", pod, "main", "", [(At(30), pod.Length * 100, 1)]);
        await using var server = await PrometheusProcess.StartAsync(exposed.ToString());
        var usages = await AskAsync(server, Window("a.b", run: "dot"), Window("a", run: "one"), Window(".*", run: "all"), Window("b\"} or up{a=\"", run: "quote"), Window("a|axb", run: "either"));
        usages.Where(usage => usage.Value.Source != UsageSource.None).Select(usage => (usage.Key, usage.Value.PeakMemoryBytes)).ShouldBe([("dot", 300), ("one", 100)], ignoreOrder: true);
    }

    [Fact]
    public async Task Hundreds_of_runs_make_a_few_queries()
    {
        var exposed = new Exposed();
        for (var number = 0; number < 450; number++) exposed.Add("ci", $"job-{number:0000}-x7k2p", "main", $"id=\"/{number}\"", Enumerable.Range(1, 10).Select(n => (At(n * 30), number + 1.0, n * 3.0)));
        await using var server = await PrometheusProcess.StartAsync(exposed.ToString());
        var asked = 0;
        await using var proxy = await GateAsync(server, _ =>
        {
            asked++;
            return null;
        });
        var usages = await AskAsync(new PrometheusOptions { Url = proxy.Url }, [.. Enumerable.Range(0, 450).Select(number => Window($"job-{number:0000}-x7k2p", run: $"{number}"))]);
        usages.Count.ShouldBe(450);
        usages.ShouldAllBe(usage => usage.Value.PeakMemoryBytes == int.Parse(usage.Key) + 1 && usage.Value.MeanCpuMillis == 100 && usage.Value.Samples == 10);
        asked.ShouldBe(1 + (5 * 3));
    }

    [Fact]
    public async Task A_name_and_password_open_it_and_nothing_else_does()
    {
        await using var server = await PrometheusProcess.StartAsync(new Exposed().Add("ci", "a-1", "main", "", [(At(30), 100, 1)]).ToString(), Web);
        (await GapAsync(new PrometheusOptions { Url = server.Url })).ShouldBe(UsageGap.Unauthorized);
        (await GapAsync(new PrometheusOptions { Url = server.Url, Username = "fabrik", PasswordFile = Written("wrong") })).ShouldBe(UsageGap.Unauthorized);
        var right = new PrometheusOptions { Url = server.Url, Username = "fabrik", PasswordFile = Written(Password + "\n") };
        (await AskAsync(right, [Window()]))["run-1"].PeakMemoryBytes.ShouldBe(100);
    }

    [Fact]
    public async Task A_token_opens_the_gate_before_it()
    {
        await using var server = await PrometheusProcess.StartAsync(new Exposed().Add("ci", "a-1", "main", "", [(At(30), 100, 1)]).ToString());
        await using var gate = await GateAsync(server, context => context.Request.Headers.Authorization == "Bearer let-me-in" ? null : (401, "who are you?"));
        (await GapAsync(new PrometheusOptions { Url = gate.Url })).ShouldBe(UsageGap.Unauthorized);
        (await AskAsync(new PrometheusOptions { Url = gate.Url, TokenFile = Written("let-me-in") }, [Window()]))["run-1"].PeakMemoryBytes.ShouldBe(100);
    }

    [Fact]
    public async Task An_answer_that_is_too_large_is_asked_for_in_halves()
    {
        var exposed = new Exposed();
        for (var number = 0; number < 8; number++) exposed.Add("ci", $"p-{number}", "main", "", [(At(30), number + 1, 1)]);
        await using var server = await PrometheusProcess.StartAsync(exposed.ToString());
        await using var gate = await GateAsync(server, context => ((string)context.Items["body"]!).Split("p-").Length <= 4
            ? null
            : (422, """{"status":"error","errorType":"execution","error":"query processing would load too many samples into memory in query execution"}"""));
        var usages = await AskAsync(new PrometheusOptions { Url = gate.Url }, [.. Enumerable.Range(0, 8).Select(number => Window($"p-{number}", run: $"{number}"))]);
        usages.Values.Select(usage => usage.PeakMemoryBytes).Order().ShouldBe([1, 2, 3, 4, 5, 6, 7, 8]);
    }

    private Task<Dictionary<string, RunUsage>> AskAsync(PrometheusProcess server, params PodWindow[] pods) => AskAsync(new PrometheusOptions { Url = server.Url }, pods);

    /// <summary>As the settler does, by run.</summary>
    private async Task<Dictionary<string, RunUsage>> AskAsync(PrometheusOptions options, PodWindow[] pods)
    {
        using var client = new PrometheusClient(options, metrics, TimeProvider.System);
        var states = new SourceStates(metrics, TimeProvider.System, NullLogger<SourceStates>.Instance);
        var readings = new PrometheusReadings(client, states, TimeProvider.System);
        await readings.ProbeAsync(default);
        states.Gap(UsageSource.Prometheus).ShouldBeNull();
        var found = await readings.AskAsync(pods, default);
        found.Values.ShouldAllBe(one => one.Gap == null && !one.Partial);
        return found.ToDictionary(one => one.Key, one => UsageRules.Summarise(one.Value.Pods, "main", new MissingSources(), settled: true));
    }

    private async Task<UsageGap?> GapAsync(PrometheusOptions options)
    {
        using var client = new PrometheusClient(options, metrics, TimeProvider.System);
        var states = new SourceStates(metrics, TimeProvider.System, NullLogger<SourceStates>.Instance);
        await new PrometheusReadings(client, states, TimeProvider.System).ProbeAsync(default);
        return states.Gap(UsageSource.Prometheus);
    }

    /// <summary>What stands before many a Prometheus: hands on what it does not refuse.</summary>
    private static Task<FakeApiServer> GateAsync(PrometheusProcess server, Func<HttpContext, (int Code, string Body)?> refuses) => FakeApiServer.StartAsync(async context =>
    {
        if (refuses(context) is var (code, body))
        {
            await FakeApiServer.Reply(context, code, body);
            return;
        }

        using var http = new HttpClient { BaseAddress = server.Url };
        using var handed = new StringContent((string)context.Items["body"]!, System.Text.Encoding.UTF8, "application/x-www-form-urlencoded");
        using var answer = await http.PostAsync(context.Request.Path.Value, handed);
        await FakeApiServer.Reply(context, (int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
    });

    private string Written(string secret)
    {
        var path = Path.Combine(directory.FullName, Guid.NewGuid().ToString("N"));
        File.WriteAllText(path, secret);
        return path;
    }
}
