using System.Collections.Immutable;
using static Fabrik.Certificates.CertificatePlan;

namespace Fabrik.Certificates;

/// <summary>A step as the one write that it is.</summary>
public static class CertificateWriting
{
    /// <summary>Old authorities that are kept at most: Secrets are damaged more often than that by nobody who means well.</summary>
    private const int MostOld = 8;

    /// <param name="step">From this very state; not one that waits.</param>
    public static PlaceWrite Of(CertificateStep step, CertificateState state, DateTimeOffset now, CertificateTimes times) => step.Action switch
    {
        CertificateAction.CreateAuthority => Authority(Issuing.Authority(now, times), Serving(state)),
        CertificateAction.RotateAuthority => Authority(Issuing.Authority(now, times), Joined([.. CertificateText.Read(state[Place.Authority]![Keys.Authority]).Take(1), .. CertificateText.Read(state[Place.Authority]![Keys.Old])])),
        CertificateAction.DropOld => new PlaceWrite(Place.Authority, Data((Keys.Old, null)), Answers: false),
        CertificateAction.WriteTrust => new PlaceWrite(step.Place, state[step.Place]!.Data.ToImmutableSortedDictionary(one => one.Key, string? (_) => Trusted(state), StringComparer.Ordinal), Answers: false),
        CertificateAction.Issue => Leaf(step.Place, Issuing.Leaf(new(state[Place.Authority]![Keys.Authority], state[Place.Authority]![Keys.AuthorityKey]), NamesOf(step.Place), now, times)),
        CertificateAction.FillKey => new PlaceWrite(step.Place, Data((Keys.Signing, SigningKeyPlan.Value(state, step.Place))), Answers: false),
        _ => throw new ArgumentException($"{step.Action} is no write", nameof(step)),
    };

    private static PlaceWrite Authority(IssuedCertificate made, string old) =>
        new(Place.Authority, Data((Keys.Authority, made.Certificate), (Keys.AuthorityKey, made.Key), (Keys.Old, old.Length == 0 ? null : old)), Answers: true);

    private static PlaceWrite Leaf(Place place, IssuedCertificate made) => new(place, Data((Keys.Leaf, made.Certificate), (Keys.LeafKey, made.Key)), Answers: true);

    private static string Trusted(CertificateState state) => state.Injected
        ? Joined(CertificateText.Read(state[Place.ApiLeaf]![Keys.Authority]))
        : Joined([.. CertificateText.Read(state[Place.Authority]![Keys.Authority]).Take(1), .. CertificateText.Read(state[Place.Authority]![Keys.Old])]);

    /// <summary>Where the authority is lost, leafs that it signed are served on: whoever signed them is trusted until they are replaced.</summary>
    private static string Serving(CertificateState state)
    {
        var secret = state[Place.Authority]!;
        var known = new[] { secret[Keys.Authority] }.Concat(((Place[])[Place.Registration, Place.GatewayTrust, Place.Discovery]).SelectMany(place => state[place]?.Data.Values ?? [])).SelectMany(pem => CertificateText.Read(pem));
        var leafs = ((Place[])[Place.WebhookLeaf, Place.ApiLeaf]).Select(place => state[place]?[Keys.Leaf] ?? "").ToList();
        return Joined([.. CertificateText.Read(secret[Keys.Old]), .. known.Where(one => one.IsAuthority && leafs.Any(leaf => CertificateText.IsUnder(leaf, one.Pem)))]);
    }

    private static string Joined(IEnumerable<CertificateFacts> certificates) => string.Concat(certificates.DistinctBy(one => one.Print).Take(MostOld).Select(one => one.Pem));

    private static ImmutableSortedDictionary<string, string?> Data(params (string Key, string? Value)[] data) => data.ToImmutableSortedDictionary(one => one.Key, one => one.Value, StringComparer.Ordinal);
}
