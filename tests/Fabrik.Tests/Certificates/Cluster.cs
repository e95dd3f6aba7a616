using System.Collections.Immutable;
using Fabrik.Certificates;
using static Fabrik.Certificates.CertificatePlan;

namespace Fabrik.Tests.Certificates;

/// <summary>The objects as the manifests ship them, and what must hold at the end of every story.</summary>
internal static class Cluster
{
    public static CertificateState Empty { get; } = new(new Dictionary<Place, Held>
    {
        [Place.Authority] = Held.Of(),
        [Place.WebhookLeaf] = Held.Of(),
        [Place.ApiLeaf] = Held.Of(),
        [Place.Registration] = Held.Of(("one.fabrik.dev", ""), ("two.fabrik.dev", "")),
        [Place.GatewayTrust] = Held.Of((Keys.Authority, "")),
        [Place.Discovery] = Held.Of((Keys.DiscoveryAuthority, "")),
        [Place.AssignmentKey] = Held.Of(),
        [Place.TokenKey] = Held.Of(),
        [Place.GatewayTokenKey] = Held.Of(),
    }.ToImmutableDictionary());

    public static CertificateState Set(CertificateState state, Place place, string key, string value) =>
        state with { Places = state.Places.SetItem(place, state[place]! with { Data = state[place]!.Data.SetItem(key, value) }) };

    public static CertificateState Ask(CertificateState state, Place place) => state with { Places = state.Places.SetItem(place, state[place]! with { Asked = true }) };

    /// <summary>One authority, trusted everywhere and alone, with good leafs under it and keys that agree.</summary>
    public static void InOrder(CertificateState state, DateTimeOffset now)
    {
        var secret = state[Place.Authority]!;
        var authority = CertificateText.Read(secret[Keys.Authority]).ShouldHaveSingleItem();
        CertificateText.Fits(authority.Pem, secret[Keys.AuthorityKey]).ShouldBeTrue();
        (authority.From <= now && now < authority.Due).ShouldBeTrue();
        secret.Data.ContainsKey(Keys.Old).ShouldBeFalse();
        foreach (var place in (Place[])[Place.Registration, Place.GatewayTrust, Place.Discovery])
        {
            state[place]!.Data.ShouldNotBeEmpty();
            foreach (var pem in state[place]!.Data.Values) CertificateText.Read(pem).ShouldHaveSingleItem().Print.ShouldBe(authority.Print);
        }

        foreach (var place in (Place[])[Place.WebhookLeaf, Place.ApiLeaf])
        {
            var leaf = CertificateText.Read(state[place]![Keys.Leaf]).ShouldHaveSingleItem();
            CertificateText.Fits(leaf.Pem, state[place]![Keys.LeafKey]).ShouldBeTrue();
            CertificateText.IsUnder(leaf.Pem, authority.Pem).ShouldBeTrue();
            (leaf.From <= now && now < leaf.Due).ShouldBeTrue();
        }

        state[Place.AssignmentKey]![Keys.Signing].ShouldNotBeNullOrWhiteSpace();
        state[Place.TokenKey]![Keys.Signing].ShouldNotBeNullOrWhiteSpace();
        state[Place.GatewayTokenKey]![Keys.Signing].ShouldBe(state[Place.TokenKey]![Keys.Signing]);
    }
}
