using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;

namespace Fabrik.Tests.Proxy;

/// <summary>Providers' keys as a mounted Secret has them: links to files in a directory that is swapped as a whole.</summary>
public sealed class KeyRotationTests : IAsyncLifetime
{
    private readonly ConcurrentQueue<string> seen = new();
    private GatewayBench bench = null!;

    public async ValueTask InitializeAsync()
    {
        bench = await GatewayBench.StartAsync(keys: ["first-key", "other-key"]);
        bench.Provider.Fault = (http, _) =>
        {
            var key = http.Request.Headers.Authorization.ToString()["Bearer ".Length..];
            seen.Enqueue(key);
            if (key != "sk-revoked") return Task.FromResult(false);
            http.Response.StatusCode = 401;
            return Task.FromResult(true);
        };
    }

    public async ValueTask DisposeAsync() => await bench.DisposeAsync();

    [Fact]
    public async Task A_key_is_replaced_by_editing_the_secret_and_what_was_held_against_the_old_one_is_forgotten()
    {
        await bench.StopGatewayAsync();
        Mount(1, ("first-key", "sk-revoked"), ("other-key", "sk-other"), ("second-key", "sk-second"));
        await bench.StartGatewayAsync();
        await Wait.UntilAsync("the revoked key to be tried and set aside", async () => await KeyAsync() is "sk-revoked" or "sk-other" && seen.Contains("sk-revoked"));
        for (var call = 0; call < 10; call++) (await KeyAsync()).ShouldBe("sk-other");

        Mount(2, ("first-key", "sk-new"), ("other-key", "sk-other"), ("second-key", "sk-second"));
        await Wait.UntilAsync("the new key to be used", async () => await KeyAsync() == "sk-new", TimeSpan.FromSeconds(20));

        // One that is taken away is not used any more; the others go on.
        Mount(3, ("first-key", "sk-new"), ("second-key", "sk-second"));
        await Wait.UntilAsync("the key that went to be left", async () =>
        {
            for (var call = 0; call < 10; call++)
                if (await KeyAsync() != "sk-new") return false;
            return true;
        }, TimeSpan.FromSeconds(20));
        seen.Count(key => key == "sk-revoked").ShouldBe(1);
    }

    /// <returns>The key that the call was answered with.</returns>
    private async Task<string> KeyAsync()
    {
        using var answer = await bench.ChatAsync();
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        return seen.Last();
    }

    /// <summary>As the kubelet does it: new files, a new link beside, and that renamed over the old one.</summary>
    private void Mount(int version, params (string Name, string Content)[] files)
    {
        var directory = bench.KeyDirectory;
        Directory.CreateDirectory(Path.Combine(directory, $"..{version}"));
        foreach (var (name, content) in files) File.WriteAllText(Path.Combine(directory, $"..{version}", name), content);
        File.CreateSymbolicLink(Path.Combine(directory, "..data_tmp"), $"..{version}");
        // What .NET has for it refuses links to directories.
        using (var move = Process.Start("mv", ["-T", Path.Combine(directory, "..data_tmp"), Path.Combine(directory, "..data")]))
        {
            move.WaitForExit();
            move.ExitCode.ShouldBe(0);
        }

        foreach (var (name, _) in files)
        {
            var path = Path.Combine(directory, name);
            if (new FileInfo(path).LinkTarget is not null) continue;
            File.Delete(path);
            File.CreateSymbolicLink(path, Path.Combine("..data", name));
        }

        foreach (var path in Directory.GetFiles(directory).Where(path => !files.Any(file => file.Name == Path.GetFileName(path)))) File.Delete(path);
        if (version > 1) Directory.Delete(Path.Combine(directory, $"..{version - 1}"), recursive: true);
    }
}
