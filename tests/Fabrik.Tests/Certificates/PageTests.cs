using Fabrik.Certificates;

namespace Fabrik.Tests.Certificates;

/// <summary>docs/certificates.md says what the code does.</summary>
public class PageTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(TestData.Checkout, Names.Documents.Certificates));

    [Fact]
    public void Annotations_objects_and_times_that_it_names_are_those_of_the_code()
    {
        foreach (var name in (string[])[Names.Annotations.Rotate, Names.Annotations.InjectFrom, Names.Objects.AuthoritySecret, Names.Objects.WebhookTlsSecret, Names.Objects.ApiTlsSecret, Names.Objects.AssignmentKeySecret, Names.Objects.RunTokenKeySecret, CertificatePlan.Keys.DiscoveryAuthority, CertificatePlan.Keys.Old])
            Page.ShouldContain(name);
        foreach (var metric in (string[])[Names.Metrics.WebhookCertificateExpiry + ".seconds", Names.Metrics.CertificateExpiry + ".seconds", Names.Metrics.CertificateRotations + ".total", Names.Metrics.CertificateFailures + ".total"])
            Page.ShouldContain(metric.Replace('.', '_'));
        var times = CertificateTimes.Default;
        (times.LeafLife, times.Settle, times.KeepOld, times.Look).ShouldBe((TimeSpan.FromDays(90), TimeSpan.FromMinutes(5), TimeSpan.FromHours(1), TimeSpan.FromSeconds(30)));
    }
}
