using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Fabrik.Gateway;

/// <summary>A key that Fabrik gives to a caller outside Jobs: a person, a pipeline. Only its hash is kept.</summary>
public sealed record VirtualKey
{
    public const string Prefix = "fbk-key-1.";

    /// <summary>For people and the ledger; no secret.</summary>
    public required string Id { get; set; }

    /// <summary>SHA-256 of the key, in hexadecimal: a key has 256 random bits, so a slow hash would add nothing.</summary>
    public required string Hash { get; set; }

    /// <summary>What its calls are charged to.</summary>
    public required string Project { get; set; }
    public string? Description { get; set; }
    public DateTimeOffset CreatedAt { get; set; }
    public DateTimeOffset? ExpiresAt { get; set; }
    public DateTimeOffset? RevokedAt { get; set; }

    /// <summary>A new one.</summary>
    /// <returns>The key itself, which is shown once, and what is kept of it.</returns>
    public static (string Secret, VirtualKey Kept) Create(string project, string? description, DateTimeOffset now, DateTimeOffset? expiresAt)
    {
        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(5));
        var secret = $"{Prefix}{id}.{System.Buffers.Text.Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32))}";
        return (secret, new VirtualKey { Id = id, Hash = HashOf(secret), Project = project, Description = description, CreatedAt = now, ExpiresAt = expiresAt });
    }

    internal static string HashOf(ReadOnlySpan<char> secret)
    {
        Span<byte> bytes = stackalloc byte[RunToken.MaximumLength * 3];
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(secret, bytes)], hash);
        return Convert.ToHexStringLower(hash);
    }
}

/// <summary>All virtual keys, by id.</summary>
public sealed class VirtualKeys
{
    private readonly Dictionary<string, VirtualKey> byId;

    public VirtualKeys(IEnumerable<VirtualKey> keys) => byId = keys.ToDictionary(key => key.Id, StringComparer.Ordinal);

    public static VirtualKeys None { get; } = new([]);

    public IReadOnlyCollection<VirtualKey> All => byId.Values;

    /// <exception cref="FormatException">It is no list of keys.</exception>
    public static VirtualKeys Parse(ReadOnlySpan<byte> json)
    {
        try
        {
            return json.Length == 0 ? None : new VirtualKeys(JsonSerializer.Deserialize(json, GatewayJson.Default.ListVirtualKey) ?? []);
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new FormatException($"The file of virtual keys cannot be read: {e.Message}", e);
        }
    }

    public TokenVerdict Verify(ReadOnlySpan<char> secret, DateTimeOffset now, out VirtualKey? key)
    {
        key = null;
        if (secret.Length > RunToken.MaximumLength || !secret.StartsWith(VirtualKey.Prefix)) return TokenVerdict.Invalid;
        var id = secret[VirtualKey.Prefix.Length..];
        if (id.IndexOf('.') is var dot && dot <= 0 || !byId.TryGetValue(id[..dot].ToString(), out var known)) return TokenVerdict.Invalid;
        if (!CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(known.Hash), Encoding.ASCII.GetBytes(VirtualKey.HashOf(secret)))) return TokenVerdict.Invalid;
        if (known.RevokedAt is not null) return TokenVerdict.Ended;
        if (known.ExpiresAt <= now) return TokenVerdict.Expired;
        key = known;
        return TokenVerdict.Valid;
    }
}
