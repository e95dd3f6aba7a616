using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Configuration;

namespace Fabrik.Cli.Checks;

/// <summary>Asks the cluster, and takes down why where it does not tell.</summary>
internal sealed class FactReader(KubernetesClient client)
{
    /// <summary>Objects of one kind that are looked at: a check is no inventory.</summary>
    private const int MostObjects = 5000;

    public KubernetesClient Client => client;

    public Task<Reading<JsonElement>> GetAsync(ResourceKind kind, string? ns, string name, CancellationToken ct) => TryAsync(async () => (await client.GetAsync(kind, ns, name, ct)).Json);

    public Task<Reading<IReadOnlyList<JsonElement>>> ListAsync(ResourceKind kind, string? ns, CancellationToken ct, string? labels = null) => TryAsync(async () =>
    {
        var found = new List<JsonElement>();
        await foreach (var item in client.ListAsync(kind, ns, ct, new ListOptions { LabelSelector = labels }))
        {
            found.Add(item.Json);
            if (found.Count == MostObjects) break;
        }

        return (IReadOnlyList<JsonElement>)found;
    });

    public Task<Reading<JsonElement>> RawAsync(string path, CancellationToken ct) => TryAsync(() => client.GetRawAsync(path, ct));

    public Task<Reading<string>> TextAsync(string path, CancellationToken ct) => TryAsync(() => client.GetTextAsync(path, ct));

    /// <summary>What the object would have become.</summary>
    public Task<Reading<JsonElement>> DryRunAsync(ResourceKind kind, string? ns, JsonNode body, CancellationToken ct) =>
        TryAsync(async () => (await client.CreateAsync(kind, ns, body, ct, new WriteOptions { DryRun = true })).Json);

    public static async Task<Reading<T>> TryAsync<T>(Func<Task<T>> read) where T : notnull
    {
        try
        {
            return Reading.Of(await read());
        }
        catch (Exception e) when (e is KubernetesException or KubeconfigException or CommandException or HttpRequestException or JsonException or TimeoutException or FormatException or CryptographicException)
        {
            return Reading.Not<T>(State(e), Why(e));
        }
    }

    private static ReadState State(Exception e) => e switch
    {
        KubernetesException { IsNotFound: true } or CommandException { Code: ExitCode.NotFound } => ReadState.Missing,
        KubernetesException { IsForbidden: true } or KubernetesException { IsUnauthorized: true } or CommandException { Code: ExitCode.Forbidden } => ReadState.Forbidden,
        _ => ReadState.Broken,
    };

    private static string Why(Exception e) => Failures.Explain(e) is { } known ? known.Why.Length > 0 ? known.Why : known.Message : e.Message;
}
