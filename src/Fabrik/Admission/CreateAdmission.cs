using System.Text.Json;
using Fabrik.Experiments;

namespace Fabrik.Admission;

/// <summary>
/// A new Job: what a copied assignment had changed is taken back, then the Job gets its arm, what belongs to it, its run token where it is in the gateway, and
/// the signed record of all. Optimised or in the gateway, each is its own choice.
/// </summary>
internal static class CreateAdmission
{
    public static AdmissionOutcome Admit(in ReviewRequest request, JobDraft job, AdmissionSnapshot snapshot, TimeSpan staleness, DateTimeOffset now)
    {
        var optimize = job.AnnotationsElement.Member(Utf8Names.Optimize);
        var isOptedOut = optimize.Is("false"u8);
        if (snapshot.Namespace(request.Namespace) is not { } facts) return request.Untouched(isOptedOut && snapshot.Gateway is null ? AdmissionReasons.OptedOut : AdmissionReasons.UnknownNamespace);
        var isOptimised = !isOptedOut && (facts.IsEnabled || optimize.Is("true"u8));
        var isInGateway = RunIdentity.IsWanted(job, facts, snapshot);
        var isSecured = RunSafety.IsWanted(job, facts);
        var asksToResume = job.AnnotationsElement.Member(Utf8Names.Resume).ValueKind != JsonValueKind.Undefined;
        if (!isOptimised && !isInGateway && !isSecured && !asksToResume) return request.Untouched(isOptedOut ? AdmissionReasons.OptedOut : AdmissionReasons.NotOptedIn);

        var copied = Copied(job, snapshot.Keys);
        if (copied is not null)
        {
            if (IsMirrored(job, copied, facts)) return request.Untouched(AdmissionReasons.OtherCluster);
            Restore(job, copied);
        }

        // Copied from a Job of Fabrik's without a record that we can trust: what the user wanted is unknown, so no arm may count it.
        var hasToken = RunIdentity.Remove(job, snapshot);
        var isUnknown = copied is null && (hasToken || job.Assignment.Received.Length > 0 || HasLabels(job));
        job.AcceptAsOriginal();
        job.TakesRunToken = isInGateway && RunIdentity.IsTaken(job);
        if (isSecured) snapshot.Runs.Put(job, facts);
        var runId = RunId(request, snapshot);
        if (asksToResume) ResumeVolume.Put(job, runId, snapshot.Runs.Group);

        var draw = isOptimised && !isUnknown ? Assign(request, runId, job, snapshot, facts, staleness) : null;
        if (isSecured) snapshot.Runs.PutTtl(job, facts);
        var reason = Reason(isOptimised, isInGateway, isUnknown, copied is not null, draw is not null);
        if (draw is null && (job.TakesRunToken || isSecured || job.Resume is not null)) draw = New(request, runId, snapshot, facts, Arm.Unassigned);
        if (draw is not null)
        {
            if (isInGateway && !RunIdentity.Put(job, draw, facts, snapshot.Gateway!, request.IsDryRun, now)) draw.Skipped ??= AdmissionReasons.OwnCredentials;
            return Record(request, job, draw, facts, snapshot, reason);
        }

        if (copied is null && !isUnknown) return request.Untouched(isOptimised ? AdmissionReasons.Stale : isInGateway ? AdmissionReasons.OwnCredentials : isOptedOut ? AdmissionReasons.OptedOut : AdmissionReasons.NotOptedIn);
        job.Set(job.Assignment, default);
        Label(job, default, default, default, default);
        return request.Patched(reason);
    }

    private static string Reason(bool isOptimised, bool isInGateway, bool isUnknown, bool isCopy, bool isDrawn)
    {
        if (isUnknown) return AdmissionReasons.CopyUnknown;
        if (isDrawn) return isCopy ? AdmissionReasons.CopyReassigned : AdmissionReasons.Assigned;
        return isCopy ? AdmissionReasons.CopyRestored : isOptimised ? AdmissionReasons.Stale : isInGateway ? AdmissionReasons.Identified : AdmissionReasons.Secured;
    }

    private static AdmissionOutcome Record(in ReviewRequest request, JobDraft job, Draw draw, NamespaceFacts facts, AdmissionSnapshot snapshot, string reason)
    {
        if (AssignmentText.Write(job, draw, snapshot.Keys) is not { } annotation) return request.Untouched(AdmissionReasons.TooLarge);
        var isDrawn = draw.Arm != Arm.Unassigned;
        job.Set(job.Assignment, annotation);
        var variant = draw.Arm is Arm.None or Arm.Unassigned ? default : Json.Quoted(Arms.Utf8(draw.Arm));
        var experiment = draw.Arm is Arm.Treatment or Arm.Control ? draw.Change!.Label : default;
        Label(job, Json.Quoted(System.Text.Encoding.ASCII.GetBytes(draw.RunId)), variant, experiment, isDrawn && IsRolledBack(job, facts, snapshot) ? "\"true\""u8.ToArray() : default);
        return request.Patched(reason) with { Arm = isDrawn ? draw.Arm : null, Change = draw.Change?.Name, Skipped = draw.Skipped };
    }

    /// <summary>
    /// Null where the snapshot is too old to say. While it is too old for arms but not for applied changes, only what comes of those is recorded
    /// (applied, and holdout beside it): Jobs that would have been in an experiment, or in none, stay unassigned, so no experiment gains a run.
    /// </summary>
    private static Draw? Assign(in ReviewRequest request, string runId, JobDraft job, AdmissionSnapshot snapshot, NamespaceFacts facts, TimeSpan staleness)
    {
        if (staleness > AdmissionSnapshot.AppliedFreshFor) return null;
        var draw = New(request, runId, snapshot, facts, Arm.None);
        if (AssignmentBuckets.IsHoldout(draw.Bucket))
        {
            draw.Arm = Arm.Holdout;
            return draw;
        }

        var isFresh = staleness <= AdmissionSnapshot.ArmsFreshFor;
        var draws = isFresh && !snapshot.IsPaused;
        var heldBack = draws ? snapshot.HeldBack(draw.Bucket) : null;
        var isHeldBack = Apply(job, snapshot, facts, draw, heldBack);
        if (isHeldBack) draw.Experiments.Add(heldBack!);

        // A bucket that is compared with an applied change is in no experiment, as it lacks what the treatments have.
        var treatment = draws && heldBack is null ? Experiment(job, snapshot, facts, draw) : null;
        if (treatment is not null)
        {
            ChangePlan.Put(treatment, job, facts, snapshot);
            draw.Experiments.Add(treatment);
            (draw.Arm, draw.Change) = (Arm.Treatment, treatment);
        }
        else if (draw.Experiments.Count > 0) (draw.Arm, draw.Change) = (Arm.Control, draw.Experiments[0]);
        else if (draw.Applied.Count > 0) (draw.Arm, draw.Change) = (Arm.Applied, draw.Applied[^1]);
        else if (!isFresh) return null;
        return draw;
    }

    private static string RunId(in ReviewRequest request, AdmissionSnapshot snapshot)
    {
        Span<byte> runId = stackalloc byte[Assignment.RunIdLength];
        snapshot.Keys.RunId(request.Unit, runId);
        return System.Text.Encoding.ASCII.GetString(runId);
    }

    private static Draw New(in ReviewRequest request, string runId, AdmissionSnapshot snapshot, NamespaceFacts facts, Arm arm) => new()
    {
        Unit = System.Text.Encoding.UTF8.GetString(request.Unit),
        Namespace = facts.Name,
        RunId = runId,
        Bucket = AssignmentBuckets.Bucket(snapshot.Salt, request.Unit),
        Arm = arm,
    };

    /// <returns>Whether the Job could have got the change that its bucket goes on without.</returns>
    private static bool Apply(JobDraft job, AdmissionSnapshot snapshot, NamespaceFacts facts, Draw draw, CompiledChange? heldBack)
    {
        var isHeldBack = false;
        foreach (var change in snapshot.Applied)
        {
            if (!ChangePlan.Matches(change, job, facts)) continue;
            var mark = job.Mark;
            if (ChangePlan.Put(change, job, facts, snapshot) is { } reason) draw.Skipped ??= reason;
            else if (change != heldBack) draw.Applied.Add(change);
            else
            {
                job.Rollback(mark);
                isHeldBack = true;
            }
        }

        return isHeldBack;
    }

    private static bool IsRolledBack(JobDraft job, NamespaceFacts facts, AdmissionSnapshot snapshot)
    {
        foreach (var change in snapshot.RolledBack)
            if (ChangePlan.Matches(change, job, facts)) return true;
        return false;
    }

    /// <summary>
    /// The experiment that treats the Job; else <see cref="Draw.Experiments"/> are those whose control it is. Whether an experiment could treat the Job is asked
    /// the same way for every bucket, and a bucket that any experiment treats is in no control, whether that one is for the Job or not: so all Jobs of
    /// an experiment, whatever else they match, are drawn into each of its arms with one probability.
    /// </summary>
    private static CompiledChange? Experiment(JobDraft job, AdmissionSnapshot snapshot, NamespaceFacts facts, Draw draw)
    {
        foreach (var change in snapshot.Experiments)
        {
            if (!ChangePlan.Matches(change, job, facts)) continue;
            var mark = job.Mark;
            if (ChangePlan.Put(change, job, facts, snapshot) is { } reason)
            {
                draw.Skipped ??= reason;
                continue;
            }

            job.Rollback(mark);
            draw.Experiments.Add(change);
        }

        if (snapshot.Treating(draw.Bucket) is not { } treating) return null;
        var treatment = draw.Experiments.Contains(treating) ? treating : null;
        draw.Experiments.Clear();
        return treatment;
    }

    private static Assignment? Copied(JobDraft job, AssignmentKeys keys)
    {
        var annotation = job.AnnotationsElement.Member(Utf8Names.Assignment);
        return annotation.ValueKind == JsonValueKind.String && Json.Raw(annotation).Length <= 2 * Assignment.MaximumSize ? Assignment.Verify(annotation.GetString()!, keys) : null;
    }

    /// <summary>MultiKueue sends a Job on to the cluster where it runs: it keeps its arm.</summary>
    private static bool IsMirrored(JobDraft job, Assignment copied, NamespaceFacts facts) =>
        job.LabelsElement.Member(Utf8Names.MultiKueueOrigin).ValueKind == JsonValueKind.String
        && copied.IsOf(facts.Name, job.Metadata.Member("name"u8).Text() ?? "", job.Metadata.Member("generateName"u8).Text());

    /// <summary>Each value that is still what Fabrik wrote becomes again what it had been.</summary>
    private static void Restore(JobDraft job, Assignment copied)
    {
        foreach (var written in copied.Written)
            if (WrittenPaths.Find(job, written) is { } value && WrittenPaths.Is(value, written.To)) job.Set(value, Json.Raw(written.From).ToArray());
    }

    private static void Label(JobDraft job, ReadOnlyMemory<byte> runId, ReadOnlyMemory<byte> variant, ReadOnlyMemory<byte> experiment, ReadOnlyMemory<byte> rolledBack)
    {
        foreach (var labels in (ReadOnlySpan<JobValue[]>)[job.Labels, job.TemplateLabels])
        {
            job.Set(labels[0], runId);
            job.Set(labels[1], variant);
            job.Set(labels[2], experiment);
            job.Set(labels[3], rolledBack);
        }
    }

    private static bool HasLabels(JobDraft job) =>
        Array.Exists(job.Labels, label => label.Received.Length > 0) || Array.Exists(job.TemplateLabels, label => label.Received.Length > 0);
}
