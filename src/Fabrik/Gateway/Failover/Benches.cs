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

    /// <summary>What is over for so long is forgotten: models are named by callers, and could be any number.</summary>
    private static readonly TimeSpan Remembered = TimeSpan.FromMinutes(10);

    private readonly Lock writing = new();

    /// <summary>Replaced as a whole: every call reads it, mostly empty, and failures are few.</summary>
    private volatile Dictionary<string, Bench> benches = new(StringComparer.Ordinal);

    /// <summary>When the target may be asked; null: now.</summary>
    public DateTimeOffset? Until(Target target, string model, DateTimeOffset now)
    {
        if (benches.Count == 0) return null;
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
        Write(held =>
        {
            foreach (var (other, bench) in held)
                if (now - bench.At > Remembered && bench.Until < now) held.Remove(other);
            if (!held.TryGetValue(name, out var old)) held[name] = After(1);
            else held[name] = After(old.Failures + 1) is var next && next.Until > old.Until ? next : old with { Failures = old.Failures + 1, At = now };
        });

        Bench After(int failures)
        {
            if (failures < allowed) return new Bench(DateTimeOffset.MinValue, failures, word, now);
            var grown = TimeSpan.FromTicks(Math.Min(Most.Ticks, First.Ticks << Math.Min(failures - allowed, 10)));
            return new Bench(now + (wait ?? grown), failures, word, now);
        }
    }

    /// <summary>A stream whose content has begun: others may ask again, but what was held against the target counts until it has also ended well.</summary>
    public void Began(Target target, string model) => Change(target, model, (held, name, bench) => held[name] = bench with { Until = DateTimeOffset.MinValue });

    /// <summary>An answer that is a whole success ends what was held against the target.</summary>
    public void Succeeded(Target target, string model) => Change(target, model, (held, name, _) => held.Remove(name));

    /// <summary>A key that was changed is a new one.</summary>
    public void Forget(string provider, string key)
    {
        Write(held =>
        {
            foreach (var name in held.Keys)
                if (name == $"{provider}/{key}" || name.StartsWith($"{provider}/{key}/", StringComparison.Ordinal)) held.Remove(name);
        });
    }

    /// <summary>How much is held against anybody, over or not.</summary>
    public int Kept => benches.Count;

    /// <summary>All that is set aside now, for people.</summary>
    public IEnumerable<(string Name, DateTimeOffset Until, string Why)> Now(DateTimeOffset now) => benches.Where(one => one.Value.Until > now).Select(one => (one.Key, one.Value.Until, one.Value.Why));

    /// <summary>While one call tries what was set aside, others do not: they would all fail if it still does.</summary>
    private void Probe(Target target, string model, DateTimeOffset now) => Change(target, model, (held, name, bench) =>
    {
        if (bench.Until > DateTimeOffset.MinValue) held[name] = bench with { Until = now + First };
    });

    private void Change(Target target, string model, Action<Dictionary<string, Bench>, string, Bench> change)
    {
        if (benches.Count == 0) return;
        string[] names = [target.Provider, KeyName(target), ModelName(target, model)];
        if (!names.Any(benches.ContainsKey)) return;
        Write(held =>
        {
            foreach (var name in names)
                if (held.TryGetValue(name, out var bench)) change(held, name, bench);
        });
    }

    private void Write(Action<Dictionary<string, Bench>> change)
    {
        lock (writing)
        {
            var held = new Dictionary<string, Bench>(benches, StringComparer.Ordinal);
            change(held);
            benches = held;
        }
    }

    private static string KeyName(Target target) => $"{target.Provider}/{target.Key}";

    private static string ModelName(Target target, string model) => $"{target.Provider}/{target.Key}/{model}";

    /// <param name="At">When it failed last.</param>
    private sealed record Bench(DateTimeOffset Until, int Failures, string Why, DateTimeOffset At);
}
