using System.Globalization;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Fabrik.Kubernetes;
using Microsoft.Extensions.Logging;

namespace Fabrik.Sandbox.Controllers;

/// <summary>Writes Events beside the real work. They are a service to people: when the server cannot keep up, the newest are dropped.</summary>
internal sealed partial class EventRecorder(KubernetesClient client, TimeProvider clock, ILogger log)
{
    private const int Backlog = 5_000;
    private readonly Channel<(string Namespace, JsonObject Event)> events =
        Channel.CreateBounded<(string, JsonObject)>(new BoundedChannelOptions(Backlog) { FullMode = BoundedChannelFullMode.DropWrite });
    private long serial;

    /// <param name="component">Such as job-controller.</param>
    public void Tell(KubeObject about, string component, string type, string reason, string message, string? fieldPath = null, string? host = null)
    {
        var now = clock.GetUtcNow();
        var record = Begin(about, type, reason, message, now, fieldPath);
        record["source"] = host is null ? new JsonObject { ["component"] = component } : new JsonObject { ["component"] = component, ["host"] = host };
        record["firstTimestamp"] = now.Stamp();
        record["lastTimestamp"] = now.Stamp();
        record["count"] = 1;
        record["eventTime"] = null;
        record["reportingComponent"] = component;
        record["reportingInstance"] = host ?? "";
        events.Writer.TryWrite((about.Namespace ?? "default", record));
    }

    /// <summary>The newer form, which the scheduler writes.</summary>
    public void TellAction(KubeObject about, string component, string type, string reason, string message, string action)
    {
        var now = clock.GetUtcNow();
        var record = Begin(about, type, reason, message, now, null);
        record["source"] = new JsonObject();
        record["firstTimestamp"] = null;
        record["lastTimestamp"] = null;
        record["eventTime"] = now.MicroStamp();
        record["action"] = action;
        record["reportingComponent"] = component;
        record["reportingInstance"] = component;
        events.Writer.TryWrite((about.Namespace ?? "default", record));
    }

    public async Task RunAsync(CancellationToken ct)
    {
        await foreach (var (ns, record) in events.Reader.ReadAllAsync(ct))
        {
            try
            {
                await client.CreateAsync(Kinds.Event, ns, record, ct);
            }
            catch (Exception error) when (error is KubernetesException or HttpRequestException)
            {
                Log.Dropped(log, (string?)record["reason"] ?? "", error.Message);
            }
        }
    }

    private JsonObject Begin(KubeObject about, string type, string reason, string message, DateTimeOffset now, string? fieldPath)
    {
        // The name ends in the nanoseconds of its time; the serial keeps two of one moment apart.
        var nanoseconds = ((now - DateTimeOffset.UnixEpoch).Ticks * 100) + (Interlocked.Increment(ref serial) % 100);
        var involved = new JsonObject
        {
            ["kind"] = about.Kind,
            ["namespace"] = about.Namespace,
            ["name"] = about.Name,
            ["uid"] = about.Uid,
            ["apiVersion"] = (string?)about.Json.Text("apiVersion"),
            ["resourceVersion"] = about.ResourceVersion,
        };
        if (about.Namespace is null) involved.Remove("namespace");
        if (fieldPath is not null) involved["fieldPath"] = fieldPath;
        return new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Event",
            ["metadata"] = new JsonObject
            {
                ["name"] = $"{about.Name}.{nanoseconds.ToString("x16", CultureInfo.InvariantCulture)}",
                ["namespace"] = about.Namespace ?? "default",
            },
            ["involvedObject"] = involved,
            ["reason"] = reason,
            ["message"] = message,
            ["type"] = type,
        };
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Debug, Message = "The Event {Reason} is not written: {Message}")]
        public static partial void Dropped(ILogger log, string reason, string message);
    }
}
