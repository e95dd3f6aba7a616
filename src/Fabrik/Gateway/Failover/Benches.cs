using System.Collections.Concurrent;

namespace Fabrik.Gateway.Failover;

/// <summary>A provider and one of its keys.</summary>
/// <param name="Weight">Against the others that can serve the same; above 0.</param>
public sealed record Target(string Provider, string Key, double Weight);

/// <summary>
/// What is set aside, and until when, as all calls of a process see it. One that comes back is tried by one call: the others wait for
/// how that goes.
/// </summary>
public sealed class Benches
{
    private static readonly TimeSpan First = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Most = TimeSpan.FromMinutes(2);

    /// <summary>A provider is set aside only after as many failures in a row: one lost connection is no outage.</summary>
    private const int ProviderFailures = 3;

    private readonly ConcurrentDictionary<string, Bench> benches = new(StringComparer.Ordinal);

    /// <summary>When the target may be asked; null: now.</summary>
    public DateTimeOffset? Until(Target target, string model, DateTimeOffset now)
    {
        if (benches.IsEmpty) return null;
        var until = DateTimeOffset.MinValue;
        foreach (var name in (ReadOnlySpan<string>)[target.Provider, KeyName(target), ModelName(target, model)])
            if (benches.TryGetValue(name, out var bench) && bench.Until > until) until = bench.Until;
        return until > now ? until : null;
    }

    /// <summary>One of those that may be asked, by their weights; null where none may.</summary>
    /// <param name="tried">Those this call has asked.</param>
    /// <param name="draw">From 0 to below 1.</param>
    public Target? Choose(IReadOnlyList<Target> targets, IReadOnlyCollection<Target> tried, string model, DateTimeOffset now, double draw)
    {
        var total = 0.0;
        foreach (var target in targets)
            if (IsOpen(target)) total += target.Weight;
        var at = draw * total;
        Target? last = null;
        foreach (var target in targets)
        {
            if (!IsOpen(target)) continue;
            last = target;
            if ((at -= target.Weight) < 0) break;
        }

        if (last is not null) Probe(last, model, now);
        return last;

        bool IsOpen(Target target) => !tried.Contains(target) && Until(target, model, now) is null;
    }

    public void Failed(Target target, string model, in ProviderFault fault, DateTimeOffset now)
    {
        var (name, allowed) = fault.Scope switch
        {
            FaultScope.Provider => (target.Provider, fault.For is null ? ProviderFailures : 1),
            FaultScope.Key => (KeyName(target), 1),
            FaultScope.KeyAndModel => (ModelName(target, model), 1),
            _ => (null, 0),
        };
        if (name is null) return;
        var wait = fault.For;
        var word = fault.Word;
        benches.AddOrUpdate(name, _ => After(1), (_, old) => After(old.Failures + 1) is var next && next.Until > old.Until ? next : old with { Failures = old.Failures + 1 });

        Bench After(int failures)
        {
            if (failures < allowed) return new Bench(DateTimeOffset.MinValue, failures, word);
            var grown = TimeSpan.FromTicks(Math.Min(Most.Ticks, First.Ticks << Math.Min(failures - allowed, 10)));
            return new Bench(now + (wait ?? grown), failures, word);
        }
    }

    /// <summary>An answer that is a success ends what was held against the target.</summary>
    public void Succeeded(Target target, string model)
    {
        if (benches.IsEmpty) return;
        benches.TryRemove(target.Provider, out _);
        benches.TryRemove(KeyName(target), out _);
        benches.TryRemove(ModelName(target, model), out _);
    }

    /// <summary>A key that was changed is a new one.</summary>
    public void Forget(string provider, string key)
    {
        foreach (var name in benches.Keys)
            if (name == $"{provider}/{key}" || name.StartsWith($"{provider}/{key}/", StringComparison.Ordinal)) benches.TryRemove(name, out _);
    }

    /// <summary>All that is set aside now, for people.</summary>
    public IEnumerable<(string Name, DateTimeOffset Until, string Why)> Now(DateTimeOffset now) => benches.Where(one => one.Value.Until > now).Select(one => (one.Key, one.Value.Until, one.Value.Why));

    /// <summary>While one call tries what was set aside, others do not: they would all fail if it still does.</summary>
    private void Probe(Target target, string model, DateTimeOffset now)
    {
        if (benches.IsEmpty) return;
        foreach (var name in (ReadOnlySpan<string>)[target.Provider, KeyName(target), ModelName(target, model)])
            if (benches.TryGetValue(name, out var bench) && bench.Until > DateTimeOffset.MinValue) benches.TryUpdate(name, bench with { Until = now + First }, bench);
    }

    private static string KeyName(Target target) => $"{target.Provider}/{target.Key}";

    private static string ModelName(Target target, string model) => $"{target.Provider}/{target.Key}/{model}";

    private sealed record Bench(DateTimeOffset Until, int Failures, string Why);
}
