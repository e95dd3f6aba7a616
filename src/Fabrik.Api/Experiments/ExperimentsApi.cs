using System.Globalization;
using Fabrik.Analysis;
using Fabrik.Api.Callers;
using Fabrik.Api.Runs;
using Fabrik.Experiments;
using Fabrik.Reports;
using Fabrik.Storage;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Fabrik.Api.Experiments;

/// <summary>Experiments as the runs tell of them. Callers need the same permissions as for runs; a namespace narrows both.</summary>
internal static class ExperimentsApi
{
    private const int MaximumLimit = 100;
    private const int DefaultLimit = 50;
    private const double Confidence = 0.95;

    private sealed record Query(string? Namespace, int Limit, string? After);

    private static readonly (string Name, string Description)[] Known =
    [
        ("namespace", "Only runs of this namespace are counted."),
        ("limit", $"At most so many experiments on the page: 1 to {MaximumLimit}, {DefaultLimit} when not given."),
        ("cursor", "Value of next of the page before."),
    ];

    public static void MapExperiments(this IEndpointRouteBuilder routes)
    {
        var experiments = routes.MapGroup(Names.Paths.Experiments).WithTags("experiments").ProducesProblem(400).ProducesProblem(401).ProducesProblem(403).ProducesProblem(503);
        experiments.MapGet("/", ListAsync).WithName("listExperiments").WithSummary("Changes that were tried and what their runs showed, a page at a time").Produces<ExperimentList>();
        experiments.MapGet("/{change}", GetAsync).WithName("getExperiment").WithSummary("One experiment by the name of its change").Produces<ExperimentReport>().ProducesProblem(404);
    }

    public static Task Describe(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken ct)
    {
        if (operation.OperationId == "listExperiments") operation.Parameters = [.. Known.Select(Parameter)];
        else if (operation.OperationId == "getExperiment") operation.Parameters = [.. operation.Parameters ?? [], Parameter(Known[0])];
        return Task.CompletedTask;
    }

    private static OpenApiParameter Parameter((string Name, string Description) one) => new()
    {
        Name = one.Name,
        In = ParameterLocation.Query,
        Description = one.Description,
        Schema = one.Name == "limit"
            ? new OpenApiSchema { Type = JsonSchemaType.Integer, Minimum = "1", Maximum = MaximumLimit.ToString(CultureInfo.InvariantCulture) }
            : new OpenApiSchema { Type = JsonSchemaType.String },
    };

    private static async Task<IResult> ListAsync(HttpContext http, Reviews reviews, ExperimentReader experiments, AnalysisStore analyses)
    {
        var (caller, stranger) = await reviews.IdentifyAsync(http);
        if (caller is null) return stranger!.ToResult();
        var (query, wrong) = Parse(http.Request.Query, Known.Length);
        if (wrong is not null) return wrong.ToResult();
        if (await reviews.MayAsync(caller, "list", query!.Namespace, http.RequestAborted) is { } refused) return refused.ToResult();
        var names = experiments.Names(query.After, query.Limit + 1);
        var page = names.Take(query.Limit).Select(name => experiments.Get(name, query.Namespace)).OfType<ExperimentCount>().Select(found => Report(found, Seen(analyses, found.Change, query)) with { Points = null }).ToList();
        return TypedResults.Ok(new ExperimentList(page, names.Count > query.Limit ? names[query.Limit - 1] : null));
    }

    private static async Task<IResult> GetAsync(string change, HttpContext http, Reviews reviews, ExperimentReader experiments, AnalysisStore analyses)
    {
        var (caller, stranger) = await reviews.IdentifyAsync(http);
        if (caller is null) return stranger!.ToResult();
        var (query, wrong) = Parse(http.Request.Query, 1);
        if (wrong is not null) return wrong.ToResult();
        if (await reviews.MayAsync(caller, "get", query!.Namespace, http.RequestAborted) is { } refused) return refused.ToResult();
        return RunParameters.Name().IsMatch(change) && experiments.Get(change, query.Namespace) is { } found ? TypedResults.Ok(Report(found, Seen(analyses, change, query))) : Problem.NoSuchExperiment(change).ToResult();
    }

    /// <summary>Evidence is of all namespaces together, so who asks for one gets the counts alone.</summary>
    private static StoredAnalysis? Seen(AnalysisStore analyses, string change, Query query) => query.Namespace is null ? analyses.Newest(change) : null;

    /// <summary>Treatment and control while it was tried; of an applied change its runs are the treatment.</summary>
    private static ExperimentReport Report(ExperimentCount found, StoredAnalysis? analysis)
    {
        ArmReport Arm(string role) => found.Arms.FirstOrDefault(arm => arm.Role == role) is { } arm
            ? new ArmReport(arm.Ended, arm.Succeeded, arm.OomKilled) { Running = arm.Runs - arm.Ended }
            : new ArmReport(0, 0, 0);
        var evidence = analysis?.State.Evidence;
        return new ExperimentReport
        {
            Change = found.Change,
            ExperimentId = analysis?.Experiment,
            Generation = analysis?.Generation ?? 0,
            AnalyzedAt = analysis?.AnalyzedAt,
            Evidence = evidence is null ? null : new EvidenceReport(
                analysis!.Goal == Goal.Win ? evidence.Win.Maximum : evidence.NonInferiorGoal.Maximum, evidence.NonInferior.Maximum, evidence.Harm.Maximum, analysis.Threshold),
            Verdict = analysis is null ? null : WireNames.Of(analysis.Verdict.Decision),
            Reasons = analysis?.Verdict.Reasons ?? [],
            Points = analysis?.State.Points,
            Trips = analysis?.Verdict.Trips is { Count: > 0 } trips ? [.. trips.Select(trip => new TripReport(WireNames.Of(trip.Trigger), trip.Text, trip.Figures))] : null,
            Alerts = analysis?.Verdict.Alerts is { Count: > 0 } alerts ? [.. alerts.Select(alert => new AlertReport(WireNames.Of(alert.Kind), alert.Text))] : null,
            Watch = analysis?.State is { AppliedAt: not null, Watch: var watch } ? new WatchReport(watch.Runs, watch.Failed, watch.Allowed, watch.Maximum, BaselineWatch.Limit) : null,
            Duration = Ratio(analysis?.State.Duration),
            Cost = Ratio(analysis?.State.Cost),
            CallCost = analysis?.State is { Currency: { } currency, Completions: var counts } ? new CallCostReport(currency, Mean(counts.Treated), Mean(counts.Control)) : null,
            FirstRunAt = found.FirstRunAt,
            LastRunAt = found.LastRunAt,
            Treatment = Arm("treatment"),
            Control = Arm("control"),
            Applied = found.Arms.Any(arm => arm.Role == "applied") ? Arm("applied") : null,
        };
    }

    private static double? Mean(ArmCompletions arm) => arm.Paid > 0 ? arm.Cost / arm.Paid : null;

    private static RatioReport? Ratio(RatioSequence? ratio) => ratio is { IsKnown: true } && ratio.Interval(Confidence) is var (low, high) ? new RatioReport(ratio.Ratio, low, high) : null;

    private static (Query? Query, Problem? Wrong) Parse(IQueryCollection parameters, int known)
    {
        var query = new Query(null, DefaultLimit, null);
        foreach (var (name, values) in parameters)
        {
            if (!Known.Take(known).Any(one => one.Name == name))
                return (null, Problem.BadParameter(name.Length <= 64 ? name : name[..64], "it is not known, and a filter that is not applied would answer another question", $"use {string.Join(", ", Known.Take(known).Select(one => one.Name))}"));
            if (values is not [{ Length: > 0 and <= 256 } value]) return (null, Problem.BadParameter(name, "it must be given once, and not empty", "give one value"));
            Query? applied = name switch
            {
                "namespace" => RunParameters.Label().IsMatch(value) ? query with { Namespace = value } : null,
                "limit" => int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is > 0 and <= MaximumLimit ? query with { Limit = limit } : null,
                _ => RunParameters.Name().IsMatch(value) ? query with { After = value } : null,
            };
            if (applied is null)
                return (null, Problem.BadParameter(name, $"\"{value}\" is not usable", name switch { "namespace" => "give a namespace's name", "limit" => $"give a number from 1 to {MaximumLimit}", _ => "give the value of next of an earlier answer" }));
            query = applied;
        }

        return (query, null);
    }
}
