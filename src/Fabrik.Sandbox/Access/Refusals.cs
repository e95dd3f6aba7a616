using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Server;

namespace Fabrik.Sandbox.Access;

/// <summary>How a refusal is worded.</summary>
public static class Refusals
{
    public static ApiException Forbidden(Identity caller, AccessQuestion question, ResourceType? type)
    {
        if (type is null) return ApiException.Forbidden($"forbidden: User \"{caller.Name}\" cannot {question.Verb} path \"{question.Path}\"", null);
        var named = question.Name.Length > 0 ? $"{type.GroupResource} \"{question.Name}\"" : type.GroupResource;
        return ApiException.Forbidden($"{named} is forbidden: {Reason(caller, question)}", ApiException.Details(type, question.Name));
    }

    public static string Reason(Identity caller, AccessQuestion question)
    {
        var resource = question.Subresource.Length > 0 ? $"{question.Resource}/{question.Subresource}" : question.Resource;
        var scope = question.Namespace.Length > 0 ? $"in the namespace \"{question.Namespace}\"" : "at the cluster scope";
        return $"User \"{caller.Name}\" cannot {question.Verb} resource \"{resource}\" in API group \"{question.Group}\" {scope}";
    }
}
