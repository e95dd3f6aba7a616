using System.Text.Json;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Reports;

namespace Fabrik.Cli.Connections;

/// <summary>
/// What the objects say, and what the API adds where it can be reached: the commands answer without it too, and say what is missing.
/// </summary>
internal sealed class OptimizerReader(KubernetesClient cluster, Func<CancellationToken, Task<ApiConnection>> open, TimeProvider clock) : IDisposable
{
    /// <summary>Nobody waits longer for what only makes an answer fuller.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private const int PageSize = 100;

    /// <summary>What the API says of a change that no run counts for.</summary>
    private const string NoSuchExperiment = "FAB-2011";
    private ApiConnection? api;

    public async Task<IReadOnlyList<KubeObject>> ChangesAsync(string? ns, CancellationToken cancel)
    {
        var found = new List<KubeObject>();
        await foreach (var item in cluster.ListAsync(Kinds.OptimizationChange, ns, cancel)) found.Add(item);
        return found;
    }

    public async Task<OptimizerPolicy?> PolicyAsync(CancellationToken cancel) => await PolicyWriter.ReadAsync(cluster, cancel) is { } item ? ObjectJson.Policy(item.Json) : null;

    /// <summary>Everything of a list of the API up to a number of items; or why there is nothing.</summary>
    /// <param name="path">With its query.</param>
    public async Task<(IReadOnlyList<T> Items, string? Missing)> ListAsync<T>(string path, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, int limit, CancellationToken cancel)
    {
        var found = new List<T>();
        var missing = await TryAsync(async (connection, ct) =>
        {
            string? cursor = null;
            do
            {
                using var answer = await connection.GetAsync($"{path}{(path.Contains('?') ? '&' : '?')}limit={Math.Min(PageSize, limit - found.Count)}{(cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}", ct);
                found.AddRange(answer.RootElement.GetProperty("items").EnumerateArray().Select(item => item.Deserialize(type)!));
                cursor = answer.RootElement.TryGetProperty("next", out var next) ? next.GetString() : null;
            }
            while (cursor is not null && found.Count < limit);
        }, cancel);
        return (found, missing);
    }

    /// <summary>One object of the API; null with the reason, or without one where the API says that there is none.</summary>
    public async Task<(T? Item, string? Missing)> GetAsync<T>(string path, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, CancellationToken cancel) where T : class
    {
        T? found = null;
        var missing = await TryAsync(async (connection, ct) =>
        {
            using var answer = await connection.GetAsync(path, ct);
            found = answer.RootElement.Deserialize(type);
        }, cancel);
        return (found, missing);
    }

    /// <summary>What the runs of these changes showed; a change without runs is not in it.</summary>
    public async Task<(IReadOnlyDictionary<string, ExperimentReport> Reports, string? Missing)> ReportsAsync(IEnumerable<string> changes, CancellationToken cancel)
    {
        var found = new Dictionary<string, ExperimentReport>(StringComparer.Ordinal);
        foreach (var change in changes.Distinct(StringComparer.Ordinal))
        {
            var (report, missing) = await GetAsync($"{Names.Paths.Experiments}/{Uri.EscapeDataString(change)}", ReportJson.Default.ExperimentReport, cancel);
            if (missing is not null) return (found, missing);
            if (report is not null) found[change] = report;
        }

        return (found, null);
    }

    public void Dispose() => api?.Dispose();

    private async Task<string?> TryAsync(Func<ApiConnection, CancellationToken, Task> ask, CancellationToken cancel)
    {
        using var patience = new CancellationTokenSource(Patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, patience.Token);
        try
        {
            api ??= await open(either.Token);
            await ask(api, either.Token);
            return null;
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return $"Fabrik's API did not answer within {Patience.TotalSeconds:0} s";
        }
        catch (CommandException none) when (none.Id == NoSuchExperiment)
        {
            return null;
        }
        catch (Exception error) when (error is not OperationCanceledException && Failures.Explain(error) is { } explained)
        {
            return $"{explained.Message} ({explained.Why})";
        }
    }
}
