using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Tables;

internal static class Nodes
{
    private const string RolePrefix = "node-role.kubernetes.io/";

    public static string Status(JsonObject node)
    {
        var ready = node.At("status", "conditions").Objects().FirstOrDefault(condition => condition["type"].String() == "Ready")?["status"].String();
        var status = ready switch { null => "Unknown", "True" => "Ready", _ => "NotReady" };
        return node.At("spec", "unschedulable").Bool() == true ? status + ",SchedulingDisabled" : status;
    }

    public static string Roles(JsonObject node)
    {
        var roles = (node.At("metadata", "labels") as JsonObject ?? [])
            .Where(label => label.Key.StartsWith(RolePrefix, StringComparison.Ordinal) && label.Key.Length > RolePrefix.Length)
            .Select(label => label.Key[RolePrefix.Length..]).Order(StringComparer.Ordinal);
        return string.Join(",", roles) is { Length: > 0 } text ? text : "<none>";
    }

    public static string Address(JsonObject node, string type) =>
        node.At("status", "addresses").Objects().FirstOrDefault(address => address["type"].String() == type)?["address"].String() ?? "<none>";
}
