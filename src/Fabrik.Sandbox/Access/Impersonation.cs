using Fabrik.Sandbox.Server;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Sandbox.Access;

/// <summary>Impersonate-User and its companions: masters may act as anybody, nobody else may.</summary>
public static class Impersonation
{
    public static Identity Apply(Identity caller, IHeaderDictionary headers)
    {
        var user = headers["Impersonate-User"].ToString();
        if (user.Length == 0) return caller;
        if (!caller.IsMaster) throw ApiException.Forbidden($"users \"{user}\" is forbidden: User \"{caller.Name}\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope", null);
        List<string> groups = [.. headers["Impersonate-Group"].OfType<string>()];
        var parts = user.Split(':');
        if (groups.Count == 0 && parts is ["system", "serviceaccount", var ns, _]) groups.AddRange([Identity.ServiceAccounts, $"{Identity.ServiceAccounts}:{ns}"]);
        if (!groups.Contains(Identity.Authenticated)) groups.Add(Identity.Authenticated);
        return new(user, headers["Impersonate-Uid"].ToString(), groups);
    }
}
