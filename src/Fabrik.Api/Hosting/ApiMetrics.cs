using System.Diagnostics.Metrics;
using Fabrik.Storage;

namespace Fabrik.Api.Hosting;

/// <summary>The instruments of the API. Labels are closed sets: routes, status codes, kinds of review.</summary>
internal sealed class ApiMetrics : IDisposable
{
    private readonly Counter<long> reviews;
    private readonly Counter<long> events;
    private readonly Histogram<double> requests;

    public ApiMetrics(Database database)
    {
        Meter.CreateObservableGauge(Names.Metrics.StorageWritable, () => database.Trouble is null ? 1 : 0, "{database}", "0 while nothing can be written to the control database: usage is refused with 503, all else is answered");
        reviews = Meter.CreateCounter<long>("fabrik.api.reviews", "{review}", "Reviews asked of the cluster, by kind and whether there was an answer");
        events = Meter.CreateCounter<long>(Names.Metrics.ModelCallEvents, "{event}", "Attempts at models that the gateway delivered: inserted, known already, or refused");
        requests = Meter.CreateHistogram("fabrik.api.request.duration", "s", "Time to answer, by route and status", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5] });
    }

    public Meter Meter { get; } = new(Names.Meters.Api);

    public void Answered(string route, int status, TimeSpan time) => requests.Record(time.TotalSeconds, new("route", route), new("status", status));

    public void Reviewed(string kind, bool answered) => reviews.Add(1, new("kind", kind), new("answered", answered ? "true" : "false"));

    public void Delivered(int inserted, int known, int refused)
    {
        foreach (var (count, result) in (ReadOnlySpan<(int, string)>)[(inserted, "inserted"), (known, "known"), (refused, "refused")])
            if (count > 0) events.Add(count, new KeyValuePair<string, object?>("result", result));
    }

    public void Dispose() => Meter.Dispose();
}
