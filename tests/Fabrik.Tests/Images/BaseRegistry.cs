using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fabrik.Tests.Images;

/// <summary>A registry on this machine with one base image of one file, for amd64 and arm64: what a build without an engine pulls from.</summary>
internal sealed class BaseRegistry : IAsyncDisposable
{
    private const string Index = "application/vnd.oci.image.index.v1+json";
    private const string Image = "application/vnd.oci.image.manifest.v1+json";
    private const string Config = "application/vnd.oci.image.config.v1+json";
    private const string Layer = "application/vnd.oci.image.layer.v1.tar+gzip";

    private readonly Dictionary<string, (string Type, byte[] Content)> blobs = new(StringComparer.Ordinal);
    private readonly WebApplication app;
    private readonly string index;

    private BaseRegistry()
    {
        var (layer, plain) = MakeLayer();
        var layerDigest = Keep(Layer, layer);
        var images = new JsonArray();
        foreach (var architecture in (string[])["amd64", "arm64"])
        {
            var config = Keep(Config, Bytes(new JsonObject
            {
                ["architecture"] = architecture,
                ["os"] = "linux",
                ["config"] = new JsonObject { ["User"] = "0", ["Env"] = new JsonArray("PATH=/usr/bin") },
                ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray(Digest(plain)) },
                ["history"] = new JsonArray(new JsonObject { ["created_by"] = "base" }),
            }));
            var manifest = Bytes(new JsonObject
            {
                ["schemaVersion"] = 2,
                ["mediaType"] = Image,
                ["config"] = new JsonObject { ["mediaType"] = Config, ["digest"] = config, ["size"] = blobs[config].Content.Length },
                ["layers"] = new JsonArray(new JsonObject { ["mediaType"] = Layer, ["digest"] = layerDigest, ["size"] = layer.Length }),
            });
            images.Add(new JsonObject { ["mediaType"] = Image, ["digest"] = Keep(Image, manifest), ["size"] = manifest.Length, ["platform"] = new JsonObject { ["architecture"] = architecture, ["os"] = "linux" } });
        }

        index = Keep(Index, Bytes(new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = Index, ["manifests"] = images }));
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        app = builder.Build();
        app.MapMethods("/v2/", ["GET", "HEAD"], () => Results.Ok());
        app.MapMethods("/v2/base/manifests/{reference}", ["GET", "HEAD"], (string reference, HttpContext http) => SendAsync(http, reference == "1" ? index : reference));
        app.MapMethods("/v2/base/blobs/{digest}", ["GET", "HEAD"], (string digest, HttpContext http) => SendAsync(http, digest));
    }

    /// <summary>HOST:PORT.</summary>
    public string Authority { get; private set; } = null!;

    public static async Task<BaseRegistry> StartAsync(CancellationToken cancel)
    {
        var registry = new BaseRegistry();
        await registry.app.StartAsync(cancel);
        registry.Authority = new Uri(registry.app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Authority;
        return registry;
    }

    public async ValueTask DisposeAsync() => await app.DisposeAsync();

    private Task SendAsync(HttpContext http, string digest)
    {
        if (!blobs.TryGetValue(digest, out var found))
        {
            http.Response.StatusCode = 404;
            return Task.CompletedTask;
        }

        http.Response.ContentType = found.Type;
        http.Response.ContentLength = found.Content.Length;
        http.Response.Headers["Docker-Content-Digest"] = digest;
        return HttpMethods.IsHead(http.Request.Method) ? Task.CompletedTask : http.Response.Body.WriteAsync(found.Content).AsTask();
    }

    private string Keep(string type, byte[] content)
    {
        var digest = Digest(content);
        blobs[digest] = (type, content);
        return digest;
    }

    private static (byte[] Packed, byte[] Plain) MakeLayer()
    {
        using var plain = new MemoryStream();
        using (var tar = new TarWriter(plain, leaveOpen: true)) tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "etc/base") { DataStream = new MemoryStream("base\n"u8.ToArray()) });
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(plain.ToArray());
        return (packed.ToArray(), plain.ToArray());
    }

    private static byte[] Bytes(JsonNode node) => System.Text.Encoding.UTF8.GetBytes(node.ToJsonString());

    private static string Digest(byte[] content) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(content));
}
