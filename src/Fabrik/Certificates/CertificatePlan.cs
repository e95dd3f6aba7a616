using System.Collections.Immutable;

namespace Fabrik.Certificates;

public enum CertificateAction
{
    /// <summary>Nothing now.</summary>
    Wait,
    CreateAuthority,
    RotateAuthority,

    /// <summary>Trust the old authority no more.</summary>
    DropOld,

    /// <summary>Write whom to trust into the step's place.</summary>
    WriteTrust,

    /// <summary>Make a new leaf in the step's place.</summary>
    Issue,

    /// <summary>Make a key to sign with in the step's place, or copy it from the other namespace.</summary>
    FillKey,
}

/// <summary>What is to be done next, and why.</summary>
/// <param name="Again">With <see cref="CertificateAction.Wait"/>: when to look again at the latest.</param>
public sealed record CertificateStep(CertificateAction Action, Place Place, string Reason, TimeSpan Again)
{
    public static CertificateStep Do(CertificateAction action, Place place, string reason) => new(action, place, reason, TimeSpan.Zero);
}

/// <summary>
/// The next step from what is there: one write at a time, so that a crash between any two leaves a state that this goes on from.
/// A leaf is only ever made under an authority that all who verify it have, and an authority is only forgotten when nothing under it is served.
/// </summary>
public static class CertificatePlan
{
    private static readonly Place[] Trusts = [Place.Registration, Place.GatewayTrust, Place.Discovery];

    /// <param name="unchanged">How long this very state has been seen to stand.</param>
    public static CertificateStep Next(CertificateState state, DateTimeOffset now, TimeSpan unchanged, CertificateTimes times)
    {
        if (SigningKeyPlan.Next(state) is { } key) return key;
        if (state.Injected) return Injected(state, times);
        if (state[Place.Authority] is not { } secret) return Wait($"Secret {Names.SystemNamespace}/{Names.Objects.AuthoritySecret} is not there; apply the manifests", times.Look);
        if (AuthorityProblem(secret) is { } broken) return CertificateStep.Do(CertificateAction.CreateAuthority, Place.Authority, broken);

        var (authority, old) = (CertificateText.Read(secret[Keys.Authority])[0], CertificateText.Read(secret[Keys.Old]));
        if (old.IsEmpty && secret[Keys.Old].Length > 0) return CertificateStep.Do(CertificateAction.DropOld, Place.Authority, $"{Keys.Old} is not a certificate");
        if (Useless(authority, now) is { } useless) return CertificateStep.Do(CertificateAction.RotateAuthority, Place.Authority, useless);
        // One rotation at a time, so that no list of old ones grows.
        if (old.IsEmpty && WhyRotate(secret, authority, now) is { } why) return CertificateStep.Do(CertificateAction.RotateAuthority, Place.Authority, why);

        foreach (var place in Trusts)
            if (TrustProblem(state[place], [authority, .. old]) is { } wrong) return CertificateStep.Do(CertificateAction.WriteTrust, place, wrong);

        var until = Min(now + times.Look, authority.Due);
        var moved = true;
        foreach (var place in (Place[])[Place.WebhookLeaf, Place.ApiLeaf])
        {
            if (state[place] is not { } leaf) continue;
            var (urgent, reason, due) = Leaf(place, leaf, authority, old, now);
            if (reason is not null && (urgent || unchanged >= times.Settle)) return CertificateStep.Do(CertificateAction.Issue, place, reason);
            moved &= reason is null;
            until = Min(until, reason is null ? due : now + (times.Settle - unchanged));
        }

        if (old.IsEmpty) return Wait("all certificates are in order" + SigningKeyPlan.Note(state), until - now);
        if (!moved) return Wait("a new authority was written; leafs of the old one are replaced when everybody has it", until - now);
        if (unchanged >= times.KeepOld) return CertificateStep.Do(CertificateAction.DropOld, Place.Authority, $"nothing under the old authority has been served for {Shown(unchanged)}");
        return Wait("every leaf is of the new authority; the old one is dropped when nobody serves what it signed any more", Min(until, now + (times.KeepOld - unchanged)) - now);
    }

    /// <summary>Certificates that stand there now and when each ends; for those who watch.</summary>
    public static IEnumerable<(string Certificate, DateTimeOffset Until)> Ends(CertificateState state)
    {
        foreach (var (place, key, name) in new[] { (Place.Authority, Keys.Authority, "authority"), (Place.WebhookLeaf, Keys.Leaf, "webhook"), (Place.ApiLeaf, Keys.Leaf, "api") })
            if (CertificateText.Read(state[place]?[key]) is [var first, ..]) yield return (name, first.Until);
    }

    /// <summary>Names that the leaf of a place must have.</summary>
    public static ImmutableArray<string> NamesOf(Place place) =>
        Issuing.NamesOf(place == Place.WebhookLeaf ? Names.Objects.WebhookService : Names.Objects.ApiService, Names.SystemNamespace);

    /// <summary>cert-manager's own authority, handed on to those whom it does not write to.</summary>
    private static CertificateStep Injected(CertificateState state, CertificateTimes times)
    {
        var trusted = CertificateText.Read(state[Place.ApiLeaf]?[Keys.Authority]);
        if (!trusted.IsEmpty)
            foreach (var place in (Place[])[Place.GatewayTrust, Place.Discovery])
                if (TrustProblem(state[place], trusted) is { } wrong) return CertificateStep.Do(CertificateAction.WriteTrust, place, wrong);
        return Wait("cert-manager keeps the certificates, as the webhook configuration's annotation says" + SigningKeyPlan.Note(state), times.Look);
    }

    private static string? AuthorityProblem(Held secret)
    {
        if (secret[Keys.Authority].Length == 0 && secret[Keys.AuthorityKey].Length == 0) return "there is no authority yet";
        if (CertificateText.Read(secret[Keys.Authority]) is not [var first, ..]) return $"{Keys.Authority} is not a certificate";
        if (!first.IsAuthority) return $"{Keys.Authority} is not an authority's certificate";
        return CertificateText.Fits(secret[Keys.Authority], secret[Keys.AuthorityKey]) ? null : $"{Keys.AuthorityKey} is not the key of {Keys.Authority}";
    }

    /// <summary>Nothing under it can be verified, and nothing be signed with it.</summary>
    private static string? Useless(CertificateFacts authority, DateTimeOffset now) =>
        now < authority.From ? $"the authority is not valid before {Date(authority.From)}: the clock was turned back"
        : now >= authority.Until ? $"the authority ended at {Date(authority.Until)}"
        : null;

    private static string? WhyRotate(Held secret, CertificateFacts authority, DateTimeOffset now)
    {
        if (secret.Asked) return $"a new authority is asked for by annotation {Names.Annotations.Rotate}";
        return now >= authority.Due ? $"two thirds of the authority's life have passed, which ends at {Date(authority.Until)}" : null;
    }

    private static string? TrustProblem(Held? held, ImmutableArray<CertificateFacts> wanted)
    {
        if (held is null) return null;
        var prints = wanted.Select(one => one.Print).ToHashSet(StringComparer.Ordinal);
        foreach (var (key, pem) in held.Data)
        {
            if (!prints.SetEquals(CertificateText.Read(pem).Select(one => one.Print)))
                return $"{key} {(pem.Length == 0 ? "has no authority yet" : $"does not hold exactly the {(wanted.Length == 1 ? "authority" : "new and the old authority")}")}";
        }

        return null;
    }

    /// <summary>Why a leaf must be replaced, if so; urgent where nobody can verify it now, so that nothing is lost by a new one that some cannot verify yet.</summary>
    private static (bool Urgent, string? Reason, DateTimeOffset Due) Leaf(Place place, Held leaf, CertificateFacts authority, ImmutableArray<CertificateFacts> old, DateTimeOffset now)
    {
        var due = DateTimeOffset.MaxValue;
        if (leaf[Keys.Leaf].Length == 0 && leaf[Keys.LeafKey].Length == 0) return (true, "there is no certificate yet", due);
        if (CertificateText.Read(leaf[Keys.Leaf]) is not [var first, ..]) return (true, $"{Keys.Leaf} is not a certificate", due);
        if (!CertificateText.Fits(leaf[Keys.Leaf], leaf[Keys.LeafKey])) return (true, $"{Keys.LeafKey} is not the key of {Keys.Leaf}", due);
        if (!first.ForServers) return (true, "the certificate is not one for servers", due);
        if (NamesOf(place).Except(first.Names, StringComparer.OrdinalIgnoreCase).FirstOrDefault() is { } missing) return (true, $"the certificate does not name {missing}", due);
        if (now < first.From) return (true, $"the certificate is not valid before {Date(first.From)}: the clock was turned back", due);
        if (now >= first.Until) return (true, $"the certificate ended at {Date(first.Until)}", due);
        if (!CertificateText.IsUnder(leaf[Keys.Leaf], authority.Pem))
        {
            return old.Any(one => CertificateText.IsUnder(leaf[Keys.Leaf], one.Pem))
                ? (false, "the certificate is of the old authority, and the new one has been trusted for long enough", due)
                : (true, "the certificate is of an authority that is not trusted", due);
        }

        if (leaf.Asked) return (true, $"a new certificate is asked for by annotation {Names.Annotations.Rotate}", due);
        return now >= first.Due ? (true, $"two thirds of the certificate's life have passed, which ends at {Date(first.Until)}", due) : (false, null, first.Due);
    }

    private static CertificateStep Wait(string reason, TimeSpan again) => new(CertificateAction.Wait, Place.Authority, reason, again > TimeSpan.Zero ? again : TimeSpan.Zero);

    private static DateTimeOffset Min(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;

    private static string Date(DateTimeOffset time) => time.ToString("yyyy-MM-dd HH:mm'Z'");

    private static string Shown(TimeSpan span) => span.TotalHours >= 1 ? $"{span.TotalHours:0.#} h" : span.TotalMinutes >= 1 ? $"{span.TotalMinutes:0} min" : $"{span.TotalSeconds:0} s";

    /// <summary>Keys of the objects' data.</summary>
    public static class Keys
    {
        public const string Authority = "ca.crt";
        public const string AuthorityKey = "ca.key";
        public const string Old = "old.crt";
        public const string Leaf = "tls.crt";
        public const string LeafKey = "tls.key";
        public const string Signing = "key";
        public const string DiscoveryAuthority = "certificate-authority-data";
    }
}
