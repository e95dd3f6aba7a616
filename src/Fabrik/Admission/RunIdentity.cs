using System.Text;
using System.Text.Json;
using Fabrik.Experiments;
using Fabrik.Gateway;

namespace Fabrik.Admission;

/// <summary>
/// A Job's identity at the LLM gateway: the run token, put into each container as the API key of a provider beside the address that takes it.
/// A pair is added together, where the container has neither: a token that went to a provider would be a leak, a key that came to the gateway another.
/// </summary>
internal static class RunIdentity
{
    /// <summary>As raw JSON begins.</summary>
    private static readonly byte[] AnyToken = Encoding.ASCII.GetBytes('"' + RunToken.AnyVersion);

    /// <summary>What the signed record says of a token: records are shown to people and stored, tokens are not.</summary>
    private static readonly byte[] Redacted = Encoding.ASCII.GetBytes('"' + RunToken.Prefix + '"');

    /// <summary>Of a token for the names of models; with the longest labels beside them it is as long as a token may be.</summary>
    private const int MostModelBytes = 640;

    private static readonly byte[] DryRun = Encoding.ASCII.GetBytes('"' + RunToken.DryRun + '"');

    private static readonly byte[] OpenAiKey = Encoding.ASCII.GetBytes(Names.ClientVariables.OpenAiKey);
    private static readonly byte[] OpenAiUrl = Encoding.ASCII.GetBytes(Names.ClientVariables.OpenAiUrl);
    private static readonly byte[] AnthropicKey = Encoding.ASCII.GetBytes(Names.ClientVariables.AnthropicKey);
    private static readonly byte[] AnthropicUrl = Encoding.ASCII.GetBytes(Names.ClientVariables.AnthropicUrl);
    private static readonly byte[] AnthropicToken = Encoding.ASCII.GetBytes(Names.ClientVariables.AnthropicToken);

    /// <summary>The Job's own word counts before its namespace's.</summary>
    public static bool IsWanted(JobDraft job, NamespaceFacts facts, AdmissionSnapshot snapshot)
    {
        if (snapshot.Gateway is null) return false;
        var own = job.AnnotationsElement.Member(Utf8Names.GatewayAnnotation);
        return own.Is("true"u8) || (facts.IsInGateway && !own.Is("false"u8));
    }

    /// <summary>
    /// Tokens that came with the Job, and the addresses beside them: they are another run's. A try's literal is one only beside an address that this webhook gives.
    /// </summary>
    /// <returns>Whether there were any.</returns>
    public static bool Remove(JobDraft job, AdmissionSnapshot snapshot)
    {
        var found = false;
        foreach (var container in job.Containers)
        {
            if (container.EnvironmentElement.ValueKind != JsonValueKind.Array) continue;
            found |= Remove(job, container, OpenAiKey, OpenAiUrl, snapshot.Gateway?.OpenAi) | Remove(job, container, AnthropicKey, AnthropicUrl, snapshot.Gateway?.Anthropic);
        }

        return found;
    }

    /// <summary>Whether any container takes a token.</summary>
    public static bool IsTaken(JobDraft job)
    {
        foreach (var container in job.Containers)
            if (TakesOpenAi(container) || TakesAnthropic(container)) return true;
        return false;
    }

    /// <param name="draw">Complete: arm and change stand in the token.</param>
    /// <param name="now">UTC.</param>
    /// <returns>Whether any container took the token.</returns>
    public static bool Put(JobDraft job, Draw draw, NamespaceFacts facts, GatewayAddress gateway, bool isDryRun, DateTimeOffset now)
    {
        if (!IsTaken(job)) return false;
        var claims = Claims(job, draw, facts, now);
        ReadOnlyMemory<byte> token = isDryRun ? DryRun : Json.Quoted(Encoding.ASCII.GetBytes(RunToken.Mint(claims, gateway.Keys)));
        foreach (var container in job.Containers)
        {
            if (TakesOpenAi(container)) Put(container, OpenAiKey, OpenAiUrl, gateway.OpenAi);
            if (TakesAnthropic(container)) Put(container, AnthropicKey, AnthropicUrl, gateway.Anthropic);
        }

        return true;

        void Put(ContainerDraft container, byte[] key, byte[] url, byte[] address)
        {
            job.Set(container.LastVariable(key), token);
            job.Set(container.LastVariable(url), address);
        }
    }

    /// <summary>The value as the signed record has it.</summary>
    public static ReadOnlyMemory<byte> Recorded(JobValue value) => IsToken(value, value.Current) ? Redacted : value.Current;

    /// <summary>Whether the Job's value is the token that the record speaks of; which run's it is does not matter.</summary>
    public static bool IsRecorded(JobValue value, JsonElement recorded) => IsToken(value, value.Received) && Json.Raw(recorded).SequenceEqual(Redacted);

    private static bool IsToken(JobValue value, ReadOnlyMemory<byte> raw) => value.Field == JobField.Environment && raw.Span.StartsWith(AnyToken);

    private static bool Remove(JobDraft job, ContainerDraft container, byte[] key, byte[] url, byte[]? address)
    {
        var token = container.Variable(key);
        if (token.Current.Length == 0) return false;
        var beside = container.Variable(url);
        if (!IsToken(token, token.Current) && !(token.Current.Span.SequenceEqual(DryRun) && address is not null && beside.Current.Span.SequenceEqual(address))) return false;
        job.Set(token, default);
        if (beside.Current.Length > 0 && beside.Current.Span[0] == '"') job.Set(beside, default);
        return true;
    }

    private static bool TakesOpenAi(ContainerDraft container) =>
        !container.HasEnvironmentFrom && container.Variable(OpenAiKey).Current.Length == 0 && container.Variable(OpenAiUrl).Current.Length == 0;

    private static bool TakesAnthropic(ContainerDraft container) =>
        !container.HasEnvironmentFrom && container.Variable(AnthropicKey).Current.Length == 0 && container.Variable(AnthropicUrl).Current.Length == 0 && container.Variable(AnthropicToken).Current.Length == 0;

    private static RunClaims Claims(JobDraft job, Draw draw, NamespaceFacts facts, DateTimeOffset now) => new(
        draw.RunId,
        facts.Name,
        Project(job, draw, facts),
        draw.Arm is Arm.None or Arm.Unassigned ? null : Encoding.ASCII.GetString(Arms.Utf8(draw.Arm)),
        draw.Change?.Name,
        job.LabelsElement.Member(Utf8Names.SpecType).Label(),
        job.LabelsElement.Member(Utf8Names.Complexity).Label(),
        now + RunToken.Lifetime)
    { Models = Models(draw) };

    /// <summary>What an experiment gives counts before what is rolled out, and the later before the earlier, as with every other change.</summary>
    private static IReadOnlyList<ModelRewrite> Models(Draw draw)
    {
        IEnumerable<CompiledChange> given = draw.Applied.AsEnumerable().Reverse();
        if (draw is { Arm: Arm.Treatment, Change: { } treatment }) given = given.Prepend(treatment);
        var (models, left) = (new List<ModelRewrite>(), MostModelBytes);
        foreach (var change in given)
        {
            if (change.Rewrite is not { } rewrite || models.Exists(one => one.From == rewrite.From)) continue;
            left -= 6 + JsonEncodedText.Encode(rewrite.From).EncodedUtf8Bytes.Length + JsonEncodedText.Encode(rewrite.To).EncodedUtf8Bytes.Length;
            if (left < 0) draw.Skipped ??= AdmissionReasons.TooLarge;
            else models.Add(rewrite);
        }

        return models;
    }

    /// <summary>A Job may choose among those that its namespace lists; any other counts as not said.</summary>
    private static string? Project(JobDraft job, Draw draw, NamespaceFacts facts)
    {
        var own = job.LabelsElement.Member(Utf8Names.Project);
        if (own.ValueKind == JsonValueKind.Undefined || own.Is(""u8)) return facts.Project;
        if (own.Label() is { } chosen && (chosen == facts.Project || facts.Projects.Contains(chosen))) return chosen;
        draw.Skipped ??= AdmissionReasons.ProjectNotListed;
        return facts.Project;
    }
}
