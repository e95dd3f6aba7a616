using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Tests.Kubernetes;
using Microsoft.Data.Sqlite;

namespace Fabrik.Tests.Cli.Checks;

/// <summary>Faults of a Fabrik that runs, each planted where it happens.</summary>
public sealed class FabrikFaultTests(HealthyFabrik fabrik) : IClassFixture<HealthyFabrik>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_healthy_sandbox_has_no_failure_and_what_it_cannot_show_is_unproven_or_skipped_with_a_reason()
    {
        var run = await fabrik.CheckAsync();

        run.With("failed").ShouldBeEmpty();
        run.Code.ShouldBe(run.With("warning").Any() ? 10 : 0, run.Error);
        run.With("passed").Count().ShouldBeGreaterThan(70);
        foreach (var proof in (string[])["FAB-3252", "FAB-3253", "FAB-3254"]) run.Checks[proof].Status.ShouldBe("unproven");
        foreach (var (id, check) in run.Checks) (check.Status == "passed" || check.Detail is { Length: > 0 }).ShouldBeTrue(id);
        run.Checks["FAB-3085"].Status.ShouldBe("passed");

        var left = new List<string>();
        await foreach (var ns in fabrik.Client.ListAsync(Kinds.Namespace, null, Cancel, new ListOptions { LabelSelector = Names.Labels.Check })) if (ns.DeletionTimestamp is null) left.Add(ns.Name);
        left.ShouldBeEmpty();
    }

    [Fact]
    public async Task An_expired_certificate_is_found_by_what_the_server_really_presents()
    {
        var authority = new TestAuthority("fabrik-test-ca");
        var (expired, _, _) = authority.Issue("fabrik-webhook", fromDays: -2, toHours: -1, dns: "127.0.0.1");
        await using var server = await FakeApiServer.StartAsync(certificate: expired);

        await fabrik.WithRegistrationAsync(entry => entry["clientConfig"] = new JsonObject { ["url"] = new Uri(server.Url, Names.Paths.MutateJobs).AbsoluteUri, ["caBundle"] = Base64(authority.Pem) }, async () =>
        {
            var run = await fabrik.CheckAsync("--category", "webhook-tls");

            run.With("failed").ShouldBe(["FAB-3065"]);
            run.Checks["FAB-3065"].Detail.ShouldNotBeNull().ShouldStartWith("it has expired at ");
            run.Code.ShouldBe(20);
        });
    }

    [Fact]
    public async Task A_foreign_ca_bundle_is_found_where_it_stands_and_where_it_hurts()
    {
        var foreign = Base64(new TestAuthority("somebody-else").Pem);

        await fabrik.WithRegistrationAsync(entry => entry["clientConfig"]!["caBundle"] = foreign, async () =>
        {
            (await fabrik.CheckAsync("--category", "webhook-tls")).With("failed").ShouldBe(["FAB-3064"]);
            (await fabrik.CheckAsync("--category", "webhook")).With("failed").ShouldBe(["FAB-3085"]);
        });
    }

    [Fact]
    public async Task A_webhook_that_is_away_is_found_by_the_canary_job()
    {
        await fabrik.WithRegistrationAsync(entry => entry["clientConfig"]!["url"] = "https://127.0.0.1:1/mutate/jobs", async () =>
        {
            var run = await fabrik.CheckAsync("--category", "webhook", "--category", "webhook-tls");

            run.With("failed").ShouldBe(["FAB-3064", "FAB-3085"]);
            run.Checks["FAB-3086"].ShouldBe(("skipped", "FAB-3085 (a canary Job is really changed) failed", null));
        });
    }

    [Fact]
    public async Task A_registration_that_would_stop_jobs_is_found()
    {
        await fabrik.WithRegistrationAsync(entry => entry["failurePolicy"] = "Fail", async () => (await fabrik.CheckAsync("--category", "webhook")).With("failed").ShouldBe(["FAB-3082", "FAB-3083"]));
    }

    [Fact]
    public async Task A_clock_that_is_off_by_ten_minutes_is_found_against_the_api_servers()
    {
        var run = await CheckRun.Of(fabrik.Kubeconfig, ["--category", "clock"], new WrongClock(TimeSpan.FromMinutes(-10)));

        run.With("failed").ShouldBe(["FAB-3101"]);
        run.Checks["FAB-3101"].Detail.ShouldNotBeNull().ShouldStartWith("the clock of this machine is 10 minutes behind that of the API server");
    }

    [Fact]
    public async Task A_database_that_a_newer_version_wrote_is_found_by_the_apis_own_figures()
    {
        await using var database = new SqliteConnection($"Data Source={Path.Combine(fabrik.Directory, "fabrik.db")}");
        await database.OpenAsync(Cancel);
        await RunAsync("INSERT INTO schema_version (number, name, applied_at) VALUES (9999, 'from tomorrow', 0)");
        try
        {
            // The API keeps what it has seen for half a minute.
            await Wait.UntilAsync("the schema to be seen", async () => (await fabrik.CheckAsync("--category", "database")).With("failed").SequenceEqual(["FAB-3212"]), TimeSpan.FromSeconds(60));
        }
        finally
        {
            await RunAsync("DELETE FROM schema_version WHERE number = 9999");
        }

        await Wait.UntilAsync("the schema to be forgotten, for the tests that come after", async () => !(await fabrik.CheckAsync("--category", "database")).With("failed").Any(), TimeSpan.FromSeconds(60));

        async Task RunAsync(string text)
        {
            await using var command = database.CreateCommand();
            command.CommandText = text;
            await command.ExecuteNonQueryAsync(Cancel);
        }
    }

    [Fact]
    public async Task A_pause_an_exhausted_budget_and_a_policy_that_is_away_are_told_apart()
    {
        (await fabrik.CheckAsync("--category", "budgets")).With("warning").ShouldBeEmpty();
        var policy = new JsonObject { ["apiVersion"] = Names.ApiVersion, ["kind"] = "OptimizerPolicy", ["metadata"] = new JsonObject { ["name"] = Names.PolicyName }, ["spec"] = new JsonObject { ["paused"] = true } };
        await fabrik.Client.CreateAsync(Kinds.OptimizerPolicy, null, policy, Cancel);
        try
        {
            var run = await fabrik.CheckAsync("--category", "budgets", "--category", "optimizer");
            run.With("warning").ShouldBe(["FAB-3266"]);
            run.Code.ShouldBe(10);
        }
        finally
        {
            await fabrik.Client.DeleteAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, Cancel);
        }
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
