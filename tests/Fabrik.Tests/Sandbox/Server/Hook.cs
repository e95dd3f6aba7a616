using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Fabrik.Tests.Sandbox.Server;

/// <summary>A webhook that answers what a test tells it and remembers what it was sent.</summary>
public sealed class Hook : IAsyncDisposable
{
    private readonly WebApplication app;

    private Hook(WebApplication app, string caBundle)
    {
        this.app = app;
        CaBundle = caBundle;
        Url = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
    }

    public Uri Url { get; }

    public string CaBundle { get; }

    public List<JsonObject> Received { get; } = [];

    /// <summary>From the request to the response's members beyond uid; allows by default. An answer that is no object is sent as it is.</summary>
    public Func<JsonObject, JsonNode> Answer { get; set; } = _ => new JsonObject { ["allowed"] = true };

    public static async Task<Hook> StartAsync(string host = "localhost")
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=hook", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host);
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var made = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
        var certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), password: null);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate)));
        var web = builder.Build();
        Hook? hook = null;
        web.Run(http => hook!.HandleAsync(http));
        await web.StartAsync(TestContext.Current.CancellationToken);
        hook = new Hook(web, Convert.ToBase64String(Encoding.ASCII.GetBytes(made.ExportCertificatePem())));
        return hook;
    }

    public static JsonObject Patch(params JsonNode[] operations) => new()
    {
        ["allowed"] = true,
        ["patchType"] = "JSONPatch",
        ["patch"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(new JsonArray([.. operations]).ToJsonString())),
    };

    public static JsonObject Add(string path, JsonNode value) => new() { ["op"] = "add", ["path"] = path, ["value"] = value };

    /// <param name="changes">Members of the one webhook entry that differ.</param>
    public JsonObject Configuration(string name, JsonObject? changes = null, string kind = "MutatingWebhookConfiguration")
    {
        var entry = new JsonObject
        {
            ["name"] = name + ".example.com",
            ["clientConfig"] = new JsonObject { ["url"] = Url.ToString() + "mutate", ["caBundle"] = CaBundle },
            ["admissionReviewVersions"] = new JsonArray("v1"),
            ["sideEffects"] = "None",
            ["timeoutSeconds"] = 5,
            ["rules"] = new JsonArray(new JsonObject
            {
                ["apiGroups"] = new JsonArray("batch"),
                ["apiVersions"] = new JsonArray("v1"),
                ["operations"] = new JsonArray("CREATE", "UPDATE"),
                ["resources"] = new JsonArray("jobs"),
            }),
        };
        foreach (var (key, value) in changes ?? []) entry[key] = value?.DeepClone();
        return new() { ["apiVersion"] = "admissionregistration.k8s.io/v1", ["kind"] = kind, ["metadata"] = new JsonObject { ["name"] = name }, ["webhooks"] = new JsonArray(entry) };
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext http)
    {
        var review = (JsonObject)(await JsonNode.ParseAsync(http.Request.Body))!;
        Received.Add(review);
        var answer = Answer(review);
        if (answer is JsonObject response)
        {
            response["uid"] ??= review["request"]!["uid"]!.DeepClone();
            answer = new JsonObject { ["apiVersion"] = "admission.k8s.io/v1", ["kind"] = "AdmissionReview", ["response"] = response };
        }

        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync(answer.ToJsonString());
    }
}
