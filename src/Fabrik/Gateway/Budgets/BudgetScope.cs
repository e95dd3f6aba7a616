using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fabrik.Gateway.Budgets;

/// <summary>Whose calls a budget bounds.</summary>
public enum BudgetSubject
{
    Cluster,
    Namespace,
    Project,
    Key,

    /// <summary>An experiment, or one arm of it.</summary>
    Change,
    Run,
}

/// <summary>
/// The scope of a budget: <c>cluster</c>; <c>namespace/ci</c>, <c>project/search</c>, <c>key/ID</c>, <c>change/NAME</c> or <c>change/NAME/ARM</c> for one;
/// the word alone, as <c>run</c> or <c>project</c>, for each one by itself.
/// </summary>
/// <param name="Name">Null: each has the budget for itself.</param>
public sealed record BudgetScope(BudgetSubject Subject, string? Name)
{
    /// <summary>Each one has the budget for itself.</summary>
    [JsonIgnore]
    public bool IsOfEach => Subject != BudgetSubject.Cluster && Name is null;

    /// <returns>Null where it is none.</returns>
    public static BudgetScope? Parse(string? text)
    {
        if (text is null or "" or "cluster") return new BudgetScope(BudgetSubject.Cluster, null);
        var slash = text.IndexOf('/');
        var (word, name) = slash < 0 ? (text, null) : (text[..slash], text[(slash + 1)..]);
        if (name is "" || !Enum.TryParse<BudgetSubject>(word, ignoreCase: true, out var subject) || WireNames.Of(subject) != word || subject == BudgetSubject.Cluster) return null;
        return new BudgetScope(subject, name);
    }

    /// <summary>Whom a caller's calls are charged to under this scope; null where it is not meant.</summary>
    public string? Of(BudgetCaller caller)
    {
        if (Subject == BudgetSubject.Cluster) return "";
        var own = Subject switch
        {
            BudgetSubject.Namespace => caller.Namespace,
            BudgetSubject.Project => caller.Project,
            BudgetSubject.Key => caller.KeyId,
            BudgetSubject.Change => caller.Change,
            _ => caller.RunId,
        };
        if (own is null) return null;
        if (Name is null || Name == own) return own;
        return Subject == BudgetSubject.Change && caller.Arm is not null && Name == $"{own}/{caller.Arm}" ? Name : null;
    }
}

/// <summary>Who calls, as budgets see it.</summary>
public sealed record BudgetCaller(string? Namespace, string? Project, string? KeyId, string? Change, string? Arm, string? RunId)
{
    public static BudgetCaller Of(UsageEvent row) => new(row.Namespace, row.Project, row.KeyId, row.Change, row.Arm, row.RunId);

    /// <summary>The same out of an event's JSON, and what it took: these stand first in it, and no more of it is read.</summary>
    /// <exception cref="JsonException">It is no event.</exception>
    public static BudgetCaller Read(ReadOnlySpan<byte> json, out Charge charge)
    {
        string? @namespace = null, project = null, key = null, change = null, arm = null, run = null;
        (long? micros, long? tokens) = (null, null);
        var reader = new Utf8JsonReader(json);
        reader.Read();
        while ((micros is null || tokens is null) && reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("costMicros"u8))
            {
                reader.Read();
                micros = reader.GetInt64();
            }
            else if (reader.ValueTextEquals("tokens"u8))
            {
                reader.Read();
                tokens = JsonSerializer.Deserialize(ref reader, GatewayJson.Default.TokenCounts).All;
            }
            else if (reader.ValueTextEquals("runId"u8)) run = Text(ref reader);
            else if (reader.ValueTextEquals("keyId"u8)) key = Text(ref reader);
            else if (reader.ValueTextEquals("namespace"u8)) @namespace = Text(ref reader);
            else if (reader.ValueTextEquals("project"u8)) project = Text(ref reader);
            else if (reader.ValueTextEquals("arm"u8)) arm = Text(ref reader);
            else if (reader.ValueTextEquals("change"u8)) change = Text(ref reader);
            else reader.Skip();
        }

        charge = new Charge(micros ?? 0, tokens ?? 0);
        return new BudgetCaller(@namespace, project, key, change, arm, run);

        static string? Text(ref Utf8JsonReader reader)
        {
            reader.Read();
            return reader.GetString();
        }
    }
}
