using System.Net;
using System.Net.Http.Headers;
using Fabrik.Proxy.Calls;

namespace Fabrik.Proxy.Forwarding;

/// <summary>A stream as the content of an answer, with the headers that the provider gave it.</summary>
internal sealed class AnswerContent : HttpContent
{
    private readonly Stream stream;

    public AnswerContent(Stream stream, HttpContentHeaders headers)
    {
        this.stream = stream;
        // Not the length: what is hidden is missing from it.
        foreach (var (name, values) in headers.NonValidated)
            if (!name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase)) Headers.TryAddWithoutValidation(name, values);
    }

    protected override Task<Stream> CreateContentReadStreamAsync() => Task.FromResult(stream);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => this.stream.CopyToAsync(stream);

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) stream.Dispose();
        base.Dispose(disposing);
    }
}

/// <summary>An answer that has been read, with the headers that the provider gave it but its length.</summary>
internal sealed class WholeContent(ReadOnlyMemory<byte> body) : HttpContent
{
    public ReadOnlyMemory<byte> Body => body;

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(body).AsTask();

    protected override bool TryComputeLength(out long length)
    {
        length = body.Length;
        return true;
    }
}

/// <summary>A call's body on its way to a provider. It holds the call, not the body, which goes before the answer has ended.</summary>
internal sealed class CallContent(Call call) : HttpContent
{
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, default);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) => stream.WriteAsync(call.Body, cancellationToken).AsTask();

    protected override bool TryComputeLength(out long length)
    {
        length = call.BodyBytes;
        return true;
    }
}
