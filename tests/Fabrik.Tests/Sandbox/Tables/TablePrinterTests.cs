using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Tables;

namespace Fabrik.Tests.Sandbox.Tables;

public class TablePrinterTests
{
    // When the tables were recorded.
    private static readonly DateTimeOffset Then = DateTimeOffset.Parse("2026-11-20T21:47:45.6Z", CultureInfo.InvariantCulture);

    [Theory]
    [InlineData("batch", "Job", "jobs")]
    [InlineData("batch", "CronJob", "cronjobs")]
    [InlineData("", "Pod", "pods")]
    [InlineData("", "Namespace", "namespaces")]
    public void Columns_are_those_of_an_API_server(string group, string kind, string file)
    {
        var table = TablePrinter.Print(group, kind, [], [], Then);
        foreach (var (mine, theirs) in table["columnDefinitions"]!.AsArray().Zip(Json.File($"tables/{file}.json")["columnDefinitions"]!.AsArray()))
        {
            mine!.AsObject().Remove("description").ShouldBeTrue();
            mine.ShouldEqual(theirs);
        }

        table["columnDefinitions"]!.AsArray().Count.ShouldBe(Json.File($"tables/{file}.json")["columnDefinitions"]!.AsArray().Count);
    }

    [Theory]
    [InlineData("job-plain", "batch", "Job", "jobs")]
    [InlineData("job-command", "batch", "Job", "jobs")]
    [InlineData("job-from-rich-cronjob", "batch", "Job", "jobs")]
    [InlineData("cronjob-plain", "batch", "CronJob", "cronjobs")]
    [InlineData("cronjob-restart", "batch", "CronJob", "cronjobs")]
    public void Rows_of_recorded_objects_have_the_recorded_cells(string stored, string group, string kind, string file)
    {
        var obj = Json.File($"protobuf/{stored}.stored.json");
        var name = obj["metadata"]!["name"]!.GetValue<string>();
        var row = Json.File($"tables/{file}.json")["rows"]!.AsArray().Single(one => one!["object"]!["metadata"]!["name"]!.GetValue<string>() == name)!;
        var mine = TablePrinter.Print(group, kind, [obj], [], Then)["rows"]![0]!;
        mine["cells"].ShouldEqual(row["cells"]);
        mine["object"]!["kind"]!.GetValue<string>().ShouldBe("PartialObjectMetadata");
    }

    [Theory]
    [InlineData(-5, "<invalid>")]
    [InlineData(0, "0s")]
    [InlineData(119, "119s")]
    [InlineData(120, "2m")]
    [InlineData(330, "5m30s")]
    [InlineData(600, "10m")]
    [InlineData(3 * 3600, "3h")]
    [InlineData((3 * 3600) + 61, "3h1m")]
    [InlineData(8 * 3600, "8h")]
    [InlineData((2 * 86400) + (3 * 3600), "2d3h")]
    [InlineData(9 * 86400, "9d")]
    [InlineData(800L * 86400, "2y70d")]
    [InlineData(3000L * 86400, "8y")]
    public void A_duration_is_printed_with_two_figures_at_most(long seconds, string expected) => Ages.Print(TimeSpan.FromSeconds(seconds)).ShouldBe(expected);

    [Theory]
    [InlineData("""{"phase":"Pending"}""", "0/2", "Pending", "0")]
    [InlineData("""{"phase":"Running","containerStatuses":[{"ready":true,"restartCount":0,"state":{"running":{}}},{"ready":false,"restartCount":2,"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"finishedAt":"2026-11-20T21:46:45Z"}}}]}""", "1/2", "CrashLoopBackOff", "2 (60s ago)")]
    [InlineData("""{"phase":"Failed","containerStatuses":[{"restartCount":0,"state":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}}]}""", "0/2", "OOMKilled", "0")]
    [InlineData("""{"phase":"Failed","containerStatuses":[{"restartCount":0,"state":{"terminated":{"exitCode":3}}}]}""", "0/2", "ExitCode:3", "0")]
    [InlineData("""{"phase":"Pending","initContainerStatuses":[{"restartCount":1,"state":{"waiting":{"reason":"ImagePullBackOff"}}}]}""", "0/2", "Init:ImagePullBackOff", "1")]
    [InlineData("""{"phase":"Failed","reason":"Evicted"}""", "0/2", "Evicted", "0")]
    public void A_Pod_shows_what_its_containers_do(string status, string ready, string shown, string restarts)
    {
        var pod = Json.Object("""{"kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"a"},{"name":"b"}],"initContainers":[{"name":"i"}]}}""");
        pod["status"] = JsonNode.Parse(status);
        var cells = TablePrinter.Print("", "Pod", [pod], [], Then)["rows"]![0]!["cells"]!.AsArray();
        cells.Skip(1).Take(3).Select(cell => cell!.GetValue<string>()).ShouldBe([ready, shown, restarts]);
    }

    [Fact]
    public void Custom_columns_find_their_values_by_path()
    {
        var columns = JsonNode.Parse("""
            [{"name":"Phase","type":"string","jsonPath":".status.phase"},
             {"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"},
             {"name":"Share","type":"number","jsonPath":".spec.share","priority":1},
             {"name":"Label","type":"string","jsonPath":".metadata.labels.a\\.b/c"},
             {"name":"First","type":"integer","jsonPath":".spec.list[0]"},
             {"name":"Absent","type":"string","jsonPath":".spec.none"},
             {"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}]
            """)!.AsArray();
        var obj = Json.Object("""
            {"metadata":{"name":"n","creationTimestamp":"2026-11-20T21:45:45Z","labels":{"a.b/c":"d"}},"spec":{"share":0.1,"list":[4,5]},
             "status":{"phase":"applied","conditions":[{"type":"Other","status":"False"},{"type":"Ready","status":"True"}]}}
            """);
        TablePrinter.PrintCustom(columns, [obj], [], Then, IncludeObject.None)["rows"].ShouldEqual("""[{"cells":["n","applied","True",0.1,"d",4,null,"2m"],"object":null}]""");
        TablePrinter.PrintCustom(null, [obj], [], Then, IncludeObject.Object)["rows"]![0]!["cells"].ShouldEqual("""["n","2m"]""");
    }
}
