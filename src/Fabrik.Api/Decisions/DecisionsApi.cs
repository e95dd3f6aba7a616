using System.Globalization;
using Fabrik.Api.Callers;
using Fabrik.Api.Runs;
using Fabrik.Reports;
using Fabrik.Storage;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Fabrik.Api.Decisions;

/// <summary>Steps that changes took, newest first.</summary>
/// <param name="Items">With who took them and why.</param>
/// <param name="Next">Value for the parameter cursor that gives the next page; absent at the end.</param>
public sealed record DecisionList(IReadOnlyList<HistoryEntry> Items, string? Next);

/// <summary>Emergency rollbacks, newest first.</summary>
/// <param name="Items">With what set them off, and whether a person has looked at them.</param>
/// <param name="Next">As above.</param>
public sealed record IncidentList(IReadOnlyList<IncidentReport> Items, string? Next);

/// <summary>The record of what was done to changes. Callers need the permission to list runs in all namespaces.</summary>
internal static class DecisionsApi
{
    private const int MaximumLimit = 500;
    private const int DefaultLimit = 100;

    private sealed record Query(DateTimeOffset? Since = null, string? Change = null, bool Open = false, int Limit = DefaultLimit, long? Before = null);

    private sealed record Parameter(string Name, string Description, string Form, Func<Query, string, Query?> Apply, OpenApiSchema Schema);

    private static readonly Parameter Since = new("since", "Only steps taken at this time or later.", "a time such as 2026-11-20T12:00:00Z", (query, value) => RunParameters.Time(value) is { } time ? query with { Since = time } : null, new() { Type = JsonSchemaType.String, Format = "date-time" });
    private static readonly Parameter Change = new("change", "Only steps of changes of this name.", "the name of an OptimizationChange", (query, value) => RunParameters.Name().IsMatch(value) ? query with { Change = value } : null, new() { Type = JsonSchemaType.String });
    private static readonly Parameter Open = new("open", "true: only those that no person has looked at.", "true or false", (query, value) => bool.TryParse(value, out var open) ? query with { Open = open } : null, new() { Type = JsonSchemaType.Boolean });
    private static readonly Parameter Limit = new("limit", $"At most so many on the page: 1 to {MaximumLimit}, {DefaultLimit} when not given.", $"a number from 1 to {MaximumLimit}", (query, value) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is > 0 and <= MaximumLimit ? query with { Limit = limit } : null, new() { Type = JsonSchemaType.Integer, Minimum = "1", Maximum = MaximumLimit.ToString(CultureInfo.InvariantCulture) });
    private static readonly Parameter Cursor = new("cursor", "Value of next of the page before; the other parameters must be the same as there.", "the value of next of an earlier answer", (query, value) =>
        long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var before) ? query with { Before = before } : null, new() { Type = JsonSchemaType.String });

    private static readonly Parameter[] OfDecisions = [Since, Change, Limit, Cursor];
    private static readonly Parameter[] OfIncidents = [Open, Limit, Cursor];

    public static void MapDecisions(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("").WithTags("decisions").ProducesProblem(400).ProducesProblem(401).ProducesProblem(403).ProducesProblem(503);
        group.MapGet(Names.Paths.Decisions, (HttpContext http, Reviews reviews, TransitionStore record) => AnswerAsync(http, reviews, OfDecisions, query =>
        {
            var (items, next) = Page(record.History(query.Since, query.Change, query.Before, query.Limit + 1), query.Limit);
            return TypedResults.Ok(new DecisionList(items, next));
        })).WithName("listDecisions").WithSummary("Steps that changes took, who took them and why, newest first").Produces<DecisionList>();
        group.MapGet(Names.Paths.Incidents, (HttpContext http, Reviews reviews, TransitionStore record) => AnswerAsync(http, reviews, OfIncidents, query =>
        {
            var (items, next) = Page(record.Incidents(query.Open, query.Before, query.Limit + 1), query.Limit);
            return TypedResults.Ok(new IncidentList(items, next));
        })).WithName("listIncidents").WithSummary("Emergency rollbacks, newest first").Produces<IncidentList>();
    }

    public static Task Describe(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken ct)
    {
        var known = operation.OperationId switch { "listDecisions" => OfDecisions, "listIncidents" => OfIncidents, _ => null };
        if (known is not null) operation.Parameters = [.. known.Select(one => new OpenApiParameter { Name = one.Name, In = ParameterLocation.Query, Description = one.Description, Schema = one.Schema })];
        return Task.CompletedTask;
    }

    private static async Task<IResult> AnswerAsync(HttpContext http, Reviews reviews, Parameter[] known, Func<Query, IResult> answer)
    {
        var (caller, stranger) = await reviews.IdentifyAsync(http);
        if (caller is null) return stranger!.ToResult();
        var (query, wrong) = Parse(http.Request.Query, known);
        if (wrong is not null) return wrong.ToResult();
        return await reviews.MayAsync(caller, "list", null, http.RequestAborted) is { } refused ? refused.ToResult() : answer(query!);
    }

    /// <summary>One more than the page was asked for, to know whether there is another.</summary>
    private static (IReadOnlyList<T> Items, string? Next) Page<T>(IReadOnlyList<Recorded<T>> found, int limit) =>
        ([.. found.Take(limit).Select(one => one.Value)], found.Count > limit ? found[limit - 1].Seq.ToString(CultureInfo.InvariantCulture) : null);

    private static (Query? Query, Problem? Wrong) Parse(IQueryCollection parameters, Parameter[] known)
    {
        var query = new Query();
        foreach (var (name, values) in parameters)
        {
            if (known.FirstOrDefault(one => one.Name == name) is not { } parameter)
                return (null, Problem.BadParameter(name.Length <= 64 ? name : name[..64], "it is not known, and a filter that is not applied would answer another question", $"use {string.Join(", ", known.Select(one => one.Name))}"));
            if (values is not [{ Length: > 0 and <= 256 } value]) return (null, Problem.BadParameter(name, "it must be given once, and not empty", $"give {parameter.Form}"));
            if (parameter.Apply(query, value) is not { } applied) return (null, Problem.BadParameter(name, $"\"{value}\" is not {parameter.Form}", $"give {parameter.Form}"));
            query = applied;
        }

        return (query, null);
    }
}
