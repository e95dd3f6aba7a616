namespace Fabrik.Gateway.Wire;

/// <summary>What a path and method of the gateway ask for, or why that is refused.</summary>
/// <param name="Format">Null where the path is of no provider's API.</param>
/// <param name="Operation">Null where it is refused.</param>
/// <param name="ProviderPath">Behind the provider's base URL, as <c>chat/completions</c>; of what is refused too, where it may be served to a project that owns its key.</param>
/// <param name="Refused">A sentence for people; null where it is served.</param>
public readonly record struct Endpoint(WireFormat? Format, Operation? Operation, string ProviderPath, string? Refused)
{
    public const string OpenAi = "/openai/v1/";
    public const string Anthropic = "/anthropic/v1/";

    private const int LongestModel = 128;
    private const int LongestPath = 512;

    /// <summary>Behind the providers' base URLs: the calls of models.</summary>
    public static IReadOnlyList<string> Metered { get; } = ["chat/completions", "responses", "embeddings", "messages"];

    /// <param name="method">In capitals.</param>
    /// <param name="path">Decoded, without the query.</param>
    public static Endpoint Of(string method, string path)
    {
        var format = path.StartsWith(OpenAi, StringComparison.Ordinal) ? WireFormat.OpenAi : path.StartsWith(Anthropic, StringComparison.Ordinal) ? WireFormat.Anthropic : (WireFormat?)null;
        if (format is null) return new Endpoint(null, null, "", "There is nothing here. Paths begin with /openai/v1/ or /anthropic/v1/.");
        var rest = path[(format == WireFormat.OpenAi ? OpenAi.Length : Anthropic.Length)..];
        Operation? operation = (format, method, rest) switch
        {
            (WireFormat.OpenAi, "POST", "chat/completions") => Gateway.Operation.Chat,
            (WireFormat.OpenAi, "POST", "responses") => Gateway.Operation.Responses,
            (WireFormat.OpenAi, "POST", "embeddings") => Gateway.Operation.Embeddings,
            (WireFormat.Anthropic, "POST", "messages") => Gateway.Operation.Messages,
            (WireFormat.Anthropic, "POST", "messages/count_tokens") => Gateway.Operation.CountTokens,
            (_, "GET", "models") => Gateway.Operation.Models,
            (_, "GET", _) when IsModel(rest) => Gateway.Operation.Models,
            _ => null,
        };
        return operation is null
            ? new Endpoint(format, null, method is ("GET" or "POST" or "PUT" or "PATCH" or "DELETE") && IsPlain(rest) ? rest : "", $"{method} {Shown(path)} is not served: the provider's key is shared, and files, batches or stored responses of one project must not reach another. Where a provider is one project's alone, the gateway's configuration may name the path for it.")
            : new Endpoint(format, operation, rest, null);
    }

    /// <summary>Whether it is metered as a call of a model; lists and counts are free.</summary>
    public bool IsMetered => Operation is Gateway.Operation.Chat or Gateway.Operation.Responses or Gateway.Operation.Embeddings or Gateway.Operation.Messages;

    /// <summary>Whether it is segments of a path that mean the same to everybody: no dots that lead elsewhere, nothing that could be decoded again.</summary>
    public static bool IsPlain(string path)
    {
        if (path.Length is 0 or > LongestPath) return false;
        foreach (var range in path.AsSpan().Split('/'))
        {
            var segment = path.AsSpan(range);
            if (segment.Length == 0 || segment.TrimStart('.').Length == 0) return false;
            foreach (var one in segment)
                if (!char.IsAsciiLetterOrDigit(one) && one is not ('-' or '.' or '_' or ':' or '~')) return false;
        }

        return true;
    }

    private static bool IsModel(string rest)
    {
        const string prefix = "models/";
        if (!rest.StartsWith(prefix, StringComparison.Ordinal) || rest.Length > prefix.Length + LongestModel) return false;
        var name = rest.AsSpan(prefix.Length);
        if (name.Length == 0 || name[0] == '.') return false;
        foreach (var one in name)
            if (!char.IsAsciiLetterOrDigit(one) && one is not ('-' or '.' or '_' or ':')) return false;
        return true;
    }

    private static string Shown(string path) => path.Length <= 100 ? path : path[..100];
}
