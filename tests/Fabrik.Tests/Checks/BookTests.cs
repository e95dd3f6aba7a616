using System.Text.Json;
using Fabrik.Checks;
using static Fabrik.Tests.Checks.Healthy;

namespace Fabrik.Tests.Checks;

/// <summary>How checks stand on one another, and what may never count as a pass.</summary>
public sealed class BookTests
{
    private static readonly Category<string> First = new("first", [new("FAB-1", "one", facts => facts == "good" ? Finding.Passed() : Finding.Failed("bad", "mend it")), new("FAB-2", "two", _ => Finding.Warning("old", "renew")) { Needs = ["FAB-1"] }]);
    private static readonly Category<string> Second = new("second", [new("FAB-3", "three", _ => Finding.Passed()) { Needs = ["FAB-2"] }, new("FAB-4", "four", _ => Finding.Passed()) { Phase = CheckPhase.Before }]) { Needs = ["FAB-1"] };

    [Fact]
    public void What_stands_on_a_failed_check_is_skipped_with_the_reason_and_is_not_even_asked_for()
    {
        var book = new CheckBook(CheckPhase.After);
        book.Judge(First, "bad").Select(result => result.Status).ShouldBe([CheckStatus.Failed, CheckStatus.Skipped]);

        book.Wants(Second).ShouldBeFalse();
        book.Judge(Second, null).ShouldBe([new CheckResult("FAB-3", "second", "three", CheckStatus.Skipped, "FAB-1 (one) failed", null)]);
    }

    [Fact]
    public void A_warning_holds_nothing_up_and_checks_of_the_other_phase_are_left_out()
    {
        var book = new CheckBook(CheckPhase.After);
        book.Judge(First, "good");

        book.Wants(Second).ShouldBeTrue();
        book.Judge(Second, "").Select(result => (result.Id, result.Status)).ShouldBe([("FAB-3", CheckStatus.Passed)]);
    }

    [Fact]
    public void A_category_that_is_judged_again_replaces_what_it_had_shown()
    {
        var book = new CheckBook(CheckPhase.After);
        book.Judge(First, "bad");
        book.Forget("first");
        book.Judge(First, "good");

        book.Count(CheckStatus.Failed).ShouldBe(0);
        book.Results.Count.ShouldBe(2);
    }

    [Fact]
    public void Facts_that_could_not_be_read_are_never_a_pass()
    {
        var forbidden = Reading.Not<JsonElement>(ReadState.Forbidden, "you may not");
        var book = new CheckBook(CheckPhase.After);
        book.Judge(VersionChecks.Category, new ServerFacts(default, Reading.Not<IReadOnlySet<string>>(ReadState.Forbidden, "you may not"), Forbidden));
        book.Judge(StorageChecks.Category, new StorageFacts(InCluster, Forbidden, forbidden, Forbidden, Forbidden));
        book.Judge(QuotaChecks.Category, new QuotaFacts(Forbidden, Forbidden, Forbidden));
        book.Judge(MetricsChecks.Usage, Measured with { PodMetrics = Forbidden });
        book.Judge(DefinitionChecks.Category, new DefinitionFacts(Definitions().Meant, Definitions().Found.ToDictionary(one => one.Key, _ => forbidden)));
        book.Judge(NetworkChecks.Category, new NetworkFacts(null, "fabrik-runs", Forbidden, Reading.Not<NetworkProof>(ReadState.Forbidden, "you may not")));
        book.Judge(OptimizerChecks.Category, new OptimizerFacts(forbidden, Forbidden, forbidden, Reading.Not<IReadOnlyList<string>>(ReadState.Forbidden, "you may not"), Now));
        book.Judge(GatewayChecks.Category, Gateways() with { Statuses = Reading.Not<IReadOnlyList<Fabrik.Gateway.GatewayStatus>>(ReadState.Forbidden, "you may not") });

        book.Results.Where(result => result.Status == CheckStatus.Passed).Select(result => result.Id).ShouldBe(["FAB-3221"]);
    }

    [Fact]
    public void Network_policies_are_only_proved_by_the_difference_between_a_pair_with_and_a_pair_without_them()
    {
        new CheckBook(CheckPhase.Before).Judge(NetworkChecks.Category, Network(open: false)).Select(result => result.Status).ShouldBe([CheckStatus.Unproven, CheckStatus.Unproven, CheckStatus.Passed]);
        new CheckBook(CheckPhase.Before).Judge(NetworkChecks.Category, Network(closed: true)).ShouldAllBe(result => result.Status == CheckStatus.Failed);
    }

    [Fact]
    public void Everything_passes_where_nothing_is_wrong()
    {
        var book = new CheckBook(CheckPhase.After);
        book.Judge(AccessChecks.Category, Access);
        book.Judge(VersionChecks.Category, Server);
        book.Judge(RightsChecks.Category, Rights());
        book.Judge(ClockChecks.Category, Clock);
        book.Judge(ZoneChecks.Category, Zones);
        book.Judge(StorageChecks.Category, Volumes);
        book.Judge(SecurityChecks.Category, Healthy.Security);
        book.Judge(QuotaChecks.Category, Quotas);
        book.Judge(RuntimeChecks.Category, Runtime);
        book.Judge(AuditChecks.Category, Healthy.Audit);
        book.Judge(MetricsChecks.Usage, Measured);
        book.Judge(MetricsChecks.Discovery, Measured);
        book.Judge(DefinitionChecks.Category, Definitions());
        book.Judge(CertificateChecks.Category, Tls);
        book.Judge(WebhookChecks.Category, Hook);
        book.Judge(ControlChecks.Category, Control);
        book.Judge(DatabaseChecks.Category, new DatabaseFacts(Reading.Of(Report)));
        book.Judge(GatewayChecks.Category, Gateways(Status));
        book.Judge(GatewayChecks.Providers, Gateways(Status));
        book.Judge(OptimizerChecks.Budgets, Optimizer);
        book.Judge(NetworkChecks.Category, Network());
        book.Judge(OptimizerChecks.Category, Optimizer);
        book.Judge(ReleaseChecks.Category, Releases);
        book.Judge(LeftoverChecks.Category, Leftovers);

        book.Results.Where(result => result.Status != CheckStatus.Passed).ShouldBeEmpty();
        book.Results.Select(result => result.Id).ShouldBe(Catalogue.All.Where(info => (info.Phase & CheckPhase.After) != 0).Select(info => info.Id));
    }
}
