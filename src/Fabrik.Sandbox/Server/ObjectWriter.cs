using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Admission;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;
using Fabrik.Sandbox.Validation;

namespace Fabrik.Sandbox.Server;

/// <summary>
/// Create, update and patch as the real server orders them: defaults, managed fields, mutating admission, defaults again, the type's own
/// strategy and validation, validating admission and quota, and last the store, which refuses when somebody else wrote in between.
/// </summary>
public sealed class ObjectWriter(Cluster cluster)
{
    private const int NameAttempts = 8;
    private const int PatchAttempts = 5;

    /// <summary>Stores a new object; with a dry run the answer is what would have been stored.</summary>
    public Task<StoredObject> CreateAsync(ResourceType type, string? ns, JsonObject body, RequestContext context, CancellationToken ct) =>
        CreateAsync(type, ns, body, context, track: true, ct);

    private async Task<StoredObject> CreateAsync(ResourceType type, string? ns, JsonObject body, RequestContext context, bool track, CancellationToken ct)
    {
        (type, body) = Stored(type, body);
        var metadata = body.Metadata();
        PlaceIn(type, ns, body);
        if (metadata.Text("resourceVersion") is { Length: > 0 }) throw new ApiException(500, "", "resourceVersion should not be set on objects to be created");
        foreach (var field in (ReadOnlySpan<string>)["uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"]) metadata.Remove(field);
        RequireNamespace(type, ns, metadata.Text("name") ?? "");
        TypeRules.Default(type, body);
        if (type == BuiltInTypes.Secret) Lifecycle.PrepareUpdate(body, body);
        if (track) TrackNew(type, body, context);

        var request = new AdmissionRequest("CREATE", type, "", ns, metadata.Text("name") ?? "", body, null, context);
        body = await cluster.Admission.MutateAsync(request, ct);
        metadata = body.Metadata();
        metadata["uid"] = Guid.NewGuid().ToString();
        metadata["creationTimestamp"] = cluster.Now();
        if (type.Custom is not null) metadata["generation"] = 1;
        var template = metadata.Text("name") is { Length: > 0 } ? null : metadata.Text("generateName");
        for (var attempt = 1; ; attempt++)
        {
            if (template is { Length: > 0 }) metadata["name"] = template[..Math.Min(template.Length, 58)] + Cluster.RandomSuffix();
            Strategy.PrepareForCreate(type, body, cluster.Now());
            var name = metadata.Text("name") ?? "";
            if (attempt == 1)
            {
                Refuse(type, name, TypeRules.Validate(type, body, null));
                await cluster.Admission.ValidateAsync(request with { Name = name, Object = body }, ct);
            }

            if (cluster.Store.Get(type, ns, name) is null)
            {
                var quota = cluster.Admission.QuotaGuard(type, body, null);
                if (context.DryRun)
                {
                    quota?.Invoke();
                    return new StoredObject(type, body, 0);
                }

                if (cluster.Store.Put(type, body, null, quota) is { } stored) return stored;
            }

            if (template is null || attempt == NameAttempts) throw ApiException.AlreadyExists(type, name);
        }
    }

    /// <summary>Replaces an object (subresource empty) or its status.</summary>
    public async Task<(StoredObject Stored, bool Created)> UpdateAsync(
        ResourceType type, string? ns, string name, string subresource, JsonObject body, RequestContext context, CancellationToken ct)
    {
        (type, body) = Stored(type, body);
        PlaceIn(type, ns, body);
        if (body.Metadata().Text("name") is not { Length: > 0 } own) body.Metadata()["name"] = name;
        else if (own != name) throw ApiException.BadRequest($"the name of the object ({own}) does not match the name on the URL ({name})");
        for (var attempt = 1; ; attempt++)
        {
            if (cluster.Store.Get(type, ns, name) is not { } current)
            {
                if (type.CreateOnUpdate && subresource.Length == 0) return (await CreateAsync(type, ns, body, context, ct), true);
                throw ApiException.NotFound(type, name);
            }

            if (!type.TakesBlindUpdates && string.IsNullOrEmpty(body.Metadata().Text("resourceVersion")))
                Refuse(type, name, [new FieldError("FieldValueInvalid", "Invalid value: 0: must be specified for an update", "metadata.resourceVersion")]);
            var changed = (JsonObject)body.DeepClone();
            TypeRules.Default(type, changed);
            if (await ReplaceAsync(current, subresource, changed, track: true, context, ct) is { } stored) return (stored, false);
            if (attempt == PatchAttempts) throw ApiException.Conflict(type, name);
        }
    }

    /// <summary>
    /// Changes an object by a function of its present state, again when somebody wrote in between. The function gets a copy of its own, or
    /// null when there is none and <paramref name="mayCreate"/> allows to make it (server-side apply).
    /// </summary>
    public async Task<(StoredObject Stored, bool Created)> PatchAsync(
        ResourceType type, string? ns, string name, string subresource, Func<JsonObject?, JsonObject> change, bool track, bool mayCreate, RequestContext context, CancellationToken ct)
    {
        var shown = type;
        type = Stored(type, []).Type;
        for (var attempt = 1; ; attempt++)
        {
            var current = cluster.Store.Get(type, ns, name);
            if (current is null)
            {
                if (!mayCreate || subresource.Length > 0) throw ApiException.NotFound(type, name);
                try
                {
                    return (await CreateAsync(type, ns, change(null), context, track, ct), true);
                }
                catch (ApiException error) when (error.Code == 409 && attempt < PatchAttempts)
                {
                    continue;
                }
            }

            var (_, changed) = Stored(shown, change(Views.Content(shown, current)));
            TypeRules.Default(type, changed);
            if (await ReplaceAsync(current, subresource, changed, track, context, ct) is { } stored) return (stored, false);
            if (attempt == PatchAttempts) throw ApiException.Conflict(type, name);
        }
    }

    private async Task<StoredObject?> ReplaceAsync(
        StoredObject current, string subresource, JsonObject changed, bool track, RequestContext context, CancellationToken ct)
    {
        var type = current.Type;
        var old = current.Read();
        var metadata = changed.Metadata();
        var oldMetadata = old.Metadata();
        if (metadata.Text("resourceVersion") is { Length: > 0 } version && version != current.ResourceVersion.ToString(CultureInfo.InvariantCulture))
        {
            throw ApiException.Conflict(type, current.Name);
        }

        if (metadata.Text("uid") is { Length: > 0 } uid && uid != current.Uid)
        {
            var key = $"/registry/{(type.Custom is null ? type.Plural : $"{type.Group}/{type.Plural}")}/{current.Key}";
            throw ApiException.Conflict(
                type,
                current.Name,
                $"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {current.Uid}");
        }

        if (metadata.Text("name") is { } name && name != current.Name) throw ApiException.BadRequest($"the name of the object ({name}) does not match the name on the URL ({current.Name})");
        foreach (var field in (ReadOnlySpan<string>)["name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "generateName"])
        {
            metadata.Remove(field);
            if (oldMetadata[field] is { } value) metadata[field] = value.DeepClone();
        }

        Strategy.PrepareForUpdate(type, changed, old, subresource, cluster.Now());
        if (track) Ownership.Track(type, old, changed, context, cluster.Clock.GetUtcNow(), subresource);

        var request = new AdmissionRequest("UPDATE", type, subresource, type.Namespaced ? current.Namespace : null, current.Name, changed, current, context);
        changed = await cluster.Admission.MutateAsync(request, ct);
        Strategy.PrepareForUpdate(type, changed, old, subresource, cluster.Now());
        Strategy.CountGeneration(type, changed, old);
        Refuse(type, current.Name, TypeRules.Validate(type, changed, old, subresource));
        await cluster.Admission.ValidateAsync(request with { Object = changed }, ct);
        if (SameButTimes(old, changed)) return current;
        if (current.IsDeleting && subresource.Length == 0 && Finalizers(changed) == 0 && (changed.Number("metadata", "deletionGracePeriodSeconds") ?? 0) == 0)
        {
            return context.DryRun ? new StoredObject(type, changed, current.ResourceVersion) : cluster.Store.Remove(current, changed);
        }

        var quota = cluster.Admission.QuotaGuard(type, changed, current);
        if (!context.DryRun) return cluster.Store.Put(type, changed, current, quota);
        quota?.Invoke();
        return new StoredObject(type, changed, current.ResourceVersion);
    }

    // A status that the server will set anew is nobody's.
    private void TrackNew(ResourceType type, JsonObject body, RequestContext context)
    {
        var status = type.HasStatus && type != BuiltInTypes.Node ? body["status"] : null;
        if (status is not null) body.Remove("status");
        Ownership.Track(type, null, body, context, cluster.Clock.GetUtcNow());
        if (status is not null) body["status"] = status;
    }

    // Events of the newer group are kept in the shape of the core group.
    private static (ResourceType Type, JsonObject Body) Stored(ResourceType type, JsonObject body) =>
        type == BuiltInTypes.NewEvent ? (BuiltInTypes.Event, EventViews.Convert(body, BuiltInTypes.Event)) : (type, body);

    private void RequireNamespace(ResourceType type, string? ns, string name)
    {
        if (!type.Namespaced) return;
        if (cluster.Store.Get(BuiltInTypes.Namespace, null, ns!) is not { } home) throw ApiException.NotFound(BuiltInTypes.Namespace, ns!);
        if (home.IsDeleting)
        {
            throw ApiException.Forbidden(type, name, $"unable to create new content in namespace {ns} because it is being terminated");
        }
    }

    private static void PlaceIn(ResourceType type, string? ns, JsonObject body)
    {
        body["kind"] = type.Kind;
        body["apiVersion"] = type.ApiVersion;
        var metadata = body.Metadata();
        if (!type.Namespaced) metadata.Remove("namespace");
        else if (metadata.Text("namespace") is not { Length: > 0 } own) metadata["namespace"] = ns;
        else if (own != ns) throw ApiException.BadRequest($"the namespace of the provided object does not match the namespace sent on the request");
    }

    private static void Refuse(ResourceType type, string name, IReadOnlyList<FieldError> causes)
    {
        if (causes.Count > 0) throw ApiException.Invalid(type, name, causes);
    }

    private static int Finalizers(JsonObject content) => (content.At("metadata", "finalizers") as JsonArray)?.Count ?? 0;

    // A write that changes nothing leaves the resourceVersion; the times in managedFields do not count as a change.
    private static bool SameButTimes(JsonObject old, JsonObject changed)
    {
        if (JsonNode.DeepEquals(old, changed)) return true;
        if (old.At("metadata", "managedFields") is null) return false;
        var left = WithoutTimes(old);
        return JsonNode.DeepEquals(left, WithoutTimes(changed));
    }

    private static JsonObject WithoutTimes(JsonObject content)
    {
        var copy = (JsonObject)content.DeepClone();
        foreach (var entry in copy.Items("metadata", "managedFields").OfType<JsonObject>()) entry.Remove("time");
        return copy;
    }
}
