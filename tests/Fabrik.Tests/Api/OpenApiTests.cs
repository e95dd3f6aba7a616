using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Fabrik.Tests.Api;

public class OpenApiTests
{
    [Fact]
    public async Task The_document_describes_every_route_with_an_answer_and_every_parameter_that_is_taken()
    {
        await using var host = await ApiHost.StartAsync();
        var document = await host.JsonAsync(Names.Paths.OpenApi);
        var paths = document.GetProperty("paths").EnumerateObject().ToDictionary(path => path.Name, path => path.Value, StringComparer.Ordinal);
        var routes = host.Services.GetServices<EndpointDataSource>().SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
            .Select(route => "/" + route.RoutePattern.RawText!.Trim('/')).Where(route => !route.StartsWith("/openapi", StringComparison.Ordinal)).Distinct().ToArray();
        routes.Length.ShouldBe(16);
        paths.Keys.Select(path => "/" + path.Trim('/')).Order(StringComparer.Ordinal).ShouldBe(routes.Order(StringComparer.Ordinal));
        foreach (var (path, description) in paths)
        {
            var get = description.GetProperty(path == Names.Paths.Leases ? "post" : "get");
            get.GetProperty("summary").GetString().ShouldNotBeNullOrEmpty(path);
            get.GetProperty("responses").TryGetProperty("200", out _).ShouldBeTrue(path);
        }

        // What gateways alone may do.
        paths.Where(path => path.Value.EnumerateObject().Any(method => method.Name != "get")).Select(path => path.Key).ShouldBe([Names.Paths.Usage, Names.Paths.Leases], ignoreOrder: true);
        var post = paths[Names.Paths.Usage].GetProperty("post");
        post.GetProperty("requestBody").GetProperty("content").GetProperty("application/json").GetProperty("schema").GetProperty("type").GetString().ShouldBe("array");
        foreach (var parameter in paths[Names.Paths.Usage].GetProperty("get").GetProperty("parameters").EnumerateArray())
        {
            var (name, schema) = (parameter.GetProperty("name").GetString()!, parameter.GetProperty("schema"));
            var value = schema.TryGetProperty("enum", out var values) ? values[0].GetString()! : name switch { "limit" => "5", "since" => "2026-01-01T00:00:00Z", "until" => "2099-01-01T00:00:00Z", _ => "x1" };
            using var answer = await host.SendAsync($"{Names.Paths.Usage}?{name}={value}");
            ((int)answer.StatusCode).ShouldBe(200, name);
        }

        var list = paths.Single(path => path.Key.TrimEnd('/') == Names.Paths.Runs).Value.GetProperty("get").GetProperty("parameters").EnumerateArray().ToArray();
        foreach (var parameter in list)
        {
            var name = parameter.GetProperty("name").GetString()!;
            parameter.GetProperty("description").GetString().ShouldNotBeNullOrEmpty(name);
            var value = parameter.GetProperty("schema").TryGetProperty("enum", out var values) ? values[0].GetString()! : name switch { "limit" => "5", "since" or "until" => "2026-01-01T00:00:00Z", "cursor" => "bad", _ => "x1" };
            using var answer = await host.SendAsync($"{Names.Paths.Runs}?{name}={value}");
            ((int)answer.StatusCode).ShouldBe(name == "cursor" ? 400 : 200, name);
        }

        // What a stranger's parameter is told is the whole list.
        using var refused = await host.SendAsync($"{Names.Paths.Runs}?zzz=1");
        var next = System.Text.Json.JsonDocument.Parse(await refused.Content.ReadAsStringAsync()).RootElement.GetProperty("next").GetString()!;
        next["use ".Length..].Split(", ").ShouldBe(list.Select(parameter => parameter.GetProperty("name").GetString()));
    }
}
