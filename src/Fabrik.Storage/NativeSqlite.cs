using System.Reflection;
using System.Runtime.InteropServices;

namespace Fabrik.Storage;

/// <summary>Which SQLite is loaded: the operating system's, which gets security updates, else the one that came with the package.</summary>
internal static class NativeSqlite
{
    private static readonly Lock Gate = new();
    private static bool chosen;

    public static void Choose()
    {
        lock (Gate)
        {
            if (chosen) return;
            NativeLibrary.SetDllImportResolver(Assembly.Load("SQLitePCLRaw.provider.e_sqlite3"), (name, assembly, path) =>
                name == "e_sqlite3" && OperatingSystem.IsLinux() && NativeLibrary.TryLoad("libsqlite3.so.0", out var system)
                    ? system
                    : NativeLibrary.TryLoad(name, assembly, path, out var bundled) ? bundled : 0);
            SQLitePCL.Batteries_V2.Init();
            chosen = true;
        }
    }
}
