using System.Net;
using System.Net.Http.Headers;

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
