using System.Globalization;
using Fabrik.Api.Callers;
using Fabrik.Api.Runs;
using Fabrik.Audit;
using Fabrik.Storage;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Fabrik.Api.Audit;

/// <summary>The record of what Fabrik and its users did. Callers need the permission to list runs in all namespaces.</summary>
internal static class AuditApi
{
    private sealed record Parameter(string Name, string Description, string Form, Func<AuditQuery, string, AuditQuery?> Apply, OpenApiSchema Schema);

    private static readonly Parameter[] All =
    [
        new("since", "Only what was done at this time or later.", "a time such as 2026-11-20T12:00:00Z", (query, value) => RunParameters.Time(value) is { } time ? query with { Since = time } : null, new() { Type = JsonSchemaType.String, Format = "date-time" }),
        new("actor", "Only what this one did: fabrik, or a person's name as an approval has it.", "a name", (query, value) => query with { Actor = value }, new() { Type = JsonSchemaType.String }),
        new("object", "Only what was done to this object: its name, or its kind, a slash and its name.", "a name such as more-memory, or a kind and a name such as OptimizerPolicy/default", Object, new() { Type = JsonSchemaType.String }),
        new("action", "Only this action.", "an action such as change.approved", (query, value) => query with { Action = value }, new() { Type = JsonSchemaType.String }),
        new("order", "desc (the default) begins with the newest; asc is the order of the chain.", "a direction", (query, value) => value switch { "asc" => query with { Ascending = true }, "desc" => query with { Ascending = false }, _ => null }, new() { Type = JsonSchemaType.String, Enum = ["asc", "desc"] }),
        new("limit", $"At most so many on the page: 1 to {AuditQuery.MaximumLimit}, {AuditQuery.DefaultLimit} when not given.", $"a number from 1 to {AuditQuery.MaximumLimit}", (query, value) =>
            int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is > 0 and <= AuditQuery.MaximumLimit ? query with { Limit = limit } : null, new() { Type = JsonSchemaType.Integer, Minimum = "1", Maximum = AuditQuery.MaximumLimit.ToString(CultureInfo.InvariantCulture) }),
        new("cursor", "Value of next of the page before; the other parameters must be the same as there.", "the value of next of an earlier answer", (query, value) =>
            long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var after) ? query with { After = after } : null, new() { Type = JsonSchemaType.String }),
    ];

    public static void MapAudit(this IEndpointRouteBuilder routes) => routes.MapGet(Names.Paths.Audit, AnswerAsync).WithName("listAudit").WithTags("audit")
        .WithSummary("What Fabrik and its users did, each row with its hash and that of the row before, and between which places all rows stand").Produces<AuditList>().ProducesProblem(400).ProducesProblem(401).ProducesProblem(403).ProducesProblem(503);

    public static Task Describe(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken ct)
    {
        if (operation.OperationId == "listAudit") operation.Parameters = [.. All.Select(one => new OpenApiParameter { Name = one.Name, In = ParameterLocation.Query, Description = one.Description, Schema = one.Schema })];
        return Task.CompletedTask;
    }

    private static async Task<IResult> AnswerAsync(HttpContext http, Reviews reviews, AuditStore audit)
    {
        var (caller, stranger) = await reviews.IdentifyAsync(http);
        if (caller is null) return stranger!.ToResult();
        var query = new AuditQuery();
        foreach (var (name, values) in http.Request.Query)
        {
            if (All.FirstOrDefault(one => one.Name == name) is not { } parameter)
                return Problem.BadParameter(name.Length <= 64 ? name : name[..64], "it is not known, and a filter that is not applied would answer another question", $"use {string.Join(", ", All.Select(one => one.Name))}").ToResult();
            if (values is not [{ Length: > 0 and <= 320 } value]) return Problem.BadParameter(name, "it must be given once, and not empty", $"give {parameter.Form}").ToResult();
            if (parameter.Apply(query, value) is not { } applied) return Problem.BadParameter(name, $"\"{value}\" is not {parameter.Form}", $"give {parameter.Form}").ToResult();
            query = applied;
        }

        return await reviews.MayAsync(caller, "list", null, http.RequestAborted) is { } refused ? refused.ToResult() : Results.Json(audit.List(query), AuditJson.Default.AuditList);
    }

    private static AuditQuery? Object(AuditQuery query, string value) => value.Split('/') switch
    {
        [{ Length: > 0 } name] => query with { Name = name },
        [{ Length: > 0 } kind, { Length: > 0 } name] => query with { Kind = kind, Name = name },
        _ => null,
    };
}
