using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Fabrik.Api.Hosting;

/// <summary>What the OpenAPI document says of the API as a whole.</summary>
internal static class ApiDocument
{
    public static Task Describe(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken ct)
    {
        document.Info = new OpenApiInfo
        {
            Title = "Fabrik",
            Version = "v1",
            Description = $"Runs of Jobs, experiments on them and their calls of models; read-only, save that the gateway delivers usage. Callers present a bearer token of the cluster for the audience {Names.Audience} and need the verbs get and list on resource {Names.Resources.Runs} of API group {Names.Group}; to deliver usage, create on {Names.Resources.Usage}.",
        };
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal)
        {
            ["bearer"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", BearerFormat = "ServiceAccount token" },
        };
        document.Servers?.Clear();
        return Task.CompletedTask;
    }
}
