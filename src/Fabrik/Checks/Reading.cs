using System.Diagnostics.CodeAnalysis;

namespace Fabrik.Checks;

public enum ReadState
{
    Read,

    /// <summary>There is no such object, or the cluster does not know its kind.</summary>
    Missing,

    /// <summary>This user may not.</summary>
    Forbidden,

    /// <summary>No answer, or not one that can be used.</summary>
    Broken,
}

/// <summary>What was asked for, or why it is not known: a check must never take the one for the other.</summary>
/// <param name="Why">For people; null where it was read.</param>
public sealed record Reading<T>(T? Value, ReadState State, string? Why) where T : notnull
{
    [MemberNotNullWhen(true, nameof(Value))]
    public bool IsRead => State == ReadState.Read;

    /// <summary>What a value shows; what is not known is unproven, and what broke has failed.</summary>
    /// <param name="judge">Of what was read.</param>
    /// <param name="missing">Of what is not there; null: that is unproven too.</param>
    /// <param name="next">What to do where nothing could be read.</param>
    public Finding Judge(Func<T, Finding> judge, Func<Finding>? missing = null, string? next = null) => State switch
    {
        ReadState.Read => judge(Value!),
        ReadState.Missing when missing is not null => missing(),
        ReadState.Broken => Finding.Failed(Why!, next ?? "try again: fabrik check"),
        _ => Finding.Unproven(Why!, next),
    };
}

public static class Reading
{
    public static Reading<T> Of<T>(T value) where T : notnull => new(value, ReadState.Read, null);

    public static Reading<T> Not<T>(ReadState state, string why) where T : notnull => new(default, state, why);
}
