namespace Fabrik.CronJobs;

/// <summary>The process cannot start as it is set up; the message says what to change.</summary>
public sealed class CronJobsException : Exception
{
    public CronJobsException(string message) : base(message)
    {
    }

    public CronJobsException(string message, Exception? inner) : base(message, inner)
    {
    }

    public CronJobsException() : this("The scheduler cannot start")
    {
    }
}
