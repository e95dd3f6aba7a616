using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;

namespace Fabrik.Certificates;

/// <summary>The objects that certificates and keys stand in.</summary>
public enum Place
{
    /// <summary>Secret with the authority: ca.crt, ca.key, and old.crt while leafs of the one before may be served.</summary>
    Authority,

    /// <summary>Secrets with a leaf each: tls.crt, tls.key.</summary>
    WebhookLeaf,
    ApiLeaf,

    /// <summary>The MutatingWebhookConfiguration: the caBundle of each entry, as PEM under the entry's name.</summary>
    Registration,

    /// <summary>ConfigMap by which the gateway trusts the API: ca.crt.</summary>
    GatewayTrust,

    /// <summary>ConfigMap by which the command finds the API: certificate-authority-data, here as PEM.</summary>
    Discovery,

    /// <summary>Secrets with a key to sign with: key.</summary>
    AssignmentKey,
    TokenKey,
    GatewayTokenKey,
}

/// <summary>What one object holds.</summary>
/// <param name="Data">Text by key; a caBundle that is missing is "".</param>
/// <param name="Asked">A person asks by annotation for what is here to be made anew.</param>
/// <param name="Injected">Somebody else, cert-manager, writes it.</param>
public sealed record Held(ImmutableSortedDictionary<string, string> Data, bool Asked = false, bool Injected = false)
{
    public string this[string key] => Data.GetValueOrDefault(key, "");

    public static Held Of(params (string Key, string Value)[] data) => new(data.ToImmutableSortedDictionary(one => one.Key, one => one.Value, StringComparer.Ordinal));
}

/// <summary>All of them, as they were read; an object that does not exist is not in it.</summary>
public sealed record CertificateState(ImmutableDictionary<Place, Held> Places)
{
    public static readonly CertificateState Nothing = new(ImmutableDictionary<Place, Held>.Empty);

    /// <summary>
    /// How they must be read: what follows from the authority before the authority itself. Who then acts on an authority that was replaced in the meantime has read an older
    /// version of what it writes too, as soon as anything of the new one stands there, and is refused.
    /// </summary>
    public static readonly ImmutableArray<Place> ReadingOrder =
        [Place.AssignmentKey, Place.GatewayTokenKey, Place.TokenKey, Place.WebhookLeaf, Place.ApiLeaf, Place.Registration, Place.GatewayTrust, Place.Discovery, Place.Authority];

    private static readonly Place[] Deciding = [Place.Authority, Place.WebhookLeaf, Place.ApiLeaf, Place.Registration, Place.GatewayTrust, Place.Discovery];

    public Held? this[Place place] => Places.GetValueOrDefault(place);

    /// <summary>cert-manager writes the caBundle, and then also the leafs. Who installs registers the webhook last: until then a leaf of cert-manager's says so.</summary>
    public bool Injected => (this[Place.Registration] ?? this[Place.WebhookLeaf]) is { Injected: true };

    /// <summary>Equal for states with the same certificates; it tells since when nothing has changed.</summary>
    public string Fingerprint()
    {
        var text = new StringBuilder();
        foreach (var place in Deciding)
        {
            text.Append(place).Append('\0');
            if (this[place] is not { } held) continue;
            foreach (var (key, value) in held.Data) text.Append(key).Append('\0').Append(value).Append('\0');
        }

        return Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    /// <summary>As it is after a write.</summary>
    public CertificateState With(PlaceWrite write)
    {
        var held = Places[write.Place];
        var data = held.Data;
        foreach (var (key, value) in write.Data) data = value is null ? data.Remove(key) : data.SetItem(key, value);
        return new CertificateState(Places.SetItem(write.Place, held with { Data = data, Asked = held.Asked && !write.Answers }));
    }
}

/// <summary>One write to one object: values by key, null takes the key away; what is not named stays.</summary>
/// <param name="Answers">The annotation by which it was asked for goes with the same write, so that it is done once.</param>
public sealed record PlaceWrite(Place Place, ImmutableSortedDictionary<string, string?> Data, bool Answers);
