using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Fabrik.Kubernetes.Serving;
using Fabrik.Webhook.Snapshots;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Fabrik.Webhook.Reviews;

/// <summary>
/// Before a replica says that it is ready it reviews Jobs of its own, over its own port as an API server would: else the first that others create wait for code that is made while they
/// come, for tens of milliseconds on a small node. They are dry runs and in no figure.
/// </summary>
internal sealed partial class WarmUp(IServer server, SnapshotKeeper snapshots, ServingCertificate certificate, WebhookOptions options, ILogger<WarmUp> logger) : BackgroundService
{
    private const string Header = "Fabrik-Warm-Up";
    private const int AtOnce = 4;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>As an API server sends what <c>kubectl create job</c> makes.</summary>
    private const string Review = """
        {
          "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
          "request": {
            "uid": "UID", "kind": { "group": "batch", "version": "v1", "kind": "Job" }, "resource": { "group": "batch", "version": "v1", "resource": "jobs" },
            "name": "warm-up", "namespace": "fabrik-runs", "operation": "CREATE", "userInfo": { "username": "fabrik:warm-up", "groups": ["system:authenticated"] },
            "object": {
              "kind": "Job", "apiVersion": "batch/v1",
              "metadata": { "name": "warm-up", "namespace": "fabrik-runs", "uid": "UID", "creationTimestamp": null, "annotations": { "fabrik.dev/optimize": "true" } },
              "spec": {
                "parallelism": 1, "completions": 1, "backoffLimit": 6, "completionMode": "NonIndexed", "suspend": false, "podReplacementPolicy": "TerminatingOrFailed",
                "template": {
                  "metadata": { "creationTimestamp": null },
                  "spec": {
                    "containers": [
                      {
                        "name": "main", "image": "busybox", "command": ["true"], "terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "Always",
                        "resources": { "limits": { "cpu": "1", "memory": "256Mi" }, "requests": { "cpu": "250m", "memory": "128Mi" } }
                      }
                    ],
                    "restartPolicy": "Never", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", "securityContext": {}, "schedulerName": "default-scheduler"
                  }
                }
              },
              "status": {}
            },
            "oldObject": null, "dryRun": true, "options": { "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "dryRun": ["All"], "fieldManager": "kubectl-create" }
          }
        }
        """;

    /// <summary>Known to this process alone, so that nobody else's reviews are left out of the figures.</summary>
    private readonly string token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
    private volatile bool isDone = options.WarmUp == TimeSpan.Zero;

    public bool IsDone => isDone;

    public bool IsOwn(HttpRequest request) => request.Headers[Header] == token;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (isDone) return;
        Uri? address;
        while ((address = Address()) is null || snapshots.Current is null || certificate.Pem is null) await Task.Delay(Pause, options.Clock, stoppingToken);
        var answered = 0;
        using var over = new CancellationTokenSource(options.WarmUp, options.Clock);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(over.Token, stoppingToken);
        try
        {
            using var client = Client();
            await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => SendAsync(client)));

            async Task SendAsync(HttpClient client)
            {
                while (true)
                {
                    using var answer = await client.PostAsync(address, Sample(), end.Token);
                    if (answer.IsSuccessStatusCode) Interlocked.Increment(ref answered);
                }
            }
        }
        catch (OperationCanceledException)
        {
            Log.Warm(logger, answered);
        }
        catch (HttpRequestException e)
        {
            // Then the first Jobs are slower, and nothing else.
            Log.Cold(logger, answered, e.Message);
        }
        finally
        {
            isDone = true;
        }
    }

    private HttpClient Client()
    {
        var handler = new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, presented, _, _) => presented is not null && IsOwn(presented) },
        };
        var client = new HttpClient(handler) { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        client.DefaultRequestHeaders.Add(Header, token);
        return client;
    }

    private bool IsOwn(X509Certificate presented)
    {
        using var own = X509Certificate2.CreateFromPem(certificate.Pem);
        return own.RawDataMemory.Span.SequenceEqual(presented.GetRawCertData());
    }

    /// <summary>Null until it listens.</summary>
    private Uri? Address() => server.Features.Get<IServerAddressesFeature>()?.Addresses.Select(BindingAddress.Parse).FirstOrDefault(one => one.Scheme == Uri.UriSchemeHttps) is { Port: > 0 } own
        ? new UriBuilder(Uri.UriSchemeHttps, IPAddress.Loopback.ToString(), own.Port, Names.Paths.MutateJobs).Uri
        : null;

    /// <summary>Each with an arm of its own.</summary>
    private static ByteArrayContent Sample()
    {
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(Review.Replace("UID", Guid.NewGuid().ToString(), StringComparison.Ordinal)));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return content;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Warm after {Answered} reviews of its own")]
        public static partial void Warm(ILogger logger, int answered);

        [LoggerMessage(Level = LogLevel.Warning, Message = "The first reviews may be slow: after {Answered} of its own, {Why}")]
        public static partial void Cold(ILogger logger, int answered, string why);
    }
}
