using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Api.Runs;
using Fabrik.Gateway;
using Fabrik.Storage;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Fabrik.Api.Usage;

/// <summary>The query parameters of the totals of usage: one table for reading them and for the OpenAPI document.</summary>
internal static class UsageParameters
{
    /// <summary>Looked at where no time is given: the ledger may be long.</summary>
    private static readonly TimeSpan Span = TimeSpan.FromHours(24);

    private sealed record Parameter(string Name, string Description, string Form, Func<CallQuery, string, CallQuery?> Apply, string[]? Values = null, string? Format = null);

    private static readonly Parameter[] All =
    [
        new("groupBy", "What is added up: each run, project, model as it was asked of the provider, arm, virtual key, or day of UTC. Projects when not given.", "a grouping", (query, value) => WireNames.TryParse<CallGrouping>(value, out var by) ? query with { By = by } : null, [.. WireNames.All<CallGrouping>()]),
        new("since", $"Only attempts made at this time or later; 24 hours before until when not given. More than {UsageEventRules.Oldest.TotalDays:0} days ago it counts from the full hour before.", "a time such as 2026-11-20T12:00:00Z", (query, value) => RunParameters.Time(value) is { } time ? query with { Since = time } : null, Format: "date-time"),
        new("until", "Only attempts made before this time; now when not given. As long ago it counts until the full hour before.", "a time such as 2026-11-20T12:00:00Z", (query, value) => RunParameters.Time(value) is { } time ? query with { Until = time } : null, Format: "date-time"),
        new("project", "Only of this project.", "a project's name", (query, value) => query with { Project = value }),
        new("namespace", "Only of Jobs in this namespace, and so none of virtual keys.", "a namespace's name", (query, value) => RunParameters.Label().IsMatch(value) ? query with { Namespace = value } : null),
        new("arm", "Only of Jobs in this arm.", "an arm", (query, value) => query with { Arm = value }),
        new("change", "Only of Jobs in an arm of this OptimizationChange.", "the name of an OptimizationChange", (query, value) => RunParameters.Name().IsMatch(value) ? query with { Change = value } : null),
        new("key", "Only of this virtual key.", "the id of a virtual key", (query, value) => query with { Key = value }),
        new("model", "Only of this model, as it was asked of the provider.", "a model's name", (query, value) => query with { Model = value }),
        new("limit", $"At most so many groups: 1 to {CallQuery.MaximumLimit}, {CallQuery.DefaultLimit} when not given.", $"a number from 1 to {CallQuery.MaximumLimit}", (query, value) =>
            int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is > 0 and <= CallQuery.MaximumLimit ? query with { Limit = limit } : null, Format: "int32"),
    ];

    public static (CallQuery? Query, Problem? Wrong) Parse(IQueryCollection parameters, DateTimeOffset now)
    {
        var query = new CallQuery();
        foreach (var (name, values) in parameters)
        {
            if (All.FirstOrDefault(one => one.Name == name) is not { } parameter)
                return (null, Problem.BadParameter(name.Length <= 64 ? name : name[..64], "it is not known, and a filter that is not applied would answer another question", $"use {string.Join(", ", All.Select(one => one.Name))}"));
            if (values is not [{ Length: > 0 and <= UsageEventRules.LongestText } value]) return (null, Problem.BadParameter(name, "it must be given once, and not empty", $"give {parameter.Form}"));
            if (parameter.Apply(query, value) is not { } applied)
                return (null, Problem.BadParameter(name, $"\"{value}\" is not {parameter.Form}", parameter.Values is { } known ? $"use one of {string.Join(", ", known)}" : $"give {parameter.Form}"));
            query = applied;
        }

        query = query with { Until = query.Until ?? now };
        query = query with { Since = query.Since ?? (query.Until - DateTimeOffset.UnixEpoch > Span ? query.Until - Span : DateTimeOffset.UnixEpoch) };

        // Single attempts of long ago may have been forgotten; their hours are not.
        if (now - query.Since > UsageEventRules.Oldest) query = query with { Since = query.Since.Value.AddTicks(-(query.Since.Value.UtcTicks % TimeSpan.TicksPerHour)) };
        if (now - query.Until > UsageEventRules.Oldest) query = query with { Until = query.Until.Value.AddTicks(-(query.Until.Value.UtcTicks % TimeSpan.TicksPerHour)) };
        return query.Since <= query.Until ? (query, null) : (null, Problem.BadParameter("since", "it is after until", "give a time before that"));
    }

    public static Task Describe(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken ct)
    {
        if (operation.OperationId == "sumUsage")
        {
            operation.Parameters = [.. All.Select(parameter => new OpenApiParameter
            {
                Name = parameter.Name,
                In = ParameterLocation.Query,
                Description = parameter.Description,
                Schema = new OpenApiSchema
                {
                    Type = parameter.Format == "int32" ? JsonSchemaType.Integer : JsonSchemaType.String,
                    Format = parameter.Format,
                    Enum = parameter.Values is { } values ? [.. values.Select(value => (JsonNode)JsonValue.Create(value)!)] : null,
                },
            })];
        }

        return Task.CompletedTask;
    }
}
