using System.Collections.Immutable;
using Fabrik.Certificates;
using static Fabrik.Certificates.CertificatePlan;

namespace Fabrik.Tests.Certificates;

public class PlanTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 27, 6, 0, 0, TimeSpan.Zero);
    private static readonly CertificateTimes Times = CertificateTimes.Default;
    private static readonly TimeSpan Long = TimeSpan.FromDays(1);

    [Fact]
    public void Empty_objects_are_filled_in_an_order_in_which_nothing_served_is_unknown_to_anybody()
    {
        var (state, steps) = Run(Cluster.Empty, Now);
        steps.Select(step => (step.Action, step.Place)).ShouldBe(
        [
            (CertificateAction.FillKey, Place.AssignmentKey), (CertificateAction.FillKey, Place.TokenKey), (CertificateAction.FillKey, Place.GatewayTokenKey),
            (CertificateAction.CreateAuthority, Place.Authority),
            (CertificateAction.WriteTrust, Place.Registration), (CertificateAction.WriteTrust, Place.GatewayTrust), (CertificateAction.WriteTrust, Place.Discovery),
            (CertificateAction.Issue, Place.WebhookLeaf), (CertificateAction.Issue, Place.ApiLeaf),
        ]);
        Cluster.InOrder(state, Now);
    }

    [Fact]
    public void The_authority_lives_ten_years_and_a_leaf_ninety_days_under_all_names_of_its_service()
    {
        var (state, _) = Run(Cluster.Empty, Now);
        var authority = CertificateText.Read(state[Place.Authority]![Keys.Authority]).ShouldHaveSingleItem();
        (authority.IsAuthority, authority.Until).ShouldBe((true, Now.AddDays(3653)));
        var leaf = CertificateText.Read(state[Place.WebhookLeaf]![Keys.Leaf]).ShouldHaveSingleItem();
        (leaf.IsAuthority, leaf.ForServers, leaf.Until).ShouldBe((false, true, Now.AddDays(90)));
        leaf.Names.ShouldBe(["fabrik-webhook", "fabrik-webhook.fabrik-system", "fabrik-webhook.fabrik-system.svc", "fabrik-webhook.fabrik-system.svc.cluster.local", "localhost"]);
        CertificateText.Read(state[Place.ApiLeaf]![Keys.Leaf])[0].Names.ShouldContain("fabrik-api.fabrik-system.svc");
        using var loaded = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPem(state[Place.WebhookLeaf]![Keys.Leaf]);
        loaded.PublicKey.GetECDsaPublicKey()!.ExportParameters(false).Curve.Oid.Value.ShouldBe("1.2.840.10045.3.1.7") /* P-256 */;
    }

    [Fact]
    public void A_leaf_is_renewed_when_two_thirds_of_its_life_have_passed_and_not_before()
    {
        var (state, _) = Run(Cluster.Empty, Now);
        var due = CertificateText.Read(state[Place.WebhookLeaf]![Keys.Leaf])[0].Due;
        due.ShouldBe(Now.AddDays(60), TimeSpan.FromHours(1));
        Next(state, due.AddSeconds(-1), Long, Times).Action.ShouldBe(CertificateAction.Wait);
        Next(state, due.AddSeconds(-10), Long, Times).Again.ShouldBe(TimeSpan.FromSeconds(10));
        var step = Next(state, due, Long, Times);
        (step.Action, step.Place).ShouldBe((CertificateAction.Issue, Place.WebhookLeaf));
        step.Reason.ShouldContain("two thirds");
    }

    [Fact]
    public void A_new_authority_is_trusted_beside_the_old_one_first_then_signs_and_the_old_one_goes_last()
    {
        var (state, _) = Run(Cluster.Empty, Now);
        var later = CertificateText.Read(state[Place.Authority]![Keys.Authority])[0].Due;
        (state, _) = Run(state, later.AddDays(-1)); // leafs of that time
        var first = state;
        var rotate = Next(state, later, Long, Times);
        (rotate.Action, rotate.Place).ShouldBe((CertificateAction.RotateAuthority, Place.Authority));
        state = state.With(CertificateWriting.Of(rotate, state, later, Times));

        foreach (var place in (Place[])[Place.Registration, Place.GatewayTrust, Place.Discovery])
        {
            var trust = Next(state, later, TimeSpan.Zero, Times);
            (trust.Action, trust.Place).ShouldBe((CertificateAction.WriteTrust, place));
            state = state.With(CertificateWriting.Of(trust, state, later, Times));
            foreach (var bundle in state[place]!.Data.Values) CertificateText.Read(bundle).Length.ShouldBe(2);
        }

        state[Place.WebhookLeaf].ShouldBe(first[Place.WebhookLeaf]);
        var wait = Next(state, later, Times.Settle - TimeSpan.FromSeconds(1), Times);
        (wait.Action, wait.Again).ShouldBe((CertificateAction.Wait, TimeSpan.FromSeconds(1)));
        foreach (var place in (Place[])[Place.WebhookLeaf, Place.ApiLeaf])
        {
            var issue = Next(state, later, Times.Settle, Times);
            (issue.Action, issue.Place).ShouldBe((CertificateAction.Issue, place));
            state = state.With(CertificateWriting.Of(issue, state, later, Times));
        }

        Next(state, later, Times.KeepOld - TimeSpan.FromSeconds(1), Times).Action.ShouldBe(CertificateAction.Wait);
        var drop = Next(state, later, Times.KeepOld, Times);
        drop.Action.ShouldBe(CertificateAction.DropOld);
        state = state.With(CertificateWriting.Of(drop, state, later, Times));
        (state, _) = Run(state, later);
        Cluster.InOrder(state, later);
        CertificateText.Read(state[Place.Authority]![Keys.Authority])[0].Print.ShouldNotBe(CertificateText.Read(first[Place.Authority]![Keys.Authority])[0].Print);
    }

    [Theory]
    [InlineData(Place.WebhookLeaf, Keys.Leaf, "", "not a certificate")]
    [InlineData(Place.WebhookLeaf, Keys.LeafKey, "", "not the key")]
    [InlineData(Place.ApiLeaf, Keys.LeafKey, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not the key")]
    [InlineData(Place.ApiLeaf, Keys.Leaf, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not a certificate")]
    public void A_damaged_leaf_is_made_anew_at_once(Place place, string key, string value, string reason)
    {
        var (state, _) = Run(Cluster.Empty, Now);
        var step = Next(Cluster.Set(state, place, key, value), Now, TimeSpan.Zero, Times);
        (step.Action, step.Place).ShouldBe((CertificateAction.Issue, place));
        step.Reason.ShouldContain(reason);
    }

    [Fact]
    public void A_leaf_for_another_service_of_another_authority_ended_or_not_yet_begun_is_made_anew_at_once()
    {
        var (state, _) = Run(Cluster.Empty, Now);
        var other = Issuing.Authority(Now, Times);
        var own = new IssuedCertificate(state[Place.Authority]![Keys.Authority], state[Place.Authority]![Keys.AuthorityKey]);
        foreach (var (leaf, when, reason) in new[]
        {
            (Issuing.Leaf(own, Issuing.NamesOf("fabrik-webhook", "elsewhere"), Now, Times), Now, "does not name"),
            (Issuing.Leaf(other, NamesOf(Place.WebhookLeaf), Now, Times), Now, "not trusted"),
            (Issuing.Leaf(own, NamesOf(Place.WebhookLeaf), Now, Times), Now.AddDays(90), "ended"),
            (Issuing.Leaf(own, NamesOf(Place.WebhookLeaf), Now.AddDays(9), Times), Now, "turned back"),
        })
        {
            var with = Cluster.Set(Cluster.Set(state, Place.WebhookLeaf, Keys.Leaf, leaf.Certificate), Place.WebhookLeaf, Keys.LeafKey, leaf.Key);
            var step = Next(with, when, TimeSpan.Zero, Times);
            (step.Action, step.Place).ShouldBe((CertificateAction.Issue, Place.WebhookLeaf));
            step.Reason.ShouldContain(reason);
        }
    }

    [Fact]
    public void With_the_clock_turned_back_to_before_the_authority_another_one_takes_over_and_all_is_in_order_again()
    {
        var (state, _) = Run(Cluster.Empty, Now);
        var before = Now.AddDays(-30);
        Next(state, before, Long, Times).Reason.ShouldContain("turned back");
        (state, _) = Run(state, before);
        Cluster.InOrder(state, before);
    }

    [Theory]
    [InlineData("")]
    [InlineData("damaged")]
    public void Where_the_authority_is_lost_the_one_that_signed_what_is_served_stays_trusted_until_it_is_replaced(string damage)
    {
        var (state, _) = Run(Cluster.Empty, Now);
        var lost = state[Place.Authority]![Keys.Authority];
        var leaf = state[Place.WebhookLeaf]!;
        state = damage.Length == 0 ? state with { Places = state.Places.SetItem(Place.Authority, Held.Of()) } : Cluster.Set(state, Place.Authority, Keys.AuthorityKey, damage);
        var steps = 0;
        while (Next(state, Now, TimeSpan.Zero, Times) is { Action: not CertificateAction.Wait } step)
        {
            state = state.With(CertificateWriting.Of(step, state, Now, Times));
            foreach (var bundle in state[Place.Registration]!.Data.Values) CertificateText.IsUnder(leaf[Keys.Leaf], bundle).ShouldBeTrue();
            (++steps).ShouldBeLessThan(10);
        }

        state[Place.WebhookLeaf].ShouldBe(leaf);
        CertificateText.Read(state[Place.Authority]![Keys.Old]).ShouldHaveSingleItem().Pem.ShouldBe(lost);
        (state, _) = Run(state, Now);
        Cluster.InOrder(state, Now);
    }

    [Fact]
    public void What_a_person_asks_for_by_annotation_is_done_once()
    {
        var (state, _) = Run(Cluster.Empty, Now);
        var (again, steps) = Run(Cluster.Ask(state, Place.WebhookLeaf), Now);
        steps.ShouldHaveSingleItem().Place.ShouldBe(Place.WebhookLeaf);
        again[Place.WebhookLeaf]!.Asked.ShouldBeFalse();
        again[Place.WebhookLeaf]![Keys.Leaf].ShouldNotBe(state[Place.WebhookLeaf]![Keys.Leaf]);

        (again, steps) = Run(Cluster.Ask(state, Place.Authority), Now);
        steps.Count(step => step.Action == CertificateAction.RotateAuthority).ShouldBe(1);
        Cluster.InOrder(again, Now);
        again[Place.Authority]![Keys.Authority].ShouldNotBe(state[Place.Authority]![Keys.Authority]);
    }

    [Fact]
    public void A_second_rotation_waits_for_the_first()
    {
        var (state, _) = Run(Cluster.Empty, Now);
        var rotate = Next(Cluster.Ask(state, Place.Authority), Now, Long, Times);
        state = Cluster.Ask(state.With(CertificateWriting.Of(rotate, state, Now, Times)), Place.Authority);
        Next(state, Now, Long, Times).Action.ShouldBe(CertificateAction.WriteTrust);
        var (end, steps) = Run(state, Now);
        steps.Count(step => step.Action == CertificateAction.RotateAuthority).ShouldBe(1);
        steps.FindIndex(step => step.Action == CertificateAction.DropOld).ShouldBeLessThan(steps.FindIndex(step => step.Action == CertificateAction.RotateAuthority));
        Cluster.InOrder(end, Now);
    }

    [Fact]
    public void With_cert_manager_nothing_is_written_but_its_authority_to_those_it_does_not_write_to_and_missing_keys()
    {
        var authority = Issuing.Authority(Now, Times);
        var state = Cluster.Empty;
        state = state with { Places = state.Places.SetItem(Place.Registration, state[Place.Registration]! with { Injected = true }) };
        var (end, steps) = Run(state, Now);
        steps.ShouldAllBe(step => step.Action == CertificateAction.FillKey);
        end[Place.Authority]!.Data.ShouldBeEmpty();

        (end, steps) = Run(Cluster.Set(end, Place.ApiLeaf, Keys.Authority, authority.Certificate), Now);
        steps.Select(step => step.Place).ShouldBe([Place.GatewayTrust, Place.Discovery]);
        end[Place.GatewayTrust]![Keys.Authority].ShouldBe(authority.Certificate);
        end[Place.Registration]!.Data.Values.ShouldAllBe(bundle => bundle.Length == 0);
    }

    [Fact]
    public void Before_the_webhook_is_registered_a_certificate_of_cert_manager_keeps_the_keeper_from_making_another_and_afterwards_the_registration_decides()
    {
        var state = Cluster.Set(Cluster.Empty, Place.WebhookLeaf, Keys.Leaf, Issuing.Leaf(Issuing.Authority(Now, Times), NamesOf(Place.WebhookLeaf), Now, Times).Certificate);
        state = state with { Places = state.Places.SetItem(Place.WebhookLeaf, state[Place.WebhookLeaf]! with { Injected = true }) };

        var (_, steps) = Run(state with { Places = state.Places.Remove(Place.Registration) }, Now);
        steps.ShouldAllBe(step => step.Action == CertificateAction.FillKey);
        (_, steps) = Run(state, Now);
        steps.ShouldContain(step => step.Action == CertificateAction.CreateAuthority);
    }

    [Fact]
    public void Keys_that_are_there_are_never_written_over_and_the_gateway_gets_the_same()
    {
        var state = Cluster.Set(Cluster.Set(Cluster.Empty, Place.AssignmentKey, Keys.Signing, "mine"), Place.GatewayTokenKey, Keys.Signing, "theirs");
        var (end, _) = Run(state, Now);
        (end[Place.AssignmentKey]![Keys.Signing], end[Place.TokenKey]![Keys.Signing], end[Place.GatewayTokenKey]![Keys.Signing]).ShouldBe(("mine", "theirs", "theirs"));

        (end, var steps) = Run(Cluster.Set(end, Place.TokenKey, Keys.Signing, "another"), Now);
        steps.ShouldBeEmpty();
        Next(end, Now, Long, Times).Reason.ShouldContain("differs between");
        (end, _) = Run(Cluster.Empty, Now);
        end[Place.GatewayTokenKey]![Keys.Signing].ShouldBe(end[Place.TokenKey]![Keys.Signing]);
        end[Place.TokenKey]![Keys.Signing].ShouldNotBe(end[Place.AssignmentKey]![Keys.Signing]);
        Convert.FromBase64String(end[Place.AssignmentKey]![Keys.Signing]).Length.ShouldBe(32);
    }

    [Fact]
    public void Objects_that_are_not_there_are_not_needed_but_for_the_authority()
    {
        Next(CertificateState.Nothing, Now, Long, Times).Reason.ShouldContain("fabrik-ca is not there");
        var (end, steps) = Run(new CertificateState(ImmutableDictionary<Place, Held>.Empty.Add(Place.Authority, Held.Of()).Add(Place.WebhookLeaf, Held.Of())), Now);
        steps.Select(step => step.Action).ShouldBe([CertificateAction.CreateAuthority, CertificateAction.Issue]);
        CertificateText.IsUnder(end[Place.WebhookLeaf]![Keys.Leaf], end[Place.Authority]![Keys.Authority]).ShouldBeTrue();
    }

    [Fact]
    public void A_replica_changes_to_a_new_certificate_only_when_callers_can_verify_it_or_cannot_verify_the_one_before()
    {
        var (one, two) = (Issuing.Authority(Now, Times), Issuing.Authority(Now, Times));
        string Leaf(IssuedCertificate of) => Issuing.Leaf(of, NamesOf(Place.WebhookLeaf), Now, Times).Certificate;
        var (old, new_) = (Leaf(one), Leaf(two));
        var (first, both, second) = (Held.Of(("a", one.Certificate)), Held.Of(("a", one.Certificate + two.Certificate)), Held.Of(("a", two.Certificate)));
        ServingChoice.Takes(null, new_, first, Now).ShouldBeTrue();
        ServingChoice.Takes(old, new_, first, Now).ShouldBeFalse();
        ServingChoice.Takes(old, new_, both, Now).ShouldBeTrue();
        ServingChoice.Takes(old, new_, second, Now).ShouldBeTrue();
        ServingChoice.Takes(old, new_, null, Now).ShouldBeTrue();
        ServingChoice.Takes(old, new_, first, Now.AddDays(91)).ShouldBeTrue();
        ServingChoice.Problem(old, first).ShouldBeNull();
        ServingChoice.Problem(old, second)!.ShouldContain("does not hold the authority");
        ServingChoice.Problem(old, Held.Of(("a", one.Certificate), ("b", "")))!.ShouldContain("entry b");
        ServingChoice.Problem(old, null).ShouldBeNull("nobody is sent to a webhook that is not registered yet");
    }

    private static (CertificateState State, List<CertificateStep> Steps) Run(CertificateState state, DateTimeOffset now)
    {
        var steps = new List<CertificateStep>();
        while (Next(state, now, Long, Times) is { Action: not CertificateAction.Wait } step)
        {
            state = state.With(CertificateWriting.Of(step, state, now, Times));
            steps.Add(step);
            steps.Count.ShouldBeLessThan(40);
        }

        return (state, steps);
    }
}
