using System.Security.Cryptography;
using static Fabrik.Certificates.CertificatePlan;

namespace Fabrik.Certificates;

/// <summary>Keys that sign assignments and run tokens: filled where they are empty, never written over, as what they signed must stay good.</summary>
internal static class SigningKeyPlan
{
    public static CertificateStep? Next(CertificateState state)
    {
        if (Empty(state[Place.AssignmentKey])) return CertificateStep.Do(CertificateAction.FillKey, Place.AssignmentKey, "there is no key to sign assignments with yet");
        if (Empty(state[Place.TokenKey])) return CertificateStep.Do(CertificateAction.FillKey, Place.TokenKey, Filled(state[Place.GatewayTokenKey]) ? "the gateway has a key of run tokens already" : "there is no key to sign run tokens with yet");
        // Only ever from what stands in the other namespace: two who fill at once must not make two keys.
        if (Empty(state[Place.GatewayTokenKey]) && Filled(state[Place.TokenKey])) return CertificateStep.Do(CertificateAction.FillKey, Place.GatewayTokenKey, "the gateway has no key of run tokens yet");
        return null;
    }

    public static string Value(CertificateState state, Place place) => place switch
    {
        Place.GatewayTokenKey => state[Place.TokenKey]![Keys.Signing],
        Place.TokenKey when Filled(state[Place.GatewayTokenKey]) => state[Place.GatewayTokenKey]![Keys.Signing],
        _ => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)) + "\n",
    };

    /// <summary>What a person has to look into; "" when nothing.</summary>
    public static string Note(CertificateState state) =>
        state[Place.TokenKey] is { } own && state[Place.GatewayTokenKey] is { } gateway && own[Keys.Signing].Trim() != gateway[Keys.Signing].Trim()
            ? $"; Secret {Names.Objects.RunTokenKeySecret} differs between {Names.SystemNamespace} and {Names.GatewayNamespace}: while a key is replaced both must hold both keys, else the gateway refuses run tokens"
            : "";

    private static bool Empty(Held? held) => held is not null && string.IsNullOrWhiteSpace(held[Keys.Signing]);

    private static bool Filled(Held? held) => held is not null && !string.IsNullOrWhiteSpace(held[Keys.Signing]);
}
