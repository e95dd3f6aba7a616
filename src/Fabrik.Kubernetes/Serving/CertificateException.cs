namespace Fabrik.Kubernetes.Serving;

/// <summary>There is no certificate to serve with; the message says what to change.</summary>
public sealed class CertificateException : Exception
{
    public CertificateException(string message) : base(message)
    {
    }

    public CertificateException(string message, Exception? inner) : base(message, inner)
    {
    }

    public CertificateException() : this("there is no usable certificate")
    {
    }
}
