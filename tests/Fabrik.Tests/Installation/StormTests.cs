using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fabrik.Kubernetes;
using Fabrik.Tests.EndToEnd;

namespace Fabrik.Tests.Installation;

/// <summary>A cluster in which everything that can happen to Fabrik does while Jobs are created. FABRIK_STORM_JOBS says how many; the aim is 10,000, 100 a second.</summary>
[Collection(InstallationCollection.Name)]
public sealed partial class StormTests
{
    private const string Namespace = "storm";
    private static readonly int Count = int.TryParse(Environment.GetEnvironmentVariable(Names.Variables.StormJobs), NumberStyles.None, CultureInfo.InvariantCulture, out var jobs) ? jobs : 400;
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(Count >= 2000 ? 10 : 50);

    /// <summary>That of the webhook's registration, and what the creation of a Job takes beside it on a machine that does everything at once.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2) + TimeSpan.FromSeconds(2);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task While_replicas_are_killed_certificates_rotate_and_the_version_changes_every_job_is_created_in_time_and_what_was_missed_counts_in_no_arm()
    {
        await using var cluster = await InstalledCluster.StartAsync();
        await cluster.ReadyAsync();
        await cluster.Client.CreateAsync(Kinds.Namespace, null, new JsonObject { ["metadata"] = new JsonObject { ["name"] = Namespace, ["labels"] = new JsonObject { [Names.Labels.Enabled] = "true" } } }, Cancel);
        try
        {
            var settings = Path.Combine(cluster.Home, "fabrik.yaml");
            (await cluster.FabrikAsync("init", "--file", settings, "--profile", "prod")).Code.ShouldBe(0);
            var install = await cluster.FabrikAsync("install", "--file", settings, "--timeout", "300");
            install.Code.ShouldBe(0, install.Error);
            await Wait.UntilAsync("the webhook to know the namespace", async () => Touched(await CreateAsync(cluster.Client, "probe", dryRun: true)));

            await QuietAsync(cluster.Client);
            var before = await ServersOwnAsync(cluster.Client);
            using var over = new CancellationTokenSource();
            var disturbing = DisturbAsync(cluster, settings, over.Token);
            var took = await CreateAllAsync(cluster.Client);
            await over.CancelAsync();
            var (killed, rotated, upgraded) = await disturbing;

            var missed = await MissedAsync(cluster.Client);
            var sorted = took.Order().ToArray();
            TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{Count} Jobs, {killed} replicas killed, {rotated} rotations, {upgraded} upgrades: {missed.Count} not mutated; created in {sorted[Count / 2].TotalMilliseconds:0} ms at the median, {sorted[Count * 99 / 100].TotalMilliseconds:0} ms at p99, {sorted[^1].TotalMilliseconds:0} ms at most"));
            Tell("the storm", before, await ServersOwnAsync(cluster.Client));
            (killed > 0, rotated, upgraded).ShouldBe((true, 2, 1));
            sorted[^1].ShouldBeLessThan(Longest);
            await RecordedAsync(cluster, missed);
        }
        finally
        {
            await cluster.Client.DeleteAsync(Kinds.Namespace, null, Namespace, CancellationToken.None);
        }
    }

    /// <summary>At an even pace, whether those before have answered or not. Throws where the API server refuses one.</summary>
    private static async Task<ConcurrentBag<TimeSpan>> CreateAllAsync(KubernetesClient client)
    {
        var took = new ConcurrentBag<TimeSpan>();
        var under = new List<Task>(Count);
        using var pace = new PeriodicTimer(Between, TimeProvider.System);
        for (var number = 0; number < Count; number++)
        {
            await pace.WaitForNextTickAsync(Cancel);
            under.Add(OneAsync($"job-{number}"));
        }

        await Task.WhenAll(under);
        return took;

        async Task OneAsync(string name)
        {
            var began = TimeProvider.System.GetTimestamp();
            await CreateAsync(client, name);
            took.Add(TimeProvider.System.GetElapsedTime(began));
        }
    }

    /// <summary>A replica of the webhook is killed every three seconds; its certificate is made anew, then the authority, then all of Fabrik is replaced.</summary>
    private static async Task<(int Killed, int Rotated, int Upgraded)> DisturbAsync(InstalledCluster cluster, string settings, CancellationToken over)
    {
        var length = Between * Count;
        var (killed, rotated, upgraded) = (0, 0, 0);
        var rotating = Task.Run(async () =>
        {
            await Task.Delay(length / 5, TimeProvider.System, Cancel);
            await RotateAsync(cluster.Client, Names.Objects.WebhookTlsSecret);
            rotated++;
            await Task.Delay(length / 5, TimeProvider.System, Cancel);
            await RotateAsync(cluster.Client, Names.Objects.AuthoritySecret);
            rotated++;
            await cluster.DivertAsync();
            var upgrade = await cluster.UpgradeAsync(settings);
            upgrade.Code.ShouldBe(0, upgrade.Error);
            upgraded++;
        }, Cancel);
        using var pace = new PeriodicTimer(TimeSpan.FromSeconds(3), TimeProvider.System);
        try
        {
            while (await pace.WaitForNextTickAsync(over))
            {
                await foreach (var pod in cluster.Client.ListAsync(Kinds.Pod, Names.SystemNamespace, Cancel, new ListOptions { LabelSelector = $"{Names.Labels.Name}={Names.Objects.Webhook}" }))
                {
                    await cluster.Client.DeleteAsync(Kinds.Pod, Names.SystemNamespace, pod.Name, Cancel, new DeleteOptions { GracePeriodSeconds = 0 });
                    killed++;
                    break;
                }
            }
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // All Jobs are created.
        }

        await rotating;
        return (killed, rotated, upgraded);
    }

    private static Task RotateAsync(KubernetesClient client, string secret) => client.PatchAsync(
        Kinds.Secret, Names.SystemNamespace, secret, PatchType.Merge, new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { [Names.Annotations.Rotate] = "now" } } }, Cancel);

    private static async Task<HashSet<string>> MissedAsync(KubernetesClient client)
    {
        var (all, missed) = (0, new HashSet<string>(StringComparer.Ordinal));
        await foreach (var job in client.ListAsync(Kinds.Job, Namespace, Cancel))
        {
            all++;
            if (!Touched(job)) missed.Add(job.Name);
        }

        all.ShouldBe(Count);
        return missed;
    }

    /// <summary>The scheduler has each of them as unassigned, and no other.</summary>
    private static Task RecordedAsync(InstalledCluster cluster, HashSet<string> missed) => Wait.UntilAsync("what was missed to be on record as unassigned", async () =>
    {
        var all = await cluster.FabrikAsync("runs", "list", "-n", Namespace, "--limit", "0", "-o", "json");
        if (all.Code != 0) return false;
        using var runs = JsonDocument.Parse(all.Out);
        var items = runs.RootElement.GetProperty("items").EnumerateArray().Select(run => (Name: run.GetProperty("name").GetString()!, Arm: run.GetProperty("arm").GetString())).ToList();
        return items.Count == Count && missed.SetEquals(items.Where(run => run.Arm == "unassigned").Select(run => run.Name));
    }, TimeSpan.FromMinutes(2));

    /// <summary>A quarter as many at the same pace while nothing is disturbed; dry runs go through the webhook as well and are on no record.</summary>
    private static async Task QuietAsync(KubernetesClient client)
    {
        for (var number = 0; number < 50; number++) await CreateAsync(client, $"warm-{number}", dryRun: true);
        var before = await ServersOwnAsync(client);
        var under = new List<Task>();
        using var pace = new PeriodicTimer(Between, TimeProvider.System);
        for (var number = 0; number < Count / 4; number++)
        {
            await pace.WaitForNextTickAsync(Cancel);
            under.Add(CreateAsync(client, $"quiet-{number}", dryRun: true));
        }

        await Task.WhenAll(under);
        Tell("quiet", before, await ServersOwnAsync(client));
    }

    /// <summary>What the webhook added between two looks, at p99 as histogram_quantile has it: linear within a bucket.</summary>
    private static void Tell(string when, IReadOnlyList<(double Most, double Count)> before, IReadOnlyList<(double Most, double Count)> after)
    {
        var grown = after.Select((bucket, i) => (bucket.Most, Count: bucket.Count - (before.Count > i ? before[i].Count : 0))).ToList();
        if (grown.Count == 0 || grown[^1].Count == 0)
        {
            TestContext.Current.TestOutputHelper?.WriteLine($"{when}: the API server tells nothing of its webhooks");
            return;
        }

        var wanted = grown[^1].Count * 0.99;
        var at = grown.FindIndex(bucket => bucket.Count >= wanted);
        var (low, below) = at > 0 ? grown[at - 1] : (0, 0);
        var p99 = low + ((grown[at].Most - low) * (wanted - below) / (grown[at].Count - below));
        var parts = grown.Where(bucket => bucket.Most is <= 0.1 or double.PositiveInfinity).Select(bucket => string.Create(CultureInfo.InvariantCulture, $"{bucket.Count} within {bucket.Most} s"));
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{when}, by the API server's own metric: the webhook added {p99 * 1000:0.0} ms at p99 ({string.Join(", ", parts)})"));
    }

    /// <summary>The API server's own histogram of what the webhook added to each creation: upper bounds in seconds, ascending, and how many were within; empty where it has none.</summary>
    private static async Task<IReadOnlyList<(double Most, double Count)>> ServersOwnAsync(KubernetesClient client)
    {
        const string Metric = "apiserver_admission_webhook_admission_duration_seconds_bucket";
        string text;
        try
        {
            text = await client.GetTextAsync("/metrics", Cancel);
        }
        catch (KubernetesException error) when (error.IsNotFound)
        {
            return [];
        }

        return [.. text.Split('\n')
            .Where(line => line.StartsWith(Metric, StringComparison.Ordinal) && line.Contains("optin-namespace.fabrik.dev", StringComparison.Ordinal) && line.Contains("\"CREATE\"", StringComparison.Ordinal))
            .Select(line => (Bound: Bound().Match(line).Groups["bound"].Value, Count: double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture)))
            .GroupBy(line => line.Bound == "+Inf" ? double.PositiveInfinity : double.Parse(line.Bound, CultureInfo.InvariantCulture), line => line.Count)
            .OrderBy(bucket => bucket.Key)
            .Select(bucket => (bucket.Key, bucket.Sum()))];
    }

    [GeneratedRegex("le=\"(?<bound>[^\"]+)\"", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Bound();

    /// <summary>Suspended: what its Pods would do is of no interest here.</summary>
    private static Task<KubeObject> CreateAsync(KubernetesClient client, string name, bool dryRun = false)
    {
        var job = Jobs.Named(name);
        job["spec"]!["suspend"] = true;
        return client.CreateAsync(Kinds.Job, Namespace, job, Cancel, new WriteOptions { DryRun = dryRun });
    }

    private static bool Touched(KubeObject job) => job.Annotation(Names.Annotations.Assignment) is not null;
}
