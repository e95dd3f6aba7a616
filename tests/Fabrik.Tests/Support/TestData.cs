using System.Runtime.CompilerServices;

namespace Fabrik.Tests.Support;

/// <summary>Files under tests/testdata, read from the checkout, and golden files rewritten when FABRIK_UPDATE_GOLDEN=1.</summary>
public static class TestData
{
    public static string Root { get; } = Path.GetFullPath(Path.Combine(Here(), "..", "..", "testdata"));

    /// <summary>The checkout itself, for tests that read manifests and documents.</summary>
    public static string Checkout { get; } = Path.GetFullPath(Path.Combine(Root, "..", ".."));

    public static string PathOf(string relative) => Path.Combine(Root, relative);

    public static byte[] Bytes(string relative) => File.ReadAllBytes(PathOf(relative));

    public static string Text(string relative) => File.ReadAllText(PathOf(relative));

    public static string[] Folders(string relative) => Directory.GetDirectories(PathOf(relative)).Order(StringComparer.Ordinal).ToArray();

    /// <summary>Compares with the golden file, or writes it when the update switch is set.</summary>
    public static void ShouldMatchGolden(string actual, string relative)
    {
        var path = PathOf(relative);
        if (Environment.GetEnvironmentVariable(Names.Variables.UpdateGolden) == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
            return;
        }

        Assert.True(File.Exists(path), $"{relative} does not exist; run the tests once with {Names.Variables.UpdateGolden}=1 and read the diff");
        Assert.Equal(File.ReadAllText(path), actual, ignoreLineEndingDifferences: true);
    }

    private static string Here([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
