using System.Text.Json.Nodes;

namespace Fabrik.Api.Callers;

/// <summary>Who calls, as the cluster said.</summary>
/// <param name="Attributes">user, uid, groups and extra in the form a SubjectAccessReview takes.</param>
internal sealed record Caller(string User, JsonObject Attributes, string Key);
