using Fabrik.Sandbox.Access;
using Fabrik.Sandbox.Discovery;

namespace Fabrik.Sandbox.Server;

/// <summary>What a path and method ask for, before anything has been looked up.</summary>
public sealed record ApiRequest(string Verb, ResourceType Type, string? Namespace, string Name, string Subresource)
{
    /// <summary>Null when the path names no served resource.</summary>
    public static ApiRequest? Parse(string method, string path, bool watch, ResourceCatalog catalog)
    {
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries).AsSpan();
        string group, version;
        if (parts.Length >= 3 && parts[0] == "api")
        {
            (group, version) = ("", parts[1]);
            parts = parts[2..];
        }
        else if (parts.Length >= 4 && parts[0] == "apis")
        {
            (group, version) = (parts[1], parts[2]);
            parts = parts[3..];
        }
        else return null;

        string? ns = null;
        if (parts[0] == "namespaces" && parts.Length >= 3 && !(group.Length == 0 && parts.Length == 3 && parts[2] is "status" or "finalize"))
        {
            ns = parts[1];
            parts = parts[2..];
        }

        if (group.Length == 0 && parts is ["nodes", _, "proxy", ..]) parts = parts[..3]; // what follows is the node's own
        if (parts.Length > 3 || catalog.Find(group, version, parts[0]) is not { } type) return null;
        if (ns is not null && !type.Namespaced) return null;
        var name = parts.Length > 1 ? parts[1] : "";
        var subresource = parts.Length > 2 ? parts[2] : "";
        if (type.Namespaced && ns is null && name.Length > 0) return null;
        var verb = (method, name.Length > 0) switch
        {
            ("GET" or "HEAD", true) when !watch => "get",
            ("GET" or "HEAD", _) => watch ? "watch" : "list",
            ("POST", _) => "create",
            ("PUT", true) => "update",
            ("PATCH", true) => "patch",
            ("DELETE", true) => "delete",
            ("DELETE", false) => "deletecollection",
            _ => "",
        };
        return new(verb, type, ns, name, subresource);
    }
}

/// <summary>Everything one request carries with it: who asks, with which options, and the warnings its answer will show.</summary>
public sealed class RequestContext(Identity caller)
{
    public Identity Caller => caller;

    public bool DryRun { get; init; }

    /// <summary>As the request gave it, else the first part of the User-Agent.</summary>
    public string FieldManager { get; init; } = "unknown";

    /// <summary>Whether the request itself named the manager: only then admission sees it among the options.</summary>
    public bool FieldManagerGiven { get; init; }

    /// <summary>Strict, Warn, Ignore, or empty for the server's default (Warn).</summary>
    public string FieldValidation { get; init; } = "";

    public bool Force { get; init; }

    public List<string> Warnings { get; } = [];

    public void Warn(string warning)
    {
        if (!Warnings.Contains(warning)) Warnings.Add(warning);
    }
}
