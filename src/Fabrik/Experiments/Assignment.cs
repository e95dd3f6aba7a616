namespace Fabrik.Experiments;

/// <summary>The signed record of a Job's arm, written once at creation.</summary>
public sealed record Assignment
{
}
