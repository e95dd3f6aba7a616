using System.Net;
using Fabrik.Proxy.Spool;
using Fabrik.Tests.Proxy;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Tests.Surviving;

/// <summary>The gateway on a disk of 64 MiB that is really full.</summary>
public sealed class FullSpoolTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task On_a_full_disk_calls_are_refused_with_retry_after_open_ones_end_whole_and_no_settlement_is_lost()
    {
        Assert.SkipUnless(Volume.CanBeMounted, "mounting takes root");
        using var volume = Volume.InMemory(64);
        await using var bench = await GatewayBench.StartAsync(more: (services, spool) =>
        {
            Directory.CreateDirectory(spool); // for what else stands there
            services.AddSingleton(_ => new UsageSpool(Path.Combine(volume.Path, "spool"), TimeProvider.System, NullLogger<UsageSpool>.Instance, 1 << 16));
        });
        using (var first = await bench.ChatAsync()) first.StatusCode.ShouldBe(HttpStatusCode.OK);
        bench.ApiFails = HttpStatusCode.ServiceUnavailable;

        // Calls that are open while the disk fills up: their settlements find no room.
        bench.Provider.Pace = TimeSpan.FromMilliseconds(50);
        var open = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => bench.ChatAsync(stream: true)));
        open.ShouldAllBe(answer => answer.StatusCode == HttpStatusCode.OK);
        bench.Provider.Pace = TimeSpan.Zero;
        volume.Fill();
        var calls = 1 + open.Length;
        HttpResponseMessage refused;
        for (; (refused = await bench.ChatAsync()).StatusCode == HttpStatusCode.OK; calls++) refused.Dispose();
        using (refused)
        {
            (refused.StatusCode, refused.Headers.RetryAfter?.Delta).ShouldBe((HttpStatusCode.ServiceUnavailable, TimeSpan.FromSeconds(10)));
            (await refused.Content.ReadAsStringAsync(Cancel)).ShouldContain("cannot account for a call now");
        }

        foreach (var answer in open)
        {
            using (answer) (await answer.Content.ReadAsStringAsync(Cancel)).ShouldEndWith("data: [DONE]\n\n");
        }

        bench.Provider.Requests.ShouldBe(calls);
        using (var ready = await bench.Http.GetAsync(new Uri(bench.Gateway, Names.Paths.Ready), Cancel)) ready.StatusCode.ShouldBe(HttpStatusCode.OK);

        bench.ApiFails = null;
        var ledger = await bench.LedgerAsync(calls);
        ledger.Select(row => row.Id).ShouldBeUnique();
        ledger.ShouldAllBe(row => !row.Estimated);
        volume.MakeRoom();
        await Wait.UntilAsync("a call to be taken again", async () =>
        {
            using var again = await bench.ChatAsync();
            return again.StatusCode == HttpStatusCode.OK;
        });
    }
}
