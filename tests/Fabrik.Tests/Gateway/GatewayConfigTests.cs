using System.Text;
using Fabrik.Gateway;

namespace Fabrik.Tests.Gateway;

public class GatewayConfigTests
{
    [Theory]
    [InlineData(""","paths":["files"]""", "", "must be for one project")]
    [InlineData(""","projects":["a","b"],"paths":["files"]""", "", "must be for one project")]
    [InlineData(""","projects":["a"],"paths":["/files"]""", "", "without slashes around it")]
    [InlineData(""","projects":["a"],"paths":["files/../batches"]""", "", "without slashes around it")]
    [InlineData(""","projects":[" "]""", "", "empty project")]
    [InlineData(""","projects":["a"]""", "", "share the key k")]
    [InlineData(""","projects":["a"]""", ""","projects":["b"]""", "share the key k")]
    [InlineData(""","projects":["a"]""", ""","projects":["a"]""", null)]
    [InlineData(""","projects":["a","b"]""", "", null)]
    public void A_provider_of_one_project_has_keys_that_no_other_uses_and_it_alone_may_name_paths(string ofFirst, string ofSecond, string? wrong)
    {
        var json = Encoding.UTF8.GetBytes($$"""
            {"providers":[{"name":"one","format":"openai","url":"https://api.openai.com/v1","keys":[{"name":"k"}]{{ofFirst}}},{"name":"two","format":"anthropic","url":"https://api.anthropic.com/v1","keys":[{"name":"k"}]{{ofSecond}}}]}
            """);
        if (wrong is null) GatewayConfig.Parse(json).Providers.Count.ShouldBe(2);
        else Should.Throw<FormatException>(() => GatewayConfig.Parse(json)).Message.ShouldContain(wrong);
    }
}
