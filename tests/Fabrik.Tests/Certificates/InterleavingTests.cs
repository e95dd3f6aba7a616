using System.Collections.Immutable;
using Fabrik.Certificates;
using static Fabrik.Certificates.CertificatePlan;

namespace Fabrik.Tests.Certificates;

/// <summary>
/// Two keepers at once, each stopped anywhere between two reads or writes, killed and begun anew; API servers, replicas and mounted files that see changes late;
/// a clock that jumps. In no moment is anything served that somebody who calls cannot verify, and left alone all comes into order.
/// </summary>
public class InterleavingTests
{
    private static readonly CertificateTimes Times = CertificateTimes.Default with { AuthorityLife = TimeSpan.FromDays(40), LeafLife = TimeSpan.FromDays(9) };

    /// <summary>Whoever watches or mounts has seen a change by then.</summary>
    private static readonly TimeSpan Late = TimeSpan.FromMinutes(2);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Whatever_order_reads_writes_and_kills_come_in_what_is_served_is_known_to_all_who_call(int seed)
    {
        for (var story = 0; story < 4; story++) Tell((seed * 1000) + story, Times);
    }

    [Fact]
    public void The_same_stories_find_who_does_not_wait_until_everybody_trusts_a_new_authority()
    {
        var found = 0;
        for (var story = 1000; story < 1008; story++)
        {
            try
            {
                Tell(story, Times with { Settle = TimeSpan.Zero });
            }
            catch (ShouldAssertException)
            {
                found++;
            }
        }

        found.ShouldBeGreaterThan(0);
    }

    private static void Tell(int story, CertificateTimes times)
    {
        var random = new Random(story);
        var world = new World(random, strict: true, times);
        if (random.Next(4) > 0)
        {
            world.Settle();
            world.Ask(Place.Authority);
        }

        for (var moment = 0; moment < 350; moment++)
        {
            switch (random.Next(40))
            {
                case 0: world.Kill(0); break;
                case 1: world.Kill(1); break;
                case 2: world.Ask(random.Next(2) == 0 ? Place.Authority : Place.WebhookLeaf); break;
                case 3: world.Pass(TimeSpan.FromHours(random.Next(1, 60))); break;
                case < 12: world.Pass(TimeSpan.FromSeconds(random.Next(1, 30))); break;
                case < 28: world.HalfTurn(random.Next(2)); break;
                default: world.Step(random.Next(2)); break;
            }
        }

        world.Settle();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_is_damaged_lost_or_put_back_in_time_is_in_order_again_in_the_end(int seed)
    {
        for (var story = 0; story < 4; story++)
        {
            var random = new Random((seed * 1000) + story);
            var world = new World(random, strict: false);
            for (var moment = 0; moment < 300; moment++)
            {
                switch (random.Next(40))
                {
                    case 0: world.Kill(random.Next(2)); break;
                    case 1: world.Damage(); break;
                    case 2: world.Pass(TimeSpan.FromDays(random.Next(-20, 20))); break;
                    case < 16: world.Pass(TimeSpan.FromSeconds(random.Next(1, 240))); break;
                    default: world.Step(random.Next(2)); break;
                }
            }

            world.Settle();
        }
    }

    [Fact]
    public void Every_order_in_which_two_keepers_fill_an_empty_cluster_or_rotate_leads_to_the_same_end()
    {
        const int Turns = 5;
        for (var order = 0; order < 1 << Turns; order++)
        {
            foreach (var rotating in (bool[])[false, true])
            {
                var world = new World(new Random(order), strict: true);
                if (rotating)
                {
                    world.Settle();
                    world.Ask(Place.Authority);
                }

                for (var turn = 0; turn < Turns; turn++)
                {
                    // Reads all, or writes what it decided: the other one's writes fall in between in every way.
                    world.HalfTurn((order >> turn) & 1);
                    world.Pass(TimeSpan.FromSeconds(100));
                }

                world.Settle();
            }
        }
    }

    private sealed class World
    {
        private readonly Random random;
        private readonly bool strict;
        private readonly CertificateTimes times;
        private readonly Dictionary<Place, int> versions = [];
        private readonly Keeper[] keepers = [new(), new()];
        private readonly View[] servers = [new(), new()];
        private readonly View[] replicas = [new(), new()];
        private readonly View gateway = new();
        private readonly View api = new();
        private readonly Dictionary<(string, string), bool> known = [];
        private CertificateState state = Cluster.Empty;
        private DateTimeOffset now = new(2026, 11, 27, 6, 0, 0, TimeSpan.Zero);
        private TimeSpan since;

        public World(Random random, bool strict, CertificateTimes? times = null)
        {
            (this.random, this.strict, this.times) = (random, strict, times ?? Times);
            foreach (var place in state.Places.Keys) versions[place] = 1;
            foreach (var view in All) view.See(state);
        }

        private IEnumerable<View> All => [.. servers, .. replicas, gateway, api];

        public void Kill(int which) => keepers[which] = new Keeper();

        public void Ask(Place place) => Change(Cluster.Ask(state, place), place);

        public void Damage()
        {
            var place = state.Places.Keys.Order().ElementAt(random.Next(state.Places.Count));
            if (place is Place.AssignmentKey or Place.TokenKey or Place.GatewayTokenKey) return;
            var held = state[place]!;
            var key = held.Data.Keys.Order(StringComparer.Ordinal).ElementAtOrDefault(random.Next(3));
            if (key is null) return;
            var data = random.Next(3) switch
            {
                0 => held.Data.SetItem(key, "damaged"),
                1 => place is Place.Registration or Place.GatewayTrust or Place.Discovery ? held.Data.SetItem(key, "") : held.Data.Remove(key),
                _ => place is Place.Registration or Place.GatewayTrust or Place.Discovery ? held.Data.SetItem(key, Issuing.Authority(now, times).Certificate) : held.Data.Clear(),
            };
            Change(state with { Places = state.Places.SetItem(place, held with { Data = data }) }, place);
        }

        /// <summary>One read, or the write.</summary>
        public void Step(int which)
        {
            var keeper = keepers[which];
            if (keeper.Pending is not null)
            {
                Write(keeper);
            }
            else if (keeper.Read < CertificateState.ReadingOrder.Length)
            {
                Read(keeper);
            }
            else
            {
                Decide(keeper);
            }

            if (random.Next(4) == 0) Look(All.ElementAt(random.Next(All.Count())));
            Check();
        }

        /// <summary>All reads and the decision, or the write.</summary>
        public void HalfTurn(int which)
        {
            var keeper = keepers[which];
            if (keeper.Pending is not null)
            {
                Write(keeper);
            }
            else
            {
                while (keeper.Read < CertificateState.ReadingOrder.Length) Read(keeper);
                Decide(keeper);
            }

            if (random.Next(2) == 0) Look(All.ElementAt(random.Next(All.Count())));
            Check();
        }

        public void Pass(TimeSpan span)
        {
            foreach (var view in All)
            {
                // Nobody is later than that.
                if (view.IsLate(state) && since - view.StaleSince + span >= Late) Look(view);
            }

            now += span;
            if (span > TimeSpan.Zero) since += span;
            Check();
        }

        /// <summary>One keeper alone, and time.</summary>
        public void Settle()
        {
            Kill(0);
            Kill(1);
            for (var turn = 0; turn < 200; turn++)
            {
                var keeper = keepers[0];
                while (keeper.Read < CertificateState.ReadingOrder.Length) Read(keeper);
                var step = Decide(keeper);
                if (step.Action != CertificateAction.Wait)
                {
                    Write(keeper);
                    Check();
                }
                else if (step.Reason.StartsWith("all certificates", StringComparison.Ordinal))
                {
                    foreach (var view in All) Look(view);
                    Check();
                    Cluster.InOrder(state, now);
                    return;
                }
                else
                {
                    Pass(step.Again + TimeSpan.FromMinutes(6));
                }
            }

            throw new InvalidOperationException("it never comes to an end");
        }

        private void Read(Keeper keeper)
        {
            var place = CertificateState.ReadingOrder[keeper.Read++];
            keeper.Places[place] = state[place]!;
            keeper.Versions[place] = versions[place];
        }

        private CertificateStep Decide(Keeper keeper)
        {
            var seen = new CertificateState(keeper.Places.ToImmutableDictionary());
            var fingerprint = seen.Fingerprint();
            if (keeper.Fingerprint != fingerprint) (keeper.Fingerprint, keeper.Since) = (fingerprint, since);
            var step = Next(seen, now, since - keeper.Since, times);
            keeper.Read = 0;
            if (step.Action != CertificateAction.Wait) keeper.Pending = CertificateWriting.Of(step, seen, now, times);
            return step;
        }

        private void Write(Keeper keeper)
        {
            var write = keeper.Pending!;
            keeper.Pending = null;
            if (keeper.Versions[write.Place] != versions[write.Place]) return; // a conflict
            Change(state.With(write), write.Place);
        }

        private void Change(CertificateState to, Place place)
        {
            state = to;
            versions[place]++;
            foreach (var view in All) view.Missed(since);
        }

        private void Look(View view)
        {
            view.See(state);
            var (leaf, trust) = view == api ? (Place.ApiLeaf, null) : (Place.WebhookLeaf, view.Seen[Place.Registration]);
            var offered = view.Seen[leaf]![Keys.Leaf];
            if (CertificateText.Fits(offered, view.Seen[leaf]![Keys.LeafKey]) && ServingChoice.Takes(view.Serves, offered, trust, now)) view.Serves = offered;
        }

        private void Check()
        {
            if (!strict) return;
            // As the objects are, and as each caller has seen them.
            foreach (var replica in replicas)
            {
                if (replica.Serves is not { } served) continue;
                foreach (var seen in servers.Select(server => server.Seen).Append(state))
                    foreach (var bundle in seen[Place.Registration]!.Data.Values)
                        if (bundle.Length > 0) IsUnder(served, bundle).ShouldBeTrue("a replica serves what an API server cannot verify");
            }

            if (api.Serves is not { } own) return;
            foreach (var bundle in new[] { gateway.Seen[Place.GatewayTrust]!, state[Place.GatewayTrust]!, state[Place.Discovery]! }.SelectMany(held => held.Data.Values))
                if (bundle.Length > 0) IsUnder(own, bundle).ShouldBeTrue("the API serves what the gateway or the command cannot verify");
        }

        private bool IsUnder(string leaf, string bundle) => known.TryGetValue((leaf, bundle), out var holds) ? holds : known[(leaf, bundle)] = CertificateText.IsUnder(leaf, bundle);
    }

    private sealed class Keeper
    {
        public int Read { get; set; }
        public Dictionary<Place, Held> Places { get; } = [];
        public Dictionary<Place, int> Versions { get; } = [];
        public PlaceWrite? Pending { get; set; }
        public string Fingerprint { get; set; } = "";
        public TimeSpan Since { get; set; }
    }

    private sealed class View
    {
        private bool missed;

        public CertificateState Seen { get; private set; } = CertificateState.Nothing;
        public string? Serves { get; set; }
        public TimeSpan StaleSince { get; private set; }

        public void See(CertificateState now) => (Seen, missed) = (now, false);

        public void Missed(TimeSpan at)
        {
            if (missed) return;
            (missed, StaleSince) = (true, at);
        }

        public bool IsLate(CertificateState now) => missed && !ReferenceEquals(Seen, now);
    }
}
