namespace Fabrik.Runs.Usage;

/// <summary>A source of usage gave nothing. The message says what happened, without secrets.</summary>
public sealed class SourceException : Exception
{
    public SourceException(UsageGap gap, string message, Exception? inner = null) : base(message, inner) => Gap = gap;

    public SourceException(string message) : this(UsageGap.BadAnswer, message)
    {
    }

    public SourceException(string message, Exception? inner) : this(UsageGap.BadAnswer, message, inner)
    {
    }

    public SourceException() : this("The source of usage gave nothing")
    {
    }

    public UsageGap Gap { get; }
}
