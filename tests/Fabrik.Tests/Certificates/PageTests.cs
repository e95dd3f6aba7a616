using System.Text.RegularExpressions;
using Fabrik.Certificates;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Certificates;

/// <summary>docs/certificates.md says what the code does.</summary>
public partial class PageTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(TestData.Checkout, Names.Documents.Certificates));

    [Fact]
    public void What_cert_manager_is_asked_for_has_the_names_and_stands_in_the_Secrets_that_are_served_from()
    {
        var asked = Manifest.Read(Yaml().Match(Page).Groups["yaml"].Value).Where(item => (string)item["kind"]! == "Certificate" && item["spec"]!["dnsNames"] is not null)
            .ToDictionary(item => (string)item["spec"]!["secretName"]!, item => item["spec"]!["dnsNames"]!.AsArray().Select(name => (string)name!).ToArray());
        asked.Keys.ShouldBe([Names.Objects.WebhookTlsSecret, Names.Objects.ApiTlsSecret], ignoreOrder: true);
        asked[Names.Objects.WebhookTlsSecret].ShouldBe(CertificatePlan.NamesOf(Place.WebhookLeaf));
        asked[Names.Objects.ApiTlsSecret].ShouldBe(CertificatePlan.NamesOf(Place.ApiLeaf));
    }

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

    [GeneratedRegex("```yaml\n(?<yaml>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Yaml();
}
