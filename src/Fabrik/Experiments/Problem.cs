namespace Fabrik.Experiments;

/// <summary>One thing that is wrong with an object. Field is a path such as spec.experiment.share, as an API server names it.</summary>
public sealed record Problem(string Field, string Message)
{
    public override string ToString() => $"{Field}: {Message}";
}
