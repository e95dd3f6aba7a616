using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Installing;

/// <summary>A registration that is never reached fails silently, as Jobs are then created as they came: so it is tried, with a Job that is not stored.</summary>
internal sealed class WebhookProof(KubernetesClient cluster, TimeProvider clock)
{
    /// <summary>A first call may find a process that has just started, and connections that are not made yet.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    /// <exception cref="CommandException">No Job came back with an assignment.</exception>
    public async Task RunAsync(TimeSpan patience, CancellationToken ct)
    {
        var began = clock.GetTimestamp();
        while (clock.GetElapsedTime(began) < patience)
        {
            if (await IsReachedAsync(ct)) return;
            await Task.Delay(Pause, clock, ct);
        }

        throw new CommandException(
            ExitCode.Error, "FAB-1120", "Fabrik is installed, but the API server does not reach its webhook: Jobs stay as they come",
            $"none of the Jobs that were tried in namespace {Names.RunsNamespace} for {patience.TotalSeconds:0} s came back with an assignment",
            $"let the control plane reach port 9443 of Pods in {Names.SystemNamespace} (a firewall rule, on private clusters), then the same command again; kubectl -n {Names.SystemNamespace} logs deployment/{Names.Objects.Webhook} shows whether reviews arrive");
    }

    private async Task<bool> IsReachedAsync(CancellationToken ct)
    {
        try
        {
            var answer = await cluster.CreateAsync(Kinds.Job, Names.RunsNamespace, Probe(), ct, new WriteOptions { DryRun = true });
            return answer.Annotation(Names.Annotations.Assignment) is not null;
        }
        catch (KubernetesException e) when ((e.IsForbidden || e.IsInvalid) && e.StatusMessage.Contains("ValidatingAdmissionPolicy", StringComparison.Ordinal))
        {
            // Fabrik's own policies refuse a run as it came; with the webhook it would not have come to them like that.
            return false;
        }
    }

    private static JsonObject Probe() => new()
    {
        ["apiVersion"] = "batch/v1",
        ["kind"] = "Job",
        ["metadata"] = new JsonObject { ["generateName"] = "fabrik-probe-" },
        ["spec"] = new JsonObject
        {
            ["template"] = new JsonObject
            {
                ["spec"] = new JsonObject
                {
                    ["restartPolicy"] = "Never",
                    ["securityContext"] = new JsonObject { ["runAsNonRoot"] = true, ["runAsUser"] = 1000, ["seccompProfile"] = new JsonObject { ["type"] = "RuntimeDefault" } },
                    ["containers"] = new JsonArray(new JsonObject
                    {
                        ["name"] = "main",
                        ["image"] = "probe",
                        ["securityContext"] = new JsonObject { ["allowPrivilegeEscalation"] = false, ["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") } },
                    }),
                },
            },
        },
    };
}
