using System.Text.Json;

namespace Fabrik.Checks;

/// <param name="Here">This machine's time when the answer came.</param>
/// <param name="Server">The API server's, from the Date of its answer: whole seconds.</param>
/// <param name="Leases">Those of nodes.</param>
/// <param name="Api">How far Fabrik's API is ahead of this machine.</param>
/// <param name="Gateways">How far each gateway is ahead of this machine, by its name.</param>
public sealed record ClockFacts(DateTimeOffset Here, Reading<DateTimeOffset> Server, Reading<IReadOnlyList<JsonElement>> Leases, Reading<TimeSpan> Api, IReadOnlyDictionary<string, TimeSpan> Gateways);

/// <summary>Whether all clocks tell the same time: tokens, certificates, leases and intervals of experiments depend on it.</summary>
public static class ClockChecks
{
    /// <summary>Above it tokens that were just made count as not valid yet.</summary>
    private static readonly TimeSpan Noticeable = TimeSpan.FromSeconds(30);

    /// <summary>Above it certificates, tokens and Leases are refused or taken over.</summary>
    private static readonly TimeSpan Harmful = TimeSpan.FromMinutes(5);

    /// <summary>A kubelet writes its Lease each ten seconds.</summary>
    private static readonly TimeSpan Silent = TimeSpan.FromMinutes(2);

    public static readonly Category<ClockFacts> Category = new("clock",
    [
        new("FAB-3101", "this machine and the API server tell the same time", facts => facts.Server.Judge(server => Skew("this machine", facts.Here - server, "the API server", "set this machine's clock by NTP: timedatectl status"))),
        new("FAB-3102", "no node's clock is ahead", facts => facts.Server.Judge(server => facts.Leases.Judge(leases =>
            leases.Count == 0 ? Finding.Unproven("no node has a Lease in kube-node-lease")
                : leases.MaxBy(lease => lease.Time("spec", "renewTime") ?? DateTimeOffset.MinValue) is var first && first.Time("spec", "renewTime") is { } renewed && renewed > server
                    ? Skew($"node {first.Name()}", renewed - server, "the API server", "look at the node's clock: timedatectl status")
                    : Finding.Passed($"{leases.Count} nodes")))),
        new("FAB-3103", "every node reports in time", facts => facts.Server.Judge(server => facts.Leases.Judge(leases =>
            leases.Count == 0 ? Finding.Unproven("no node has a Lease in kube-node-lease")
                : leases.Where(lease => server - lease.Time("spec", "renewTime") > Silent).Select(Fields.Name).ToList() is { Count: > 0 } silent
                    ? Finding.Warning($"{silent.Few()}: no Lease for more than {Silent.TotalMinutes:0} minutes, so the node is away or its clock is behind", $"kubectl describe node {silent[0]}")
                    : Finding.Passed($"{leases.Count} nodes")))),
        new("FAB-3104", "Fabrik's API tells the same time", facts => facts.Api.Judge(ahead => Skew("Fabrik's API", ahead, "this machine", $"kubectl -n {Names.SystemNamespace} get pod {Names.Objects.Control}-0 -o wide"), () => Finding.Unproven(facts.Api.Why!))) { Phase = CheckPhase.After, Needs = ["FAB-3101"] },
        new("FAB-3105", "the gateways tell the same time", facts => facts.Gateways.Count == 0
            ? Finding.Unproven("no gateway answered")
            : facts.Gateways.MaxBy(one => one.Value.Duration()) is var (name, ahead) ? Skew($"gateway {name}", ahead, "this machine", $"kubectl -n {Names.GatewayNamespace} get pods -o wide") : Finding.Passed()) { Phase = CheckPhase.After, Needs = ["FAB-3101"] },
    ])
    { Needs = [AccessChecks.Answers] };

    private static Finding Skew(string whose, TimeSpan ahead, string than, string next)
    {
        var seconds = ahead.Duration();
        if (seconds <= Noticeable) return Finding.Passed($"{seconds.TotalSeconds:0} s apart");
        var words = $"the clock of {whose} is {(seconds.TotalMinutes >= 2 ? $"{seconds.TotalMinutes:0} minutes" : $"{seconds.TotalSeconds:0} s")} {(ahead > TimeSpan.Zero ? "ahead of" : "behind")} that of {than}";
        return seconds > Harmful ? Finding.Failed($"{words}: certificates, tokens and Leases are refused or taken over", next) : Finding.Warning(words, next);
    }
}
