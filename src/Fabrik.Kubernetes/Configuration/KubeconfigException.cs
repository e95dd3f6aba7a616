namespace Fabrik.Kubernetes.Configuration;

/// <summary>The configuration or the credentials of a cluster cannot be used; the message says what to do.</summary>
public sealed class KubeconfigException : Exception
{
    public KubeconfigException(string message) : base(message)
    {
    }

    public KubeconfigException(string message, Exception? inner) : base(message, inner)
    {
    }

    public KubeconfigException()
    {
    }
}
