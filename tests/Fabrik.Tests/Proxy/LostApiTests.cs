using System.Net;
using System.Text.Json.Nodes;
using Dapper;
using Fabrik.Gateway.Budgets;
using Fabrik.Proxy.Spool;
using Fabrik.Storage;
using Fabrik.Tests.Api;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Tests.Proxy;

/// <summary>The real API, and its database away for a while; the clock is the test's.</summary>
public sealed class LostApiTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task While_the_database_is_locked_for_half_a_minute_calls_go_on_and_their_usage_arrives_once_afterwards()
    {
        await using var setup = await Setup.StartAsync();
        await setup.CallAsync(HttpStatusCode.OK);
        await setup.ArrivedAsync(1);
        using (var other = setup.Open())
        {
            other.Execute("BEGIN IMMEDIATE");
            for (var second = 0; second < 30; second++)
            {
                await setup.CallAsync(HttpStatusCode.OK);
                setup.Clock.Advance(TimeSpan.FromSeconds(1));
            }

            await setup.ReadyAsync();
            setup.Rows().ShouldBe(1);
            other.Execute("ROLLBACK");
        }

        await setup.ArrivedAsync(31);
        setup.Bench.Provider.Bill.Count.ShouldBe(31);
    }

    [Fact]
    public async Task Without_a_database_calls_go_on_for_as_long_as_leases_last_then_wait_in_words_and_never_as_if_the_key_were_wrong()
    {
        await using var setup = await Setup.StartAsync();
        await setup.CallAsync(HttpStatusCode.OK);
        await setup.ArrivedAsync(1);
        using var other = setup.Open();
        other.Execute("ALTER TABLE model_calls RENAME TO gone; ALTER TABLE account_days RENAME TO gone_days");
        for (var second = 0; second < 20; second++)
        {
            await setup.CallAsync(HttpStatusCode.OK);
            setup.Clock.Advance(TimeSpan.FromSeconds(1));
        }

        setup.Clock.Advance(LeaseDesk.Life);
        var refused = await setup.CallAsync(HttpStatusCode.ServiceUnavailable);
        refused.ShouldContain("budget_unknown");
        await setup.ReadyAsync();

        other.Execute("ALTER TABLE gone RENAME TO model_calls; ALTER TABLE gone_days RENAME TO account_days");
        await Wait.UntilAsync("a call to be taken again", async () =>
        {
            using var answer = await setup.AskAsync();
            return answer.StatusCode == HttpStatusCode.OK;
        });
        await setup.ArrivedAsync(22);
        setup.Bench.Provider.Bill.Count.ShouldBe(22);
    }

    [Fact]
    public async Task A_spool_without_room_refuses_calls_in_the_words_of_their_api_asks_nobody_and_goes_on_by_itself()
    {
        await using var bench = await GatewayBench.StartAsync(more: (services, spool) => services.AddSingleton(_ => new UsageSpool(spool, TimeProvider.System, NullLogger<UsageSpool>.Instance, 1 << 16, 2 << 16)));
        using (var first = await bench.ChatAsync()) first.StatusCode.ShouldBe(HttpStatusCode.OK);
        bench.ApiFails = HttpStatusCode.ServiceUnavailable;
        var calls = 1;
        HttpResponseMessage answer;
        for (; (answer = await bench.ChatAsync()).StatusCode == HttpStatusCode.OK; calls++) answer.Dispose();
        calls.ShouldBeGreaterThan(20);
        using (answer)
        {
            (answer.StatusCode, answer.Headers.RetryAfter?.Delta).ShouldBe((HttpStatusCode.ServiceUnavailable, TimeSpan.FromSeconds(10)));
            (await answer.Content.ReadAsStringAsync(Cancel)).ShouldStartWith("{\"error\":{\"message\":\"The gateway cannot account for a call now");
        }

        using (var messages = await bench.MessagesAsync(stream: true))
        {
            messages.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
            (await messages.Content.ReadAsStringAsync(Cancel)).ShouldStartWith("{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"");
        }

        bench.Provider.Requests.ShouldBe(calls);
        (await bench.Http.GetAsync(new Uri(bench.Gateway, Names.Paths.Ready), Cancel)).StatusCode.ShouldBe(HttpStatusCode.OK);

        bench.ApiFails = null;
        (await bench.LedgerAsync(calls)).Count.ShouldBe(calls);
        using var again = await bench.ChatAsync();
        again.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await bench.LedgerAsync(calls + 1)).ShouldAllBe(row => !row.Estimated);
    }

    private sealed class Setup : IAsyncDisposable
    {
        public TestClock Clock { get; } = new(TimeProvider.System.GetUtcNow());
        public ApiHost Api { get; private set; } = null!;
        public GatewayBench Bench { get; private set; } = null!;

        public static async Task<Setup> StartAsync()
        {
            var setup = new Setup();
            setup.Api = await ApiHost.StartAsync(clock: setup.Clock, more: services => services.AddSingleton(new LeaseDesk(DateTimeOffset.UnixEpoch)));
            setup.Api.Policy = new JsonObject { ["budgets"] = new JsonArray(new JsonObject { ["name"] = "search-day", ["scope"] = "project/search", ["period"] = "total", ["limit"] = "1", ["currency"] = "USD", ["hard"] = true }) };

            // Not the five seconds that it waits otherwise.
            setup.Api.Services.GetRequiredService<Database>().Write((connection, transaction) => (connection.DefaultTimeout = 1, connection.Execute("PRAGMA busy_timeout = 50", transaction: transaction)));
            setup.Bench = await GatewayBench.StartAsync(api: setup.Api.Url, clock: setup.Clock);
            return setup;
        }

        /// <summary>The clock goes on while it waits.</summary>
        public async Task<HttpResponseMessage> AskAsync()
        {
            var asking = Bench.ChatAsync();
            while (await Task.WhenAny(asking, Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Cancel)) != asking) Clock.Advance(TimeSpan.FromMilliseconds(100));
            return await asking;
        }

        public async Task<string> CallAsync(HttpStatusCode expected)
        {
            using var answer = await AskAsync();
            var text = await answer.Content.ReadAsStringAsync(Cancel);
            answer.StatusCode.ShouldBe(expected, text);
            return text;
        }

        public async Task ReadyAsync()
        {
            using var answer = await Bench.Http.GetAsync(new Uri(Bench.Gateway, Names.Paths.Ready), Cancel);
            answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        }

        /// <summary>So many, and no more for a while after.</summary>
        public async Task ArrivedAsync(int count)
        {
            await Wait.UntilAsync($"{count} rows", () =>
            {
                Clock.Advance(TimeSpan.FromSeconds(1));
                return Task.FromResult(Rows() >= count);
            });
            Clock.Advance(TimeSpan.FromSeconds(5));
            Rows().ShouldBe(count);
        }

        public int Rows()
        {
            using var connection = Open();
            return connection.ExecuteScalar<int>("SELECT COUNT(*) FROM model_calls");
        }

        public SqliteConnection Open()
        {
            var connection = new SqliteConnection($"Data Source={Api.Database.File};Pooling=False");
            connection.Open();
            return connection;
        }

        public async ValueTask DisposeAsync()
        {
            await Bench.DisposeAsync();
            await Api.DisposeAsync();
        }
    }
}
