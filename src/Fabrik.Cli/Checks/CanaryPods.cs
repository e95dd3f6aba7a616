using System.Text.Json.Nodes;

namespace Fabrik.Cli.Checks;

/// <summary>Pods that are let in everywhere.</summary>
internal static class CanaryPods
{
    /// <summary>Small, and has a shell, nc and httpd.</summary>
    public const string Image = "busybox:1.37";

    private const int User = 65532;

    /// <summary>Seconds: what nobody takes away ends by itself, and namespaces of untrusted runs let nothing in without.</summary>
    public const int Deadline = 600;

    public static JsonObject Pod(string name, string script, JsonObject? labels = null, string? image = null)
    {
        var spec = Spec("canary", script, image);
        spec["activeDeadlineSeconds"] = Deadline;
        return new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Pod", ["metadata"] = new JsonObject { ["name"] = name, ["labels"] = labels ?? [] }, ["spec"] = spec };
    }

    public static JsonObject Spec(string container, string script, string? image = null) => new()
    {
        ["restartPolicy"] = "Never",
        ["automountServiceAccountToken"] = false,
        ["enableServiceLinks"] = false,
        ["terminationGracePeriodSeconds"] = 0,
        ["securityContext"] = new JsonObject { ["runAsNonRoot"] = true, ["runAsUser"] = User, ["seccompProfile"] = new JsonObject { ["type"] = "RuntimeDefault" } },
        ["containers"] = new JsonArray(new JsonObject
        {
            ["name"] = container,
            ["image"] = image ?? Image,
            ["command"] = new JsonArray("sh", "-c", script),
            ["resources"] = new JsonObject { ["requests"] = Small(), ["limits"] = Small() },
            ["securityContext"] = new JsonObject { ["allowPrivilegeEscalation"] = false, ["readOnlyRootFilesystem"] = true, ["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") } },
        }),
    };

    private static JsonObject Small() => new() { ["cpu"] = "50m", ["memory"] = "32Mi" };
}
