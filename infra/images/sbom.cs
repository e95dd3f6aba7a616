#:property PublishAot=false
#:property RestorePackagesWithLockFile=false
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;

// What a process is made of, as a CycloneDX document on standard output: dotnet run infra/images/sbom.cs -- webhook/Fabrik.Webhook.csproj
// Everything comes from the project's lock file, so the same checkout gives the same bytes. What only helps to build is left out; what the base image has is in its own.
if (args is not [var project] || !File.Exists(project))
{
    Console.Error.WriteLine($"sbom: {(args.Length == 0 ? "no project is named" : $"{args[0]} does not exist")}; name one, such as webhook/Fabrik.Webhook.csproj");
    return 2;
}

var folder = Path.GetDirectoryName(Path.GetFullPath(project))!;
var root = folder;
while (!File.Exists(Path.Combine(root, "Directory.Build.props"))) root = Path.GetDirectoryName(root) ?? throw new FileNotFoundException("Directory.Build.props is in no folder above");
var settings = XDocument.Load(Path.Combine(root, "Directory.Build.props"));
var version = settings.Descendants("Version").Single().Value;
var tools = settings.Descendants("PackageReference").Where(one => (string?)one.Attribute("PrivateAssets") == "all").Select(one => (string)one.Attribute("Include")!).ToHashSet(StringComparer.OrdinalIgnoreCase);
var locked = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "packages.lock.json")))!["dependencies"]!.AsObject();

// One section for each framework, and one more for each kind of machine that was restored for; the first has all packages.
var all = locked.First().Value!.AsObject().Where(one => !tools.Contains(one.Key)).OrderBy(one => one.Key, StringComparer.Ordinal).ToList();
string Reference(string name) => all.FirstOrDefault(one => string.Equals(one.Key, name, StringComparison.OrdinalIgnoreCase)) is { Value: { } found } one
    ? (string?)found["type"] == "Project" ? $"pkg:generic/{one.Key}@{version}" : $"pkg:nuget/{one.Key}@{(string)found["resolved"]!}"
    : "";
var self = $"pkg:generic/{Path.GetFileNameWithoutExtension(project)}@{version}";
var edges = new JsonArray(Edge(self, all.Where(one => (string?)one.Value!["type"] is "Direct" or "Project").Select(one => one.Key)));
foreach (var (name, entry) in all) edges.Add(Edge(Reference(name), entry!["dependencies"]?.AsObject().Select(one => one.Key) ?? []));

var document = new JsonObject
{
    ["bomFormat"] = "CycloneDX",
    ["specVersion"] = "1.6",
    ["version"] = 1,
    ["metadata"] = new JsonObject { ["component"] = Component("application", Path.GetFileNameWithoutExtension(project), version, self, null) },
    ["components"] = new JsonArray([.. all.Select(one => (string?)one.Value!["type"] == "Project"
        ? Component("library", one.Key, version, Reference(one.Key), null)
        : Component("library", one.Key, (string)one.Value["resolved"]!, Reference(one.Key), (string?)one.Value["contentHash"]))]),
    ["dependencies"] = edges,
};
Console.Out.WriteLine(document.ToJsonString(new JsonSerializerOptions { WriteIndented = true, TypeInfoResolver = new System.Text.Json.Serialization.Metadata.DefaultJsonTypeInfoResolver() }));
return 0;

JsonObject Edge(string from, IEnumerable<string> to) => new()
{
    ["ref"] = from,
    ["dependsOn"] = new JsonArray([.. to.Select(Reference).Where(one => one.Length > 0).Distinct().Order(StringComparer.Ordinal).Select(one => (JsonNode)one)]),
};

// NuGet's hash is of a package without its signature, so it is no hash of a file that anybody has, and stands as a property.
static JsonObject Component(string type, string name, string version, string reference, string? hash)
{
    var made = new JsonObject { ["type"] = type, ["bom-ref"] = reference, ["name"] = name, ["version"] = version, ["purl"] = reference };
    if (hash is not null) made["properties"] = new JsonArray(new JsonObject { ["name"] = "nuget:contentHash", ["value"] = hash });
    return made;
}
