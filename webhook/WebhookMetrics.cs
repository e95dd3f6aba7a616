using System.Diagnostics.Metrics;
using System.Globalization;
using Fabrik.Admission;
using Fabrik.Certificates;
using Fabrik.Experiments;
using Fabrik.Kubernetes.Serving;
using Fabrik.Metrics;
using Fabrik.Webhook.Snapshots;

namespace Fabrik.Webhook;

/// <summary>All instruments of the webhook. Label values are closed sets.</summary>
internal sealed class WebhookMetrics : IDisposable
{
    /// <summary>Seconds: from what a review takes to where an API server gives up.</summary>
    private static readonly double[] Durations = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

    private readonly Meter meter;
    private readonly MetricCollector collector;
    private readonly Counter<long> reviews;
    private readonly Histogram<double> durations;
    private readonly Counter<long> warnings;
    private readonly Counter<long> skipped;
    private readonly Counter<long> refused;
    private readonly Counter<long> rotations;
    private readonly Counter<long> keepingFailures;

    public WebhookMetrics(WebhookOptions options, SnapshotKeeper snapshots, ServingCertificate certificate)
    {
        // The scope tells two webhooks of one process apart.
        meter = new Meter(new MeterOptions(Names.Meters.Webhook) { Scope = this });
        collector = new MetricCollector(one => ReferenceEquals(one, meter) || MetricCollector.IsRuntime(one));
        reviews = meter.CreateCounter<long>(Names.Metrics.WebhookReviews, "{review}", "Reviews answered, by result, reason and arm");
        durations = meter.CreateHistogram(
            Names.Metrics.WebhookReviewDuration, "s", "Time from the first byte of a review to the last of its answer", tags: null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = Durations });
        warnings = meter.CreateCounter<long>(Names.Metrics.WebhookWarnings, "{review}", "Reviews that left a Job as it came because of a doubt, by reason");
        skipped = meter.CreateCounter<long>(Names.Metrics.WebhookSkipped, "{review}", "Reviews in which a change meant for the Job could not be put on, or the gateway or the volume to resume from not be as it asked, by reason");
        refused = meter.CreateCounter<long>(Names.Metrics.WebhookRefused, "{request}", "Requests that were no review, by HTTP status");
        meter.CreateObservableGauge(Names.Metrics.WebhookSnapshotAge, () => Seconds(snapshots.Staleness), "s", "Silence of the watches that decide arms; +Inf before the first snapshot");
        meter.CreateObservableGauge(
            Names.Metrics.WebhookStopped, () => Stopped(snapshots.Staleness), "{kind}", "1 where silence of the watches has stopped experiments or applied changes");
        meter.CreateObservableGauge(
            Names.Metrics.WebhookSnapshotObjects, () => snapshots.Sizes.Select(size => new Measurement<long>(size.Count, Tag("resource", size.Kind))), "{object}", "Objects in the snapshot");
        meter.CreateObservableGauge(Names.Metrics.WebhookSnapshotProblems, () => snapshots.Problems, "{object}", "Objects left out of the snapshot because they cannot be used");
        meter.CreateObservableGauge(
            Names.Metrics.WebhookCertificateExpiry, () => certificate.Expires is { } end ? [new Measurement<double>((end - options.Clock.GetUtcNow()).TotalSeconds)] : Array.Empty<Measurement<double>>(), "s", "Time until the serving certificate ends");
        rotations = meter.CreateCounter<long>(Names.Metrics.CertificateRotations, "{certificate}", "Certificates made anew by this replica, by certificate");
        keepingFailures = meter.CreateCounter<long>(Names.Metrics.CertificateFailures, "{look}", "Looks of the keeper of certificates that failed");
        meter.CreateObservableGauge(
            Names.Metrics.CertificateExpiry, () => Ends.Select(one => new Measurement<double>(one.Until.ToUnixTimeSeconds(), Tag("certificate", one.Certificate))), "s", "When each kept certificate ends, as seconds since 1970; of the replica that keeps them");
    }

    public void Reviewed(in AdmissionOutcome outcome, TimeSpan duration)
    {
        reviews.Add(1, Tag("result", outcome.Result == AdmissionResult.Patched ? "patched" : "untouched"), Tag("reason", outcome.Reason), Tag("arm", Wire(outcome.Arm)));
        durations.Record(duration.TotalSeconds);
        if (AdmissionReasons.IsDoubt(outcome.Reason)) warnings.Add(1, Tag("reason", outcome.Reason));
        if (outcome.Skipped is { } why) skipped.Add(1, Tag("reason", why));
        if (outcome.Resume is { } resume) skipped.Add(1, Tag("reason", resume));
    }

    /// <summary>When each certificate that this replica keeps ends; empty while it keeps none.</summary>
    public IReadOnlyList<(string Certificate, DateTimeOffset Until)> Ends { get; set; } = [];

    public void Kept(CertificateStep step)
    {
        if (step.Action is CertificateAction.CreateAuthority or CertificateAction.RotateAuthority) rotations.Add(1, Tag("certificate", "authority"));
        else if (step.Action == CertificateAction.Issue) rotations.Add(1, Tag("certificate", step.Place == Place.WebhookLeaf ? "webhook" : "api"));
    }

    public void KeepingFailed() => keepingFailures.Add(1);

    public void Refused(int status) => refused.Add(1, Tag("status", status.ToString(CultureInfo.InvariantCulture)));

    public string Expose(ExpositionFormat format) => Exposition.Write(collector.Collect(), format);

    public void Dispose()
    {
        collector.Dispose();
        meter.Dispose();
    }

    private static IEnumerable<Measurement<int>> Stopped(TimeSpan silence) =>
    [
        new(silence > AdmissionSnapshot.ArmsFreshFor ? 1 : 0, Tag("what", "experiments")),
        new(silence > AdmissionSnapshot.AppliedFreshFor ? 1 : 0, Tag("what", "applied")),
    ];

    private static double Seconds(TimeSpan silence) => silence == TimeSpan.MaxValue ? double.PositiveInfinity : silence.TotalSeconds;

    private static string Wire(Arm? arm) => arm switch
    {
        Arm.Treatment => "treatment",
        Arm.Control => "control",
        Arm.Holdout => "holdout",
        Arm.Applied => "applied",
        Arm.Unassigned => "unassigned",
        _ => "none",
    };

    private static KeyValuePair<string, object?> Tag(string key, object value) => new(key, value);
}
