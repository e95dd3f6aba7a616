namespace Fabrik.Api.Callers;

/// <summary>Answers of the cluster, kept for some seconds, refusals too. Bounded: when full, what has run out goes first, then everything.</summary>
internal sealed class ReviewCache<T>(TimeProvider clock, TimeSpan life, int capacity)
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, (T Value, long At)> answers = new(StringComparer.Ordinal);

    public bool TryGet(string key, out T value)
    {
        lock (gate)
        {
            var found = answers.TryGetValue(key, out var answer) && clock.GetElapsedTime(answer.At) < life;
            value = answer.Value;
            return found;
        }
    }

    public void Set(string key, T value)
    {
        lock (gate)
        {
            if (answers.Count >= capacity)
            {
                foreach (var old in answers.Where(answer => clock.GetElapsedTime(answer.Value.At) >= life).Select(answer => answer.Key).ToArray()) answers.Remove(old);
                if (answers.Count >= capacity) answers.Clear();
            }

            answers[key] = (value, clock.GetTimestamp());
        }
    }
}
