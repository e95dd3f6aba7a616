using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fabrik.Experiments;
using Fabrik.Runs;
using Fabrik.Storage;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Fabrik.Api.Runs;

/// <summary>The query parameters of the list of runs: one table for reading them and for the OpenAPI document.</summary>
internal static partial class RunParameters
{
    /// <param name="Values">All there are; null where any text of the right form will do.</param>
    /// <param name="Apply">Null where the value is not usable.</param>
    private sealed record Parameter(string Name, string Description, string Form, Func<RunQuery, string, RunQuery?> Apply, string[]? Values = null, bool Integer = false);

    private static readonly Parameter[] All =
    [
        new("namespace", "Only runs of this namespace.", "a namespace's name", (query, value) => Label().IsMatch(value) ? query with { Namespace = value } : null),
        new("change", "Only runs that count for this OptimizationChange: in its treatment, as a control of its experiment, whatever other experiments share it, or with it applied.", "the name of an OptimizationChange", (query, value) => Name().IsMatch(value) ? query with { Change = value } : null),
        new("arm", "Only runs of this arm.", "an arm", (query, value) => WireNames.TryParse<Arm>(value, out var arm) ? query with { Arm = arm } : null, [.. WireNames.All<Arm>()]),
        new("outcome", "Only runs with this outcome.", "an outcome", (query, value) => WireNames.TryParse<Outcome>(value, out var outcome) ? query with { Outcome = outcome } : null, [.. WireNames.All<Outcome>()]),
        new("project", "Only runs of this project.", "a label value", (query, value) => LabelValue().IsMatch(value) ? query with { Project = value } : null),
        new("specType", $"Only runs whose label {Names.Labels.SpecType} has this value.", "a label value", (query, value) => LabelValue().IsMatch(value) ? query with { SpecType = value } : null),
        new("name", "Only runs whose Job's name begins so.", "the beginning of a Job's name", (query, value) => Prefix().IsMatch(value) ? query with { NamePrefix = value } : null),
        new("since", "Only runs created at this time or later.", "a time such as 2026-11-20T12:00:00Z", (query, value) => Time(value) is { } time ? query with { Since = time } : null),
        new("until", "Only runs created before this time.", "a time such as 2026-11-20T12:00:00Z", (query, value) => Time(value) is { } time ? query with { Until = time } : null),
        new("sort", "What to sort by. Runs that have not finished count as the smallest when sorted by finished or duration.", "an order", (query, value) => value switch
        {
            "created" => query with { Sort = RunSort.Created },
            "finished" => query with { Sort = RunSort.Finished },
            "duration" => query with { Sort = RunSort.Duration },
            _ => null,
        }, ["created", "finished", "duration"]),
        new("order", "Direction: desc (the default) begins with the latest or longest.", "a direction", (query, value) => value switch
        {
            "asc" => query with { Ascending = true },
            "desc" => query with { Ascending = false },
            _ => null,
        }, ["asc", "desc"]),
        new("limit", $"At most so many runs on the page: 1 to {RunQuery.MaximumLimit}, {RunQuery.DefaultLimit} when not given.", $"a number from 1 to {RunQuery.MaximumLimit}", (query, value) =>
            int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is > 0 and <= RunQuery.MaximumLimit ? query with { Limit = limit } : null, Integer: true),
        new("cursor", "Value of next of the page before; the other parameters must be the same as there.", "the value of next of an earlier answer", (query, value) =>
            RunCursor.TryParse(value, out var cursor) ? query with { After = cursor } : null),
    ];

    private static readonly Dictionary<string, Parameter> ByName = All.ToDictionary(parameter => parameter.Name, StringComparer.Ordinal);

    public static (RunQuery? Query, Problem? Wrong) Parse(IQueryCollection parameters)
    {
        var query = new RunQuery();
        foreach (var (name, values) in parameters)
        {
            if (!ByName.TryGetValue(name, out var parameter)) return (null, Unknown(name));
            if (values is not [{ Length: > 0 and <= 256 } value]) return (null, Problem.BadParameter(name, "it must be given once, and not empty", $"give {parameter.Form}"));
            if (parameter.Apply(query, value) is not { } applied)
                return (null, Problem.BadParameter(name, $"\"{value}\" is not {parameter.Form}", parameter.Values is { } known ? $"use one of {string.Join(", ", known)}" : $"give {parameter.Form}"));
            query = applied;
        }

        return query.After is { } cursor && (cursor.Sort != query.Sort || cursor.Ascending != query.Ascending)
            ? (null, Problem.BadParameter("cursor", "it belongs to another order", "leave it out to begin again"))
            : (query, null);
    }

    public static Problem? RefuseAny(IQueryCollection parameters) => parameters.Count == 0 ? null : Problem.BadParameter(Shown(parameters.Keys.First()), "this path takes no parameters", "leave it out");

    public static Task Describe(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken ct)
    {
        if (operation.OperationId == "listRuns")
        {
            operation.Parameters = [.. All.Select(parameter => new OpenApiParameter
            {
                Name = parameter.Name,
                In = ParameterLocation.Query,
                Description = parameter.Description,
                Schema = new OpenApiSchema
                {
                    Type = parameter.Integer ? JsonSchemaType.Integer : JsonSchemaType.String,
                    Format = parameter.Name is "since" or "until" ? "date-time" : null,
                    Minimum = parameter.Integer ? "1" : null,
                    Maximum = parameter.Integer ? RunQuery.MaximumLimit.ToString(CultureInfo.InvariantCulture) : null,
                    Enum = parameter.Values is { } values ? [.. values.Select(value => (JsonNode)JsonValue.Create(value)!)] : null,
                },
            })];
        }

        return Task.CompletedTask;
    }

    private static Problem Unknown(string name) =>
        Problem.BadParameter(Shown(name), "it is not known, and a filter that is not applied would answer another question", $"use {string.Join(", ", All.Select(parameter => parameter.Name))}");

    private static string Shown(string name) => name.Length <= 64 ? name : name[..64];

    internal static DateTimeOffset? Time(string value) =>
        DateTimeOffset.TryParseExact(value, ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            && time >= DateTimeOffset.UnixEpoch ? time : null;

    [GeneratedRegex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    internal static partial Regex Label();

    [GeneratedRegex("^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    internal static partial Regex Name();

    [GeneratedRegex("^[a-z0-9][-.a-z0-9]{0,252}$", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Prefix();

    [GeneratedRegex("^[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex LabelValue();
}
