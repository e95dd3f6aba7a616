using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Fabrik.Gateway;

/// <summary>
/// What a run in the gateway calls with instead of a provider's key: <c>fbk-run-1.KEY.CLAIMS.SIGNATURE</c>, where KEY is the id of the signing key, CLAIMS the
/// base64url of the claims as JSON, and SIGNATURE the base64url HMAC-SHA256 of everything before its dot.
/// </summary>
public static class RunToken
{
    /// <summary>Of every version's tokens, so that those of another version are known for what they are too.</summary>
    public const string AnyVersion = "fbk-run-";

    /// <summary>Of this version's tokens.</summary>
    public const string Prefix = AnyVersion + "1.";

    /// <summary>What the containers of a Job that was only tried carry.</summary>
    public const string DryRun = "dry-run";

    /// <summary>Characters; what is longer is refused unread.</summary>
    public const int MaximumLength = 2048;

    private const int SignatureLength = 43;
    private const int ClaimsAt = 10 + RunTokenKeys.IdLength + 1; // behind prefix, key and dot

    /// <summary>Of a token's run: long enough for every Job that ends, short enough that a leaked one dies.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(30);

    private static readonly long LastSecond = DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    /// <exception cref="ArgumentException">The claims make a longer token than <see cref="MaximumLength"/>.</exception>
    public static string Mint(RunClaims claims, RunTokenKeys keys)
    {
        var payload = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(payload)) Write(writer, claims);
        var end = ClaimsAt + Base64Url.GetEncodedLength(payload.WrittenCount);
        if (end + 1 + SignatureLength > MaximumLength)
            throw new ArgumentException($"the claims of run {claims.RunId} make a token of more than {MaximumLength} characters; labels have at most 63 each", nameof(claims));

        Span<byte> token = stackalloc byte[end + 1 + SignatureLength];
        Encoding.ASCII.GetBytes(Prefix, token);
        keys.CurrentId.CopyTo(token[Prefix.Length..]);
        token[ClaimsAt - 1] = (byte)'.';
        Base64Url.EncodeToUtf8(payload.WrittenSpan, token[ClaimsAt..end], out _, out _);
        token[end] = (byte)'.';
        Span<byte> signature = stackalloc byte[RunTokenKeys.SignatureBytes];
        keys.Sign(token[..end], signature);
        Base64Url.EncodeToUtf8(signature, token[(end + 1)..], out _, out _);
        return Encoding.ASCII.GetString(token);
    }

    /// <summary>Allocates nothing but the claims.</summary>
    /// <param name="token">As the client sent it, without a scheme before it.</param>
    /// <param name="keys">Those that may have signed it.</param>
    /// <param name="now">UTC.</param>
    /// <param name="claims">Null unless valid.</param>
    /// <returns>Every verdict but <see cref="TokenVerdict.Ended"/>, which the token cannot tell.</returns>
    public static TokenVerdict Verify(ReadOnlySpan<char> token, RunTokenKeys keys, DateTimeOffset now, out RunClaims? claims)
    {
        claims = null;
        if (token.IsEmpty) return TokenVerdict.Missing;
        if (token.SequenceEqual(DryRun)) return TokenVerdict.DryRun;
        var end = token.Length - SignatureLength - 1;
        if (token.Length > MaximumLength || end <= ClaimsAt || !token.StartsWith(Prefix, StringComparison.Ordinal)) return TokenVerdict.Invalid;
        Span<byte> bytes = stackalloc byte[token.Length];
        if (Ascii.FromUtf16(token, bytes, out _) != OperationStatus.Done || bytes[ClaimsAt - 1] != '.' || bytes[end] != '.') return TokenVerdict.Invalid;

        // The signature is compared as it is written, and covers the claims as they are written: each token has one spelling.
        Span<byte> signature = stackalloc byte[RunTokenKeys.SignatureBytes];
        Span<byte> expected = stackalloc byte[SignatureLength];
        if (!keys.TrySign(bytes[Prefix.Length..(ClaimsAt - 1)], bytes[..end], signature)) return TokenVerdict.Invalid;
        Base64Url.EncodeToUtf8(signature, expected, out _, out _);
        if (!CryptographicOperations.FixedTimeEquals(expected, bytes[(end + 1)..])) return TokenVerdict.Invalid;

        Span<byte> payload = stackalloc byte[MaximumLength];
        if (Base64Url.DecodeFromUtf8(bytes[ClaimsAt..end], payload, out _, out var length) != OperationStatus.Done) return TokenVerdict.Invalid;
        try
        {
            return Read(payload[..length], now, out claims);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException)
        {
            // Signed by a version that wrote something else.
            return TokenVerdict.Invalid;
        }
    }

    private static void Write(Utf8JsonWriter writer, RunClaims claims)
    {
        writer.WriteStartObject();
        writer.WriteString("run"u8, claims.RunId);
        writer.WriteString("ns"u8, claims.Namespace);
        Text("project"u8, claims.Project);
        Text("arm"u8, claims.Arm);
        Text("change"u8, claims.Change);
        Text("task"u8, claims.TaskType);
        Text("complexity"u8, claims.Complexity);
        if (claims.Models.Count > 0)
        {
            writer.WriteStartArray("models"u8);
            foreach (var (from, to) in claims.Models)
            {
                writer.WriteStringValue(from);
                writer.WriteStringValue(to);
            }

            writer.WriteEndArray();
        }

        writer.WriteNumber("exp"u8, claims.ExpiresAt.ToUnixTimeSeconds());
        writer.WriteEndObject();

        void Text(ReadOnlySpan<byte> name, string? value)
        {
            if (value is not null) writer.WriteString(name, value);
        }
    }

    /// <summary>Nothing is made of a token that has expired.</summary>
    private static TokenVerdict Read(ReadOnlySpan<byte> payload, DateTimeOffset now, out RunClaims? claims)
    {
        claims = null;
        if (Seconds(payload) is not { } seconds) return TokenVerdict.Invalid;
        var expiresAt = DateTimeOffset.FromUnixTimeSeconds(seconds);
        if (now >= expiresAt) return TokenVerdict.Expired;

        string? run = null, @namespace = null, project = null, arm = null, change = null, task = null, complexity = null;
        IReadOnlyList<ModelRewrite> models = [];
        var reader = new Utf8JsonReader(payload);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("run"u8)) run = Text(ref reader);
            else if (reader.ValueTextEquals("ns"u8)) @namespace = Text(ref reader);
            else if (reader.ValueTextEquals("project"u8)) project = Text(ref reader);
            else if (reader.ValueTextEquals("arm"u8)) arm = Text(ref reader);
            else if (reader.ValueTextEquals("change"u8)) change = Text(ref reader);
            else if (reader.ValueTextEquals("task"u8)) task = Text(ref reader);
            else if (reader.ValueTextEquals("complexity"u8)) complexity = Text(ref reader);
            else if (reader.ValueTextEquals("models"u8)) models = Models(ref reader);
            else reader.Skip();
        }

        if (run is null || @namespace is null) return TokenVerdict.Invalid;
        claims = new RunClaims(run, @namespace, project, arm, change, task, complexity, expiresAt) { Models = models };
        return TokenVerdict.Valid;

        static IReadOnlyList<ModelRewrite> Models(ref Utf8JsonReader reader)
        {
            var found = new List<ModelRewrite>();
            reader.Read();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                var from = reader.GetString()!;
                found.Add(new ModelRewrite(from, Text(ref reader)!));
            }

            return found;
        }

        static string? Text(ref Utf8JsonReader reader)
        {
            reader.Read();
            return reader.GetString();
        }
    }

    private static long? Seconds(ReadOnlySpan<byte> payload)
    {
        long? seconds = null;
        var reader = new Utf8JsonReader(payload);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isExpiry = reader.ValueTextEquals("exp"u8);
            reader.Read();
            if (!isExpiry) reader.Skip();
            else if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var number) && number >= 0 && number <= LastSecond) seconds = number;
        }

        return seconds;
    }
}
