using Fabrik.CronJobs;
using Fabrik.CronJobs.Usage;

namespace Fabrik.Tests.CronJobs.Usage;

public class PrometheusOptionsTests
{
    [Fact]
    public void Without_an_address_there_is_no_prometheus() => Read().ShouldBeNull();

    [Fact]
    public void An_address_and_one_kind_of_credentials_are_taken()
    {
        var options = Read((Names.Variables.PrometheusUrl, "https://prometheus.monitoring:9090/tenant"), (Names.Variables.PrometheusUsername, "fabrik"), (Names.Variables.PrometheusPasswordFile, "/p"), (Names.Variables.PrometheusCaFile, "/ca")).ShouldNotBeNull();
        (options.Url.AbsoluteUri, options.Username, options.PasswordFile, options.CaFile, options.TokenFile).ShouldBe(("https://prometheus.monitoring:9090/tenant", "fabrik", "/p", "/ca", null));
        Read((Names.Variables.PrometheusUrl, "http://p"), (Names.Variables.PrometheusTokenFile, "/t"))!.TokenFile.ShouldBe("/t");
    }

    [Theory]
    [InlineData("ftp://p", null, null, null)]
    [InlineData("prometheus:9090", null, null, null)]
    [InlineData("http://user:hunter2@p", null, null, null)]
    [InlineData("http://p?token=hunter2", null, null, null)]
    [InlineData("http://p", "/t", "user", "/p")]
    [InlineData("http://p", null, "user", null)]
    [InlineData("http://p", null, null, "/p")]
    [InlineData(null, "/t", null, null)]
    public void What_is_wrong_is_said_with_the_variable_and_without_a_secret(string? url, string? token, string? user, string? password)
    {
        var error = Should.Throw<CronJobsException>(() => Read(
            (Names.Variables.PrometheusUrl, url), (Names.Variables.PrometheusTokenFile, token), (Names.Variables.PrometheusUsername, user), (Names.Variables.PrometheusPasswordFile, password)));
        error.Message.ShouldContain("FABRIK_PROMETHEUS_");
        error.Message.ShouldNotContain("hunter2");
    }

    private static PrometheusOptions? Read(params (string Name, string? Value)[] variables) =>
        PrometheusOptions.Read(name => variables.FirstOrDefault(variable => variable.Name == name).Value);
}
