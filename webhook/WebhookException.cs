namespace Fabrik.Webhook;

/// <summary>The process cannot start as it is set up; the message says what to change.</summary>
public sealed class WebhookException : Exception
{
    public WebhookException(string message) : base(message)
    {
    }

    public WebhookException(string message, Exception? inner) : base(message, inner)
    {
    }

    public WebhookException() : this("The webhook cannot start")
    {
    }
}
