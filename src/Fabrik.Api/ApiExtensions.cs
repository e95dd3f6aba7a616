using System.Text.Json.Serialization;
using Fabrik.Api.Audit;
using Fabrik.Api.Callers;
using Fabrik.Api.Decisions;
using Fabrik.Api.Experiments;
using Fabrik.Api.Hosting;
using Fabrik.Api.Runs;
using Fabrik.Api.Usage;
using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Serving;
using Fabrik.Storage;

namespace Fabrik.Api;

/// <summary>The API as a pair, so that it can run alone or beside others.</summary>
public static class ApiExtensions
{
    public static IServiceCollection AddFabrikApi(this IServiceCollection services, ApiOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton(options.Clock);
        services.AddSingleton(_ => new KubernetesClient(options.Cluster, options.Clock));
        services.AddSingleton(_ => Database.Open(options.DataDirectory, options.Clock, Names.Components.Api));
        services.AddSingleton<RunReader>();
        services.AddSingleton<ExperimentReader>();
        services.AddSingleton<AnalysisStore>();
        services.AddSingleton<TransitionStore>();
        services.AddSingleton<ModelCallStore>();
        services.AddSingleton<RunEndReader>();
        services.AddSingleton<AuditStore>();
        services.AddSingleton<BudgetPolicy>();
        services.AddSingleton<BudgetStore>();
        services.AddSingleton<LeaseOffice>();
        services.AddSingleton<ApiMetrics>();
        services.AddSingleton<Reviews>();
        services.AddFabrikEndpoint(options);
        services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.TypeInfoResolverChain.Insert(0, ApiJson.Default);
            json.SerializerOptions.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
        });
        services.AddOpenApi("v1", openApi => openApi.AddOperationTransformer(RunParameters.Describe).AddOperationTransformer(ExperimentsApi.Describe).AddOperationTransformer(DecisionsApi.Describe).AddOperationTransformer(UsageParameters.Describe).AddOperationTransformer(BudgetsApi.Describe).AddOperationTransformer(AuditApi.Describe).AddDocumentTransformer(ApiDocument.Describe));
        return services;
    }

    /// <exception cref="CertificateException">The certificate cannot be used.</exception>
    /// <exception cref="StorageException">The database cannot be used.</exception>
    public static WebApplication MapFabrikApi(this WebApplication app)
    {
        // What is wrong with them must be found at start.
        app.Services.GetService<ServingCertificate>();
        app.Services.GetRequiredService<Database>();
        app.UseFabrikHeaders();
        app.UseProblems();
        app.MapOpenApi("/openapi/{documentName}.json");
        app.MapHealth();
        app.MapRuns();
        app.MapExperiments();
        app.MapDecisions();
        app.MapUsage();
        app.MapLeases();
        app.MapBudgets();
        app.MapRunEnds();
        app.MapDatabase();
        app.MapAudit();
        return app;
    }
}
