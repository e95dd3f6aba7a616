using System.Net.WebSockets;
using System.Text;

namespace Fabrik.Kubernetes.Http;

/// <summary>
/// One connection to a port of a Pod as a stream: binary messages of v4.channel.k8s.io, the first byte of each being its channel, 0 data and 1 errors. The first two bytes
/// of each channel are the port's number.
/// </summary>
internal sealed class PodConnection(WebSocket socket, string what) : Stream
{
    public const string Protocol = "v4.channel.k8s.io";
    private const int ErrorLimit = 4096;
    private readonly byte[] buffer = new byte[32 * 1024];
    private readonly int[] preamble = [2, 2];
    private readonly SemaphoreSlim writing = new(1);
    private ReadOnlyMemory<byte> rest;
    private int channel = -1;
    private bool ended;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> target, CancellationToken cancellationToken = default)
    {
        while (rest.Length == 0)
        {
            if (ended) return 0;
            await ReceiveAsync(cancellationToken);
        }

        var count = Math.Min(rest.Length, target.Length);
        rest[..count].CopyTo(target);
        rest = rest[count..];
        return count;
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        if (source.Length == 0) return;
        var message = new byte[source.Length + 1];
        source.CopyTo(message.AsMemory(1));
        await writing.WaitAsync(cancellationToken);
        try
        {
            await socket.SendAsync(message.AsMemory(), WebSocketMessageType.Binary, true, cancellationToken);
        }
        catch (WebSocketException e)
        {
            throw new IOException($"the connection to {what} broke: {e.Message}", e);
        }
        finally
        {
            writing.Release();
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("only asynchronous reads");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("only asynchronous writes");

    public override void Flush()
    {
        // Each write is sent at once.
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            socket.Dispose();
            writing.Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task ReceiveAsync(CancellationToken ct)
    {
        ValueWebSocketReceiveResult received;
        try
        {
            received = await socket.ReceiveAsync(buffer.AsMemory(), ct);
        }
        catch (WebSocketException e)
        {
            throw new IOException($"the connection to {what} broke: {e.Message}", e);
        }

        if (received.MessageType == WebSocketMessageType.Close)
        {
            ended = true;
            return;
        }

        var content = buffer.AsMemory(0, received.Count);
        if (channel < 0 && content.Length > 0)
        {
            channel = content.Span[0];
            content = content[1..];
        }

        var current = channel;
        if (received.EndOfMessage) channel = -1;
        if (current is not (0 or 1)) return;
        var skip = Math.Min(preamble[current], content.Length);
        preamble[current] -= skip;
        content = content[skip..];
        if (content.Length == 0) return;
        if (current == 1) throw new IOException($"{what} cannot be reached: {Encoding.UTF8.GetString(content.Span[..Math.Min(content.Length, ErrorLimit)]).Trim()}");
        rest = content;
    }
}
