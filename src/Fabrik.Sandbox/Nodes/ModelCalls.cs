using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;
using Microsoft.Extensions.Logging;

namespace Fabrik.Sandbox.Nodes;

/// <summary>Calls of models as a Pod's client library would make them, really: with what stands in the environment of its first container.</summary>
internal sealed partial class ModelCalls(ILogger logger) : IDisposable
{
    private const int Most = 100;
    private readonly HttpClient http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(30) };

    /// <summary>What the annotation asks for: how many, and of which model.</summary>
    public static (int Count, string Model)? Of(KubeObject pod)
    {
        if (pod.Annotation(Names.Annotations.SandboxModelCalls) is not { } text || text.Split(' ', StringSplitOptions.RemoveEmptyEntries) is not [var count, var model]) return null;
        return int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is > 0 and <= Most ? (number, model) : null;
    }

    /// <summary>One after another; what fails is told, as it is the Pod's affair.</summary>
    public async Task MakeAsync(KubeObject pod, int count, string model, CancellationToken ct)
    {
        var anthropic = model.StartsWith("claude", StringComparison.Ordinal);
        var variable = anthropic ? "ANTHROPIC" : "OPENAI";
        if (Variable(pod, $"{variable}_BASE_URL") is not { } url || Variable(pod, $"{variable}_API_KEY") is not { } key) return;
        for (var number = 0; number < count; number++)
        {
            try
            {
                var body = new JsonObject
                {
                    ["model"] = model,
                    [anthropic ? "max_tokens" : "max_completion_tokens"] = 40 + (20 * number),
                    ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = $"Take step {number + 1} of the work of {pod.Name}, and say what you did." }),
                    ["stream"] = number % 2 == 0,
                };
                using var request = new HttpRequestMessage(HttpMethod.Post, anthropic ? $"{url}/v1/messages" : $"{url}/chat/completions") { Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json") };
                if (anthropic) request.Headers.Add("x-api-key", key);
                else request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
                using var answer = await http.SendAsync(request, ct);
                if (!answer.IsSuccessStatusCode) Log.Refused(logger, pod.Name, (int)answer.StatusCode, await answer.Content.ReadAsStringAsync(ct));
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !ct.IsCancellationRequested)
            {
                Log.Failed(logger, pod.Name, e.Message);
            }
        }
    }

    public void Dispose() => http.Dispose();

    private static string? Variable(KubeObject pod, string name) => pod.Json.List("spec", "containers").FirstOrDefault().List("env").Where(one => one.Text("name") == name).Select(one => one.Text("value")).FirstOrDefault();

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Pod {Pod} was refused a call of a model: {Status} {Answer}")]
        public static partial void Refused(ILogger logger, string pod, int status, string answer);

        [LoggerMessage(Level = LogLevel.Information, Message = "Pod {Pod} could not call a model: {Why}")]
        public static partial void Failed(ILogger logger, string pod, string why);
    }
}
