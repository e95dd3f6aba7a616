using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Cli.Connections;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Checks;

/// <summary>Facts about the cluster itself and about who asks.</summary>
internal static class AccessGathering
{
    /// <summary>Review questions at once.</summary>
    private const int AtOnce = 8;

    public static async Task<AccessFacts> AccessAsync(Reading<string> config, FactReader? reader, TimeProvider clock, CancellationToken ct)
    {
        if (reader is null) return new AccessFacts(config, Reading.Not<JsonElement>(ReadState.Broken, config.Why!), default, Reading.Not<string>(ReadState.Broken, config.Why!), Reading.Not<string>(ReadState.Broken, config.Why!));
        var version = await reader.RawAsync(Names.Paths.Version, ct);
        var began = clock.GetTimestamp();
        if (version.IsRead) await reader.RawAsync(Names.Paths.Version, ct); // the first had to connect
        var took = clock.GetElapsedTime(began);
        if (!version.IsRead) return new AccessFacts(config, version, took, Reading.Not<string>(ReadState.Broken, version.Why!), Reading.Not<string>(ReadState.Broken, version.Why!));
        var user = await FactReader.TryAsync(async () => await WhoAmI.AskAsync(reader.Client, ct) ?? "");
        if (user is { IsRead: true, Value: "" }) user = Reading.Not<string>(ReadState.Forbidden, "the cluster does not say who the caller is");
        return new AccessFacts(config, version, took, user, await reader.TextAsync(Names.Paths.Ready, ct));
    }

    public static async Task<ServerFacts> ServerAsync(FactReader reader, CancellationToken ct)
    {
        var version = await reader.RawAsync(Names.Paths.Version, ct);
        var groups = await FactReader.TryAsync(async () =>
        {
            var core = await reader.Client.GetRawAsync("/api", ct);
            var others = await reader.Client.GetRawAsync("/apis", ct);
            return (IReadOnlySet<string>)core.Texts("versions").Concat(others.List("groups").SelectMany(group => group.List("versions")).Select(one => one.Text("groupVersion") ?? "")).ToHashSet(StringComparer.Ordinal);
        });
        return new ServerFacts(version.Value, groups, await reader.ListAsync(Kinds.Node, null, ct));
    }

    public static async Task<RightsFacts> RightsAsync(FactReader reader, CheckPhase phase, string? outside, CancellationToken ct)
    {
        using var gate = new SemaphoreSlim(AtOnce);
        var answers = await Task.WhenAll(RightsChecks.Questions(phase).Select(async question =>
        {
            await gate.WaitAsync(ct);
            try
            {
                return (question, Answer: await AskAsync(reader, question, ct));
            }
            finally
            {
                gate.Release();
            }
        }));
        return new RightsFacts(answers.ToDictionary(one => one.question, one => one.Answer), outside);
    }

    private static Task<Reading<string>> AskAsync(FactReader reader, AccessQuestion question, CancellationToken ct) => FactReader.TryAsync(async () =>
    {
        var attributes = new JsonObject { ["verb"] = question.Verb, ["group"] = question.Group, ["resource"] = question.Resource };
        if (question.Namespace is not null) attributes["namespace"] = question.Namespace;
        if (question.Name is not null) attributes["name"] = question.Name;
        if (question.Subresource.Length > 0) attributes["subresource"] = question.Subresource;
        var kind = question.User is null ? Kinds.SelfSubjectAccessReview : Kinds.SubjectAccessReview;
        var spec = new JsonObject { ["resourceAttributes"] = attributes };
        if (question.User is { } user)
        {
            spec["user"] = user;
            // As the API server would say it of a token of this ServiceAccount.
            spec["groups"] = new JsonArray("system:serviceaccounts", $"system:serviceaccounts:{user.Split(':')[2]}", "system:authenticated");
        }

        var review = await reader.Client.CreateAsync(kind, null, new JsonObject { ["apiVersion"] = kind.ApiVersion, ["kind"] = kind.Kind, ["spec"] = spec }, ct);
        return review.Json.Says("status", "allowed") ? RightsFacts.Allowed : RightsFacts.Refused;
    });
}
