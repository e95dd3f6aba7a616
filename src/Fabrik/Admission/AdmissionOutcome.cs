using Fabrik.Experiments;

namespace Fabrik.Admission;

public enum AdmissionResult
{
    /// <summary>The response carries a patch.</summary>
    Patched,

    /// <summary>The response allows the object as it came.</summary>
    Untouched,

    /// <summary>No AdmissionReview that can be answered: status 400, no response was written.</summary>
    BadRequest,
}

/// <summary>What became of one review, for metrics and logs. Values that serve as metric labels are closed sets.</summary>
/// <param name="Reason">One of <see cref="AdmissionReasons"/>.</param>
/// <param name="Operation">CREATE, UPDATE or empty for anything else.</param>
/// <param name="Arm">Drawn now; null where none was.</param>
/// <param name="Change">Of the arm.</param>
/// <param name="Skipped">First reason for which a change that was meant for the Job could not be put on, or the gateway could not be what the Job asked.</param>
/// <param name="Resume">Why the volume that the Job asked for was not given to it, or what its author must see to.</param>
/// <param name="Message">What was wrong with a bad request, and what to send instead.</param>
public readonly record struct AdmissionOutcome(
    AdmissionResult Result,
    string Reason,
    string Operation = "",
    bool DryRun = false,
    Arm? Arm = null,
    string? Change = null,
    string? Skipped = null,
    string? Resume = null,
    string? Message = null);
