using System.Security.Cryptography;
using System.Text;

namespace Fabrik.Sandbox.Access;

/// <summary>Who a bearer token belongs to: the administrator, a ServiceAccount, or with no token nobody.</summary>
public sealed class Authenticator(Tokens tokens, string adminToken)
{
    /// <summary>Audiences that the server itself accepts.</summary>
    public static readonly string[] OwnAudiences = [Tokens.Issuer];

    private readonly byte[] admin = Encoding.UTF8.GetBytes(adminToken);

    /// <summary>Null when a token was shown that does not count.</summary>
    public Identity? Authenticate(string? authorization)
    {
        if (string.IsNullOrEmpty(authorization)) return Identity.Anonymous;
        if (!authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)) return null;
        return Authenticate(authorization[7..].Trim(), OwnAudiences).Identity;
    }

    /// <summary>With the audiences that both sides name; the administrator's token is good for all.</summary>
    public (Identity? Identity, IReadOnlyList<string> Audiences, string Error) Authenticate(string token, IReadOnlyList<string> audiences)
    {
        if (CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(token), admin)) return (Identity.Admin, audiences, "");
        var (identity, own, error) = tokens.Read(token);
        if (identity is null) return (null, [], error);
        string[] common = [.. own.Intersect(audiences)];
        return common.Length > 0 ? (identity, common, "") : (null, [], $"token audiences [{string.Join(' ', own)}] are invalid for the target audiences [{string.Join(' ', audiences)}]");
    }
}
