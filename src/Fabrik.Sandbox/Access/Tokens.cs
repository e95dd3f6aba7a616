using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Access;

/// <summary>Tokens of ServiceAccounts: signed JWTs that expire and name their audiences. The key lives as long as the server.</summary>
public sealed class Tokens(ObjectStore store, TimeProvider clock) : IDisposable
{
    public const string Issuer = "https://kubernetes.default.svc.cluster.local";

    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public (string Token, DateTimeOffset Expires) Issue(StoredObject account, IReadOnlyList<string> audiences, TimeSpan lifetime, JsonObject? boundTo)
    {
        var now = clock.GetUtcNow();
        var expires = now + lifetime;
        var claims = new JsonObject
        {
            ["aud"] = new JsonArray([.. audiences.Select(audience => (JsonNode)audience)]),
            ["exp"] = expires.ToUnixTimeSeconds(),
            ["iat"] = now.ToUnixTimeSeconds(),
            ["iss"] = Issuer,
            ["jti"] = Guid.NewGuid().ToString(),
            ["kubernetes.io"] = new JsonObject
            {
                ["namespace"] = account.Namespace,
                ["serviceaccount"] = new JsonObject { ["name"] = account.Name, ["uid"] = account.Uid },
            },
            ["nbf"] = now.ToUnixTimeSeconds(),
            ["sub"] = $"system:serviceaccount:{account.Namespace}:{account.Name}",
        };
        if (boundTo?.Text("kind") == "Pod")
        {
            claims["kubernetes.io"]!["pod"] = new JsonObject { ["name"] = boundTo.Text("name"), ["uid"] = boundTo.Text("uid") };
        }

        var text = $"{Encode("""{"alg":"ES256","kid":"sandbox"}"""u8)}.{Encode(ObjectJson.Serialize(claims))}";
        lock (key) return ($"{text}.{Encode(key.SignData(Encoding.ASCII.GetBytes(text), HashAlgorithmName.SHA256))}", expires);
    }

    /// <summary>Whose token it is and for which audiences, or null with the reason why it does not count.</summary>
    public (Identity? Identity, IReadOnlyList<string> Audiences, string Error) Read(string token)
    {
        if (token.Length > 16 * 1024) return (null, [], "token is too long");
        var parts = token.Split('.');
        if (parts.Length != 3) return (null, [], "invalid bearer token");
        JsonNode? claims;
        try
        {
            bool good;
            lock (key) good = key.VerifyData(Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"), Decode(parts[2]), HashAlgorithmName.SHA256);
            if (!good) return (null, [], "invalid bearer token");
            claims = JsonNode.Parse(Decode(parts[1]));
        }
        catch (Exception error) when (error is FormatException or System.Text.Json.JsonException)
        {
            return (null, [], "invalid bearer token");
        }

        if (DateTimeOffset.FromUnixTimeSeconds(claims.Number("exp") ?? 0) <= clock.GetUtcNow()) return (null, [], "token has expired");
        var ns = claims.Text("kubernetes.io", "namespace") ?? "";
        var name = claims.Text("kubernetes.io", "serviceaccount", "name") ?? "";
        var uid = claims.Text("kubernetes.io", "serviceaccount", "uid") ?? "";
        if (store.Get(BuiltInTypes.ServiceAccount, ns, name) is not { } account || account.Uid != uid) return (null, [], "service account has been deleted");
        var extra = new Dictionary<string, string[]>(StringComparer.Ordinal)
        {
            ["authentication.kubernetes.io/credential-id"] = [$"JTI={claims.Text("jti")}"],
        };
        if (claims.At("kubernetes.io", "pod") is { } pod)
        {
            var podUid = pod.Text("uid") ?? "";
            if (store.ByUid(podUid) is null) return (null, [], "pod has been deleted");
            extra["authentication.kubernetes.io/pod-name"] = [pod.Text("name") ?? ""];
            extra["authentication.kubernetes.io/pod-uid"] = [podUid];
        }

        return (Identity.ServiceAccount(ns, name, uid) with { Extra = extra }, [.. claims.Texts("aud")], "");
    }

    public void Dispose() => key.Dispose();

    private static string Encode(ReadOnlySpan<byte> bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);

    private static byte[] Decode(string text) => System.Buffers.Text.Base64Url.DecodeFromChars(text);
}
