using Fabrik.Quantities;

namespace Fabrik.Admission;

/// <summary>
/// What one resource of one container becomes. A container whose limit equals its request keeps them equal; where the change gives only one
/// of the two, the other moves in the same ratio; what the container does not say stays unsaid unless the change gives it.
/// </summary>
internal sealed class ContainerPlan
{
    private static readonly Quantity One = Quantity.FromUnits(1);
    private readonly ContainerDraft container;
    private readonly LimitRangeBounds bounds;
    private readonly int resource;
    private readonly Quantity? oldRequest, oldLimit, wantRequest, wantLimit;
    private Quantity? request, limit;

    public ContainerPlan(ContainerDraft container, int resource, ResourceTarget target, LimitRangeBounds bounds)
    {
        (this.container, this.resource, this.bounds) = (container, resource, bounds);
        (request, limit) = (container.Request(resource).Amount, container.Limit(resource).Amount);
        (oldRequest, oldLimit) = (EffectiveRequest, EffectiveLimit);
        if (limit is { } one && (request is null || request == one))
        {
            wantLimit = target.Limit ?? target.Request;
            Together(wantLimit!.Value);
        }
        else
        {
            (wantRequest, wantLimit) = (target.Request, target.Limit);
            Apart();
        }
    }

    /// <summary>What the Pod will have: its own defaults come first, then those of the LimitRange.</summary>
    public Quantity? EffectiveRequest => request ?? limit ?? bounds.DefaultRequest;

    public Quantity? EffectiveLimit => limit ?? bounds.Default;

    public void Write(JobDraft job)
    {
        if (request is { } one) Set(container.Request(resource), one);
        if (limit is { } other) Set(container.Limit(resource), other);

        void Set(JobValue value, Quantity amount)
        {
            if (value.Amount != amount) job.Set(value, Json.String(amount.ToString()));
        }
    }

    /// <summary>Scales both by part over whole, to amounts a person can read.</summary>
    public void Shrink(Quantity part, Quantity whole)
    {
        var size = limit ?? request ?? default;
        var step = resource == (int)ResourceName.Cpu ? ResourceNames.Step(ResourceName.Cpu) : Quantity.FromUnits(size >= Quantity.FromUnits(64 << 20) ? 1 << 20 : 1);
        var equal = request == limit;
        limit = limit?.Scale(part, whole, step);
        request = equal ? limit : request?.Scale(part, whole, step);
    }

    /// <summary>Why the plan must not be carried out: it would take back what the change is for, or Kubernetes would refuse the Pod.</summary>
    public string? Problem()
    {
        if (EffectiveRequest > EffectiveLimit) return AdmissionReasons.LimitBelowRequest;
        if (IsUndone(wantRequest, oldRequest, EffectiveRequest) || IsUndone(wantLimit, oldLimit, EffectiveLimit)) return AdmissionReasons.LimitRange;
        if (EffectiveRequest < bounds.Minimum || EffectiveLimit < bounds.Minimum || EffectiveRequest > bounds.Maximum || EffectiveLimit > bounds.Maximum) return AdmissionReasons.LimitRange;
        return EffectiveRequest is { } least && EffectiveLimit is { } most && bounds.RatioExceeded(least, most) ? AdmissionReasons.LimitRange : null;
    }

    private void Together(Quantity want)
    {
        limit = Clamp(want);
        if (request is not null) request = limit;
    }

    private void Apart()
    {
        var (oldOwnRequest, oldOwnLimit) = (request, limit);
        if (wantRequest is { } askedRequest) request = Clamp(askedRequest);
        if (wantLimit is { } askedLimit) limit = Clamp(askedLimit);
        if (oldOwnRequest is not { IsPositive: true } lower || oldOwnLimit is not { } upper) return;

        var step = ResourceNames.Step((ResourceName)resource);
        if (wantRequest is null) request = lower.Scale(limit!.Value, upper, step);
        if (wantLimit is null) limit = upper.Scale(request!.Value, lower, step);
        if (wantRequest is null && request < bounds.Minimum) request = Quantity.Min(bounds.Minimum.Value, limit!.Value);
        if (wantLimit is null && limit > bounds.Maximum) limit = Quantity.Max(bounds.Maximum.Value, request!.Value);
        if (wantRequest is not null || bounds.Ratio is not { IsPositive: true } ratio || !bounds.RatioExceeded(request!.Value, limit!.Value)) return;
        request = limit.Value.Scale(One, ratio, step);
        if (bounds.RatioExceeded(request.Value, limit.Value)) request = Quantity.Min(limit.Value, request.Value + step);
    }

    private Quantity Clamp(Quantity want)
    {
        if (want > bounds.Maximum) want = bounds.Maximum.Value;
        return want < bounds.Minimum ? bounds.Minimum.Value : want;
    }

    /// <summary>The change asked for more and there would be no more, or for less and there would be no less.</summary>
    private static bool IsUndone(Quantity? want, Quantity? old, Quantity? now) =>
        want is { } asked && old is { } was && asked != was && (now is not { } got || Math.Sign(asked.CompareTo(was)) != Math.Sign(got.CompareTo(was)));
}
