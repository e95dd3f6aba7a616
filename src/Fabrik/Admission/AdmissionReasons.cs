namespace Fabrik.Admission;

/// <summary>Why a review ended as it did, or a change was not put on. A closed set: these are values of metric labels.</summary>
public static class AdmissionReasons
{
    // A patch was sent.
    public const string Assigned = "assigned";

    /// <summary>It is in the gateway and not optimised: a run id and its token, no arm.</summary>
    public const string Identified = "identified";

    /// <summary>It is neither optimised nor in the gateway: it got the defaults of runs or a volume to resume from, and a run id.</summary>
    public const string Secured = "secured";
    public const string CopyReassigned = "copy-reassigned";
    public const string CopyRestored = "copy-restored";
    public const string CopyUnknown = "copy-unknown";
    public const string UpdateRestored = "update-restored";

    // Nothing was to be done.
    public const string OtherKind = "other-kind";
    public const string OtherOperation = "other-operation";
    public const string ExcludedNamespace = "excluded-namespace";
    public const string OptedOut = "opted-out";
    public const string NotOptedIn = "not-opted-in";
    public const string UpdateUnassigned = "update-unassigned";
    public const string UpdateUnchanged = "update-unchanged";
    public const string Stale = "stale";
    public const string OtherCluster = "multikueue";

    /// <summary>In the gateway, but no container takes a run token: each brings credentials or addresses of its own, or may by envFrom. Also why a change of model is not put on.</summary>
    public const string OwnCredentials = "own-credentials";

    // In doubt: nothing was done, and the answer carries a warning.
    public const string UnknownNamespace = "unknown-namespace";
    public const string MalformedJob = "malformed-job";
    public const string DuplicateNames = "duplicate-names";
    public const string TooLarge = "too-large";
    public const string InvalidResult = "invalid-result";
    public const string Unexpected = "unexpected";

    // Not an AdmissionReview.
    public const string NotJson = "not-json";
    public const string NotAReview = "not-a-review";
    public const string WrongVersion = "wrong-version";

    // A change was meant for the Job but not possible.
    public const string NotPermitted = "not-permitted";
    public const string NoEffect = "no-effect";
    public const string NoContainer = "no-such-container";
    public const string PodResources = "pod-level-resources";
    public const string LimitBelowRequest = "limit-below-request";
    public const string LimitRange = "limit-range";
    public const string Quota = "quota";
    public const string Node = "node";
    public const string Parallelism = "parallelism";
    public const string NodeSelector = "node-selector";
    public const string RuntimeClass = "runtime-class";
    public const string EnvironmentNotAllowed = "environment-not-allowed";
    public const string NotInGateway = "not-in-gateway";

    // What a Job asked of the gateway was not given.
    public const string ProjectNotListed = "project-not-listed";

    // What a Job asked of a volume to resume from was not given: the size is none or out of bounds, several Pods would share it, its name or path is taken.
    public const string ResumeSize = "resume-size";
    public const string ResumeShared = "resume-shared";
    public const string ResumeTaken = "resume-taken";

    /// <summary>It was given, but the Pod's group was not set, as that would be a change to other volumes.</summary>
    public const string ResumeGroup = "resume-group";

    public static bool IsDoubt(string reason) => reason is UnknownNamespace or MalformedJob or DuplicateNames or TooLarge or InvalidResult or Unexpected;
}
