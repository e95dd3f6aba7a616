using Fabrik.Sandbox.Models;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.Proxy;

internal static class PlayedStreams
{
    /// <summary>Whatever is asked, the provider answers with this stream, and ends it.</summary>
    public static void Streams(this FakeProvider provider, string text) => provider.Fault = async (http, _) =>
    {
        http.Response.ContentType = "text/event-stream";
        await http.Response.WriteAsync(text);
        return true;
    };
}
