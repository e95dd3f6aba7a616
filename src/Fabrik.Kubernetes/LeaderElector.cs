using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Kubernetes;

public sealed record LeaderElectorOptions
{
    public required string Namespace { get; init; }

    /// <summary>Of the Lease.</summary>
    public required string Name { get; init; }

    /// <summary>Unlike that of any other candidate: the Pod's name, with something random where several run in one.</summary>
    public required string Identity { get; init; }

    /// <summary>Others wait this long after the last renewal they saw.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>A leader that could not renew for this long stops leading; shorter than <see cref="Duration"/>.</summary>
    public TimeSpan RenewDeadline { get; init; } = TimeSpan.FromSeconds(10);

    public TimeSpan Retry { get; init; } = TimeSpan.FromSeconds(2);

    public ILogger Logger { get; init; } = NullLogger.Instance;
}

/// <summary>
/// Of several candidates one leads at a time, by a Lease. Only spans of the own clock are measured, never times of others, so clocks may differ.
/// A process that is stopped in its tracks may act for a moment after it lost the Lease: writes must be safe against that by themselves.
/// </summary>
public sealed partial class LeaderElector
{
    private readonly KubernetesClient client;
    private readonly TimeProvider clock;
    private readonly LeaderElectorOptions options;
    private KubeObject? observed;
    private long observedAt;
    private long renewedAt;
    private volatile bool holding;

    public LeaderElector(KubernetesClient client, TimeProvider clock, LeaderElectorOptions options)
    {
        if (options.RenewDeadline >= options.Duration || options.Retry >= options.RenewDeadline)
            throw new ArgumentException("Retry must be shorter than RenewDeadline, and that shorter than Duration", nameof(options));
        (this.client, this.clock, this.options) = (client, clock, options);
    }

    /// <summary>False also when renewals fail for <see cref="LeaderElectorOptions.RenewDeadline"/>, before anybody else can lead.</summary>
    public bool IsLeader => holding && clock.GetElapsedTime(Interlocked.Read(ref renewedAt)) < options.RenewDeadline;

    /// <summary>Who leads, as far as known; null when nobody.</summary>
    public string? Leader => observed is { } lease && Holder(lease) is { Length: > 0 } holder ? holder : null;

    /// <summary>Runs the work whenever this candidate leads, with a token that is cancelled when it no longer does; work that ends by itself gives the Lease back for a while. Returns when cancelled, once the work has ended and the Lease is free.</summary>
    public async Task RunAsync(Func<CancellationToken, Task> work, CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            if (await TryHoldAsync(ct)) await LeadAsync(work, ct);
            if (!await PauseAsync(ct)) return;
        }
    }

    private async Task LeadAsync(Func<CancellationToken, Task> work, CancellationToken ct)
    {
        holding = true;
        Log.Started(options.Logger, options.Identity, options.Name);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var working = WorkAsync(work, stop.Token);
        try
        {
            while (!working.IsCompleted && await PauseAsync(ct, working))
            {
                // A Lease that another one holds is lost at once; one that cannot be reached only after the deadline.
                // One request that gets lost must leave time for another.
                using var deadline = new CancellationTokenSource(Left < options.RenewDeadline / 2 ? Left : options.RenewDeadline / 2, clock);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
                if (working.IsCompleted || await TryHoldAsync(either.Token)) continue;
                if (!Holds) break;
            }
        }
        finally
        {
            var lost = !Holds;
            holding = false;
            await stop.CancelAsync();
            await working;
            Log.Stopped(options.Logger, options.Identity, options.Name, lost ? "lost it" : "gives it back");
            if (!lost) await ReleaseAsync();
        }
    }

    private bool Holds => IsLeader && Leader == options.Identity;

    private TimeSpan Left => options.RenewDeadline - clock.GetElapsedTime(Interlocked.Read(ref renewedAt)) is { } left && left > TimeSpan.Zero ? left : TimeSpan.Zero;

    private async Task WorkAsync(Func<CancellationToken, Task> work, CancellationToken ct)
    {
        try
        {
            await work(ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // As asked.
        }
        catch (Exception e)
        {
            Log.Failed(options.Logger, options.Name, e);
        }
    }

    /// <summary>Takes or renews the Lease. False when somebody else holds it or it could not be done.</summary>
    private async Task<bool> TryHoldAsync(CancellationToken ct)
    {
        // The Lease runs from before the request: the server may have stored it at once.
        var began = clock.GetTimestamp();
        try
        {
            KubeObject lease;
            try
            {
                lease = await client.GetAsync(Kinds.Lease, options.Namespace, options.Name, ct);
            }
            catch (KubernetesException e) when (e.IsNotFound)
            {
                var created = new JsonObject
                {
                    ["apiVersion"] = Kinds.Lease.ApiVersion,
                    ["kind"] = Kinds.Lease.Kind,
                    ["metadata"] = new JsonObject { ["name"] = options.Name, ["namespace"] = options.Namespace },
                    ["spec"] = Claim(null),
                };
                return Held(await client.CreateAsync(Kinds.Lease, options.Namespace, created, ct), began);
            }

            Observe(lease);
            var holder = Holder(lease);
            if (holder != options.Identity && holder.Length > 0 && clock.GetElapsedTime(observedAt) < Duration(lease)) return false;
            var claimed = lease.ToNode();
            claimed["spec"] = Claim(lease);
            return Held(await client.ReplaceAsync(Kinds.Lease, options.Namespace, options.Name, claimed, ct), began);
        }
        catch (KubernetesException e)
        {
            // A conflict: another one was faster; the next look tells who.
            if (!e.IsConflict && !e.IsAlreadyExists) Log.Unreachable(options.Logger, e.Message);
            return false;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private bool Held(KubeObject lease, long began)
    {
        Observe(lease);
        Interlocked.Exchange(ref renewedAt, began);
        return true;
    }

    private void Observe(KubeObject lease)
    {
        if (observed?.ResourceVersion == lease.ResourceVersion && observed?.Uid == lease.Uid) return;
        observed = lease;
        observedAt = clock.GetTimestamp();
    }

    private async Task ReleaseAsync()
    {
        try
        {
            using var timeout = new CancellationTokenSource(options.Retry, clock);
            var lease = observed!.ToNode();
            var spec = Claim(observed);
            spec["holderIdentity"] = "";
            spec["leaseDurationSeconds"] = 1;
            lease["spec"] = spec;
            Observe(await client.ReplaceAsync(Kinds.Lease, options.Namespace, options.Name, lease, timeout.Token));
        }
        catch (Exception e) when (e is KubernetesException or OperationCanceledException)
        {
            Log.Unreachable(options.Logger, e.Message); // it runs out by itself
        }
    }

    private JsonObject Claim(KubeObject? before)
    {
        var now = Time(clock.GetUtcNow());
        var same = before is not null && Holder(before) == options.Identity;
        return new JsonObject
        {
            ["holderIdentity"] = options.Identity,
            ["leaseDurationSeconds"] = (int)Math.Ceiling(options.Duration.TotalSeconds),
            ["acquireTime"] = same && Text(before!, "acquireTime") is { Length: > 0 } acquired ? acquired : now,
            ["renewTime"] = now,
            ["leaseTransitions"] = Number(before, "leaseTransitions") + (same || before is null ? 0 : 1),
        };
    }

    /// <summary>False when cancelled.</summary>
    private async Task<bool> PauseAsync(CancellationToken ct, Task? orUntil = null)
    {
#pragma warning disable CA5394 // keeps candidates from running in step
        var wait = options.Retry * (1 + Random.Shared.NextDouble() / 5);
#pragma warning restore CA5394
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var delay = Task.Delay(wait, clock, stop.Token);
        await Task.WhenAny(orUntil is null ? [delay] : [delay, orUntil]);
        await stop.CancelAsync();
        return !ct.IsCancellationRequested;
    }

    private static TimeSpan Duration(KubeObject lease) => TimeSpan.FromSeconds(Math.Clamp(Number(lease, "leaseDurationSeconds"), 0, 3600));

    private static string Holder(KubeObject lease) => Text(lease, "holderIdentity");

    // MicroTime: six digits, always.
    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'");

    private static JsonElement Spec(KubeObject? lease, string field) =>
        lease is not null && lease.Json.TryGetProperty("spec", out var spec) && spec.ValueKind == JsonValueKind.Object && spec.TryGetProperty(field, out var value) ? value : default;

    private static string Text(KubeObject lease, string field) => Spec(lease, field) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : "";

    private static int Number(KubeObject? lease, string field) => Spec(lease, field) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var number) ? number : 0;

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "{Identity} leads {Lease}")]
        public static partial void Started(ILogger logger, string identity, string lease);

        [LoggerMessage(Level = LogLevel.Information, Message = "{Identity} no longer leads {Lease}: {Why}")]
        public static partial void Stopped(ILogger logger, string identity, string lease, string why);

        [LoggerMessage(Level = LogLevel.Error, Message = "The work of the leader of {Lease} failed")]
        public static partial void Failed(ILogger logger, string lease, Exception e);

        [LoggerMessage(Level = LogLevel.Warning, Message = "The Lease cannot be written: {Why}")]
        public static partial void Unreachable(ILogger logger, string why);
    }
}
