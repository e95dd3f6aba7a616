using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Fabrik.Checks;

/// <summary>
/// Takes secrets out of what is given away: what is known to be one, wherever it stands; what stands where secrets stand; and what looks like one.
/// </summary>
public sealed partial class Redaction
{
    public const string Mark = "REDACTED";

    /// <summary>A shorter word is also part of others, and would tear holes into every line.</summary>
    public const int Shortest = 6;

    private readonly List<string> known;

    /// <param name="secrets">Values that must not appear, nor any of their lines, plain or as base64; those below <see cref="Shortest"/> characters are left to the other rules.</param>
    public Redaction(IEnumerable<string> secrets) =>
        known = [.. secrets.SelectMany(Forms).Where(form => form.Length >= Shortest).Distinct(StringComparer.Ordinal).OrderByDescending(form => form.Length)];

    /// <summary>Values of the object that are secrets by where they stand: data of a Secret, and variables with such a name.</summary>
    public static IEnumerable<string> Of(JsonNode? item)
    {
        if (item is not JsonObject map)
        {
            foreach (var inner in item is JsonArray list ? list : []) foreach (var found in Of(inner)) yield return found;
            yield break;
        }

        if (IsSecret(map))
        {
            foreach (var (_, value) in map["data"] as JsonObject ?? [])
                if (value is JsonValue && Decoded(value.ToString()) is { } plain) yield return plain;
            foreach (var (_, value) in map["stringData"] as JsonObject ?? [])
                if (value is JsonValue) yield return value.ToString();
        }

        if (map["name"] is JsonValue name && map["value"] is JsonValue secret && IsSecretName(name.ToString())) yield return secret.ToString();
        foreach (var (_, value) in map) foreach (var found in Of(value)) yield return found;
    }

    /// <summary>A copy that may be given away.</summary>
    public JsonNode? Object(JsonNode? item, bool hide = false)
    {
        switch (item)
        {
            case JsonObject map:
                var (copy, secret) = (new JsonObject(), IsSecret(map));
                foreach (var (name, value) in map)
                {
                    // They repeat the object, with its values.
                    if (name is "managedFields" or "kubectl.kubernetes.io/last-applied-configuration") continue;
                    var variable = name == "value" && map["name"] is JsonValue of && IsSecretName(of.ToString());
                    var data = secret && name is "data" or "stringData" && secret;
                    copy[Text(name)] = Object(value, hide || variable || data || (value is JsonValue && IsSecretName(name)));
                }

                return copy;
            case JsonArray list:
                return new JsonArray([.. list.Select(inner => Object(inner, hide))]);
            case JsonValue leaf when leaf.GetValueKind() == System.Text.Json.JsonValueKind.String:
                return hide ? Mark : Text(leaf.ToString());
            case JsonValue when hide:
                return Mark;
            default:
                return item?.DeepClone();
        }
    }

    public string Text(string text)
    {
        foreach (var form in known) text = text.Replace(form, Mark, StringComparison.Ordinal);
        try
        {
            text = PrivateKeys().Replace(text, Mark);
            text = Tokens().Replace(text, Mark);
            text = Passwords().Replace(text, "${before}" + Mark + "@");
            return Named().Replace(text, "${before}" + Mark);
        }
        catch (RegexMatchTimeoutException)
        {
            return Mark;
        }
    }

    /// <summary>KEY and the like as a part of the name; names of objects and of files that hold secrets are none.</summary>
    public static bool IsSecretName(string name) => SecretName().IsMatch(name) && !Harmless().IsMatch(name);

    private static bool IsSecret(JsonObject map) => map["kind"] is JsonValue kind && kind.ToString() == "Secret";

    private static IEnumerable<string> Forms(string secret)
    {
        foreach (var part in secret.Split('\n').Select(line => line.Trim()).Where(line => !line.StartsWith("-----", StringComparison.Ordinal)).Append(secret).Append(secret.Trim()))
        {
            if (part.Length < Shortest) continue;
            yield return part;
            var bytes = Encoding.UTF8.GetBytes(part);
            // As base64 it looks differently by what stands before it: the part that is sure, for each of the three places it can begin at.
            for (var shift = 0; shift < 3; shift++)
            {
                var text = Convert.ToBase64String([.. new byte[shift], .. bytes]).TrimEnd('=');
                var begin = (shift * 8 + 5) / 6;
                var sure = ((shift + bytes.Length) * 8 / 6) - begin;
                if (sure >= Shortest) yield return text.Substring(begin, sure);
            }
        }
    }

    private static string? Decoded(string base64)
    {
        try
        {
            return Encoding.UTF8.GetString(Convert.FromBase64String(base64));
        }
        catch (FormatException)
        {
            return null;
        }
    }

    [GeneratedRegex("key|token|secret|passw|credential|authorization|cookie|private|dsn|connectionstring|bearer", RegexOptions.IgnoreCase | RegexOptions.NonBacktracking)]
    private static partial Regex SecretName();

    [GeneratedRegex("^(key|apiVersion|topologyKey|secretName|secretKeyRef|imagePullSecrets|labelSelectorKey|mismatchLabelKeys|matchLabelKeys|automountServiceAccountToken|serviceAccountToken)$|(file|dir|path|name|ref|seconds|bytes|count|tokens)$", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Harmless();

    [GeneratedRegex("-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(-----END [A-Z ]*PRIVATE KEY-----)?", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex PrivateKeys();

    /// <summary>JSON Web Tokens, those of Fabrik's gateway, and keys of providers and forges; and whatever an Authorization header has.</summary>
    [GeneratedRegex(@"eyJ[A-Za-z0-9_-]{5,}(\.[A-Za-z0-9_-]*){1,2}|fbk-[A-Za-z0-9._~+/=-]{6,}|(sk|pk|rk|ghp|gho|ghs|github_pat|glpat|xox[abps]|AKIA|AIza|hf)[-_]?[A-Za-z0-9_-]{10,}|(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Tokens();

    [GeneratedRegex(@"(?<before>://[^/\s:@""]*:)[^@/\s""]+@", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Passwords();

    /// <summary>password=..., "apiKey": "...", --token ...</summary>
    [GeneratedRegex(@"(?<before>(api[_-]?key|passw(or)?d|secret|token|credential|authorization)s?(""?'?\s*[=:]\s*""?'?|\s+(?=\S{16})))[^\s""',{}\[\]]+", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 2000)]
    private static partial Regex Named();
}
