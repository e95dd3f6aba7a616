using System.Buffers;
using Fabrik.Admission;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Admission;

public class AllocationTests
{
    /// <summary>Of an untrusted run every container has some ten values more, each of which stands in the record.</summary>
    [Theory]
    [InlineData(false, 64)]
    [InlineData(true, 96)]
    public void A_review_with_three_active_changes_and_a_run_token_allocates_little(bool untrusted, int kibibytes)
    {
        var snapshot = Snapshots.Of("""
            {"gateway": "https://gateway.example", "namespaces": {"ci": {"fabrik.dev/enabled": "true", "fabrik.dev/gateway": "true", "fabrik.dev/untrusted": "UNTRUSTED"}}, "policy": {"runs": {"gate": true}}, "changes": [
              {"name": "memory-4gi", "slot": 0, "share": 0.1, "change": {"memoryLimit": "4Gi"}},
              {"name": "cpu-500m", "slot": 1, "share": 0.1, "change": {"cpuRequest": "500m"}},
              {"name": "storage-1gi", "slot": 2, "share": 0.1, "change": {"ephemeralStorageLimit": "1Gi"}}]}
            """.Replace("UNTRUSTED", untrusted ? "true" : "false", StringComparison.Ordinal));
        var text = TestData.Text("admission/reviews/jobs-create-generate-name-indexed.json");
        var body = System.Text.Encoding.UTF8.GetBytes(text.Replace("3bd65474-765d-4672-b390-3af803ef1a7c", Units.In("slot0"), StringComparison.Ordinal));
        var response = new ArrayBufferWriter<byte>(64 * 1024);
        for (var i = 0; i < 20; i++) Review().Result.ShouldBe(AdmissionResult.Patched);

        const int Times = 100;
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Times; i++) Review();
        ((GC.GetAllocatedBytesForCurrentThread() - before) / Times).ShouldBeLessThanOrEqualTo(kibibytes * 1024);

        AdmissionOutcome Review()
        {
            response.ResetWrittenCount();
            return JobAdmission.Review(body, snapshot, TimeSpan.Zero, Reviewed.Now, response);
        }
    }
}
