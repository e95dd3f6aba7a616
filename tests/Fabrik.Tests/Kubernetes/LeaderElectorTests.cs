using Fabrik.Kubernetes;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Kubernetes;

/// <summary>Candidates with clocks of their own: a clock that stands still is a process that is stopped, one that is hours off a wrong clock.</summary>
public sealed class LeaderElectorTests : IAsyncLifetime
{
    private readonly FakeCluster cluster = new();
    private readonly List<Candidate> candidates = [];
    private FakeApiServer server = null!;

    public async ValueTask InitializeAsync() => server = await FakeApiServer.StartAsync(cluster.Answer);

    public async ValueTask DisposeAsync()
    {
        foreach (var candidate in candidates) await candidate.StopAsync();
        await server.DisposeAsync();
    }

    [Fact]
    public async Task One_leads_and_the_other_takes_over_when_it_stops()
    {
        var (a, b) = (Start("a"), Start("b"));
        await UntilAsync(() => a.Leads || b.Leads, a, b);
        var (leader, other) = a.Leads ? (a, b) : (b, a);
        await PassAsync(TimeSpan.FromMinutes(2), a, b);
        (leader.Leads, other.Leads).ShouldBe((true, false));
        leader.Terms.ShouldBe(1);
        other.Elector.Leader.ShouldBe(leader.Name);

        await leader.StopAsync();
        leader.Leads.ShouldBeFalse();
        var before = other.Clock.GetUtcNow();
        await UntilAsync(() => other.Leads, other);
        (other.Clock.GetUtcNow() - before).ShouldBeLessThan(TimeSpan.FromSeconds(6)); // it was given back, not run out
    }

    [Fact]
    public async Task A_leader_that_was_stopped_in_its_tracks_finds_that_another_leads()
    {
        var a = Start("a");
        await UntilAsync(() => a.Leads, a);
        var b = Start("b");
        await PassAsync(TimeSpan.FromSeconds(10), b); // a's clock stands still: it renews no more
        b.Leads.ShouldBeFalse();
        await UntilAsync(() => b.Leads, b);
        await UntilAsync(() => !a.Working, a, b);
        a.Leads.ShouldBeFalse();
        await PassAsync(TimeSpan.FromMinutes(1), a, b);
        (a.Leads, b.Leads).ShouldBe((false, true));
        a.Elector.Leader.ShouldBe("b");
    }

    [Fact]
    public async Task Clocks_that_are_hours_apart_do_no_harm()
    {
        var a = Start("a", TimeSpan.FromHours(-5));
        await UntilAsync(() => a.Leads, a);
        var b = Start("b", TimeSpan.FromHours(7));
        for (var i = 0; i < 60; i++)
        {
            await PassAsync(TimeSpan.FromSeconds(1), a, b);
            (a.Leads, b.Leads).ShouldBe((true, false));
        }
    }

    [Fact]
    public async Task A_leader_that_cannot_renew_stops_before_another_can_begin()
    {
        var a = Start("a");
        await UntilAsync(() => a.Leads, a);
        server.Answer = context => FakeCluster.Fail(context, 500, "InternalError", "etcd is gone");
        var lost = a.Clock.GetUtcNow();
        await UntilAsync(() => !a.Working, a);
        (a.Clock.GetUtcNow() - lost).ShouldBeLessThan(TimeSpan.FromSeconds(15));
        a.Leads.ShouldBeFalse();
        server.Answer = cluster.Answer;
        await UntilAsync(() => a.Leads, a);
        a.Terms.ShouldBe(2);
    }

    [Fact]
    public async Task A_short_outage_does_not_change_the_leader()
    {
        var a = Start("a");
        await UntilAsync(() => a.Leads, a);
        server.Answer = context => FakeCluster.Fail(context, 500, "InternalError", "etcd is away");
        await PassAsync(TimeSpan.FromSeconds(5), a);
        server.Answer = cluster.Answer;
        await PassAsync(TimeSpan.FromSeconds(30), a);
        (a.Leads, a.Terms).ShouldBe((true, 1));
    }

    [Fact]
    public async Task Work_that_fails_or_ends_gives_the_Lease_back_for_another_try()
    {
        var a = Start("a", work: _ => throw new InvalidOperationException("of the work"));
        await UntilAsync(() => a.Terms == 3, a);
        await a.StopAsync();
        using var client = new KubernetesClient(server.Config, TimeProvider.System);
        var lease = await client.GetAsync(Kinds.Lease, "fabrik-system", "leader", default);
        lease.Json.GetProperty("spec").GetProperty("holderIdentity").GetString().ShouldBe("");
    }

    [Fact]
    public async Task The_Lease_is_written_as_other_clients_expect_it()
    {
        var a = Start("a");
        await UntilAsync(() => a.Leads, a);
        using var client = new KubernetesClient(server.Config, TimeProvider.System);
        var spec = (await client.GetAsync(Kinds.Lease, "fabrik-system", "leader", default)).Json.GetProperty("spec");
        spec.GetProperty("holderIdentity").GetString().ShouldBe("a");
        spec.GetProperty("leaseDurationSeconds").GetInt32().ShouldBe(15);
        spec.GetProperty("leaseTransitions").GetInt32().ShouldBe(0);
        spec.GetProperty("acquireTime").GetString().ShouldBe("2026-11-20T12:00:00.000000Z");
        await a.StopAsync();
        var b = Start("b");
        await UntilAsync(() => b.Leads, b);
        spec = (await client.GetAsync(Kinds.Lease, "fabrik-system", "leader", default)).Json.GetProperty("spec");
        spec.GetProperty("leaseTransitions").GetInt32().ShouldBe(1);
    }

    private Candidate Start(string name, TimeSpan offset = default, Func<CancellationToken, Task>? work = null)
    {
        var candidate = new Candidate(server.Config, name, offset, work);
        candidates.Add(candidate);
        return candidate;
    }

    // Time passes in small steps for those named, each step only when they wait for it, so that no machine is too slow.
    private static async Task UntilAsync(Func<bool> condition, params Candidate[] moving)
    {
        for (var i = 0; !condition(); i++)
        {
            i.ShouldBeLessThan(2000);
            await StepAsync(moving);
        }
    }

    private static async Task PassAsync(TimeSpan span, params Candidate[] moving)
    {
        for (var passed = TimeSpan.Zero; passed < span; passed += Step) await StepAsync(moving);
    }

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(250);

    private static async Task StepAsync(Candidate[] moving)
    {
        foreach (var candidate in moving)
        {
            for (var i = 0; !candidate.Pauses && i < 12_000; i++) await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
            candidate.Clock.Advance(Step);
        }
    }

    private sealed class Candidate
    {
        private readonly CancellationTokenSource stop = new();
        private readonly KubernetesClient client;
        private readonly Task running;

        public Candidate(ClusterConfig config, string name, TimeSpan offset, Func<CancellationToken, Task>? work)
        {
            Name = name;
            Clock = new TestClock(new DateTimeOffset(2026, 11, 20, 12, 0, 0, TimeSpan.Zero) + offset);
            client = new KubernetesClient(config, Clock) { Timeout = TimeSpan.FromDays(1) };
            Elector = new LeaderElector(client, Clock, new LeaderElectorOptions { Namespace = "fabrik-system", Name = "leader", Identity = name });
            running = Elector.RunAsync(async token =>
            {
                Terms++;
                Working = true;
                try
                {
                    await (work?.Invoke(token) ?? Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token));
                }
                finally
                {
                    Working = false;
                }
            }, stop.Token);
        }

        public string Name { get; }
        public TestClock Clock { get; }
        public LeaderElector Elector { get; }
        public volatile bool Working;
        public int Terms;
        public bool Leads => Working && Elector.IsLeader;

        // The pause between two looks is at most 2.4 s; requests and deadlines wait longer, or are short of being over anyway.
        public bool Pauses => running.IsCompleted || Clock.Next < TimeSpan.FromSeconds(2.5);

        public async Task StopAsync()
        {
            if (stop.IsCancellationRequested) return;
            await stop.CancelAsync();
            await running.WaitAsync(TimeSpan.FromSeconds(60));
            client.Dispose();
        }
    }
}
