using System.Globalization;
using System.Text.Json;

namespace Fabrik.Checks;

/// <param name="Metrics">The API server's own, as text.</param>
/// <param name="Servers">Its Pods, where it runs as Pods: their command lines say how it was started.</param>
public sealed record AuditFacts(Reading<string> Metrics, Reading<IReadOnlyList<JsonElement>> Servers);

/// <summary>Whether the API server keeps a record of who did what. It is set where the API server starts, and nothing inside the cluster can set it.</summary>
public static class AuditChecks
{
    private const string Events = "apiserver_audit_event_total";
    private const int Days = 90;

    /// <summary>For k3s; other distributions take the same flags of kube-apiserver.</summary>
    public const string Lines = """
        add to /etc/rancher/k3s/config.yaml and restart k3s:
          kube-apiserver-arg:
          - audit-policy-file=/var/lib/rancher/k3s/server/audit.yaml
          - audit-log-path=/var/lib/rancher/k3s/server/logs/audit.log
          - audit-log-maxage=90
          - audit-log-maxbackup=10
          - audit-log-maxsize=100
        """;

    public static readonly Category<AuditFacts> Category = new("audit",
    [
        new("FAB-3161", "the API server writes an audit log", facts => Flag(facts, "audit-policy-file") is { } policy
            ? Finding.Passed($"by {policy}")
            : Servers(facts).Any()
                ? Finding.Warning("it was started without audit-policy-file: nobody can tell afterwards who deleted or entered what", Lines)
                : facts.Metrics.IsRead && Count(facts.Metrics.Value) is { } counted
                    ? counted > 0 ? Finding.Passed($"{counted:0} events so far") : Finding.Warning("it has audited nothing since it started: nobody can tell afterwards who deleted or entered what", Lines)
                    : Finding.Unproven(facts.Metrics.State == ReadState.Forbidden ? facts.Metrics.Why! : "the API server's own metrics do not say, and it does not run as a Pod whose flags can be read", Lines)),
        new("FAB-3162", $"it is kept for {Days} days", facts => Flag(facts, "audit-log-maxage") is { } text
            ? int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var days) && (days >= Days || days == 0) ? Finding.Passed($"{days} days") : Finding.Warning($"it is kept for {text} days", Lines)
            : Servers(facts).Any() || (facts.Metrics.IsRead && Count(facts.Metrics.Value) == 0) ? Finding.Skipped("nothing is audited")
            : Finding.Unproven("how long cannot be told from inside the cluster", "look at audit-log-maxage where the API server is started")) { Needs = ["FAB-3161"] },
    ])
    { Needs = [AccessChecks.Answers] };

    private static IEnumerable<JsonElement> Servers(AuditFacts facts) => facts.Servers.IsRead ? facts.Servers.Value : [];

    private static string? Flag(AuditFacts facts, string name) => Servers(facts).SelectMany(pod => pod.List("spec", "containers")).SelectMany(container => container.Texts("command").Concat(container.Texts("args")))
        .Where(argument => argument.StartsWith($"--{name}=", StringComparison.Ordinal)).Select(argument => argument[(name.Length + 3)..]).FirstOrDefault();

    /// <summary>Null where the text has no such counter.</summary>
    private static double? Count(string metrics)
    {
        double? sum = null;
        foreach (var line in metrics.Split('\n'))
        {
            if (!line.StartsWith(Events, StringComparison.Ordinal) || line.LastIndexOf(' ') is not (> 0 and var at)) continue;
            if (double.TryParse(line.AsSpan(at + 1), NumberStyles.Float, CultureInfo.InvariantCulture, out var value)) sum = (sum ?? 0) + value;
        }

        return sum;
    }
}
