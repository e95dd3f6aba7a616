using System.Text.Json.Nodes;

namespace Fabrik.Tests.Sandbox.Server;

public sealed class NamedAccessTests
{
    [Fact]
    public async Task Who_may_read_one_object_may_list_and_watch_it_by_a_selector_of_its_name_and_no_other()
    {
        await using var server = await ApiServer.StartAsync();
        const string Secrets = "/api/v1/namespaces/default/secrets";
        (await server.PostAsync("/api/v1/namespaces/default/serviceaccounts", new JsonObject { ["metadata"] = new JsonObject { ["name"] = "keeper" } })).ShouldBe(201);
        (await server.PostAsync("/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles", JsonNode.Parse("""
            {"metadata":{"name":"keeper"},"rules":[{"apiGroups":[""],"resources":["secrets"],"resourceNames":["mine"],"verbs":["get","list","watch"]}]}
            """)!)).ShouldBe(201);
        (await server.PostAsync("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", JsonNode.Parse("""
            {"metadata":{"name":"keeper"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"keeper"},"subjects":[{"kind":"ServiceAccount","name":"keeper","namespace":"default"}]}
            """)!)).ShouldBe(201);
        var token = (await server.PostAsync("/api/v1/namespaces/default/serviceaccounts/keeper/token", JsonNode.Parse("""{"spec":{}}""")!)).ShouldBe(201).Json["status"]!["token"]!.GetValue<string>();

        (await server.GetAsync($"{Secrets}?fieldSelector=metadata.name%3Dmine", token)).ShouldBe(200);
        (await server.GetAsync($"{Secrets}?fieldSelector=metadata.name%3Dother", token)).ShouldBe(403);
        (await server.GetAsync($"{Secrets}?fieldSelector=metadata.name!%3Dmine", token)).ShouldBe(403);
        (await server.GetAsync(Secrets, token)).ShouldBe(403);
    }
}
