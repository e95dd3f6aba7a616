using System.Text.Json.Nodes;
using Fabrik.Sandbox.Nodes;
using Fabrik.Schedules;

namespace Fabrik.Sandbox.Worlds;

/// <summary>Who works in the sandbox and what their Jobs really need. docs/sandbox-world.md describes the file.</summary>
public sealed record World
{
    /// <summary>File name or the name of the built-in world.</summary>
    public required string Name { get; init; }
    public string Seed { get; init; } = "1";
    public NodeShape Node { get; init; } = new();
    public IReadOnlyList<WorldNamespace> Namespaces { get; init; } = [];

    /// <summary>Created as they are, in order; a status is written after the creation.</summary>
    public IReadOnlyList<JsonObject> Objects { get; init; } = [];
    /// <summary>The same, at a time after the start.</summary>
    public IReadOnlyList<LaterObject> Later { get; init; } = [];
    public IReadOnlyList<Workload> Workloads { get; init; } = [];

    /// <summary>The first that matches a Pod counts.</summary>
    public IReadOnlyList<NeedRule> Rules { get; init; } = [];

    public static World Empty { get; } = new() { Name = "empty" };

    /// <summary>A world that comes with the program: "demo"; else a file.</summary>
    /// <exception cref="WorldException">Everything wrong with the file, each with its line.</exception>
    public static World Load(string nameOrPath)
    {
        using var builtIn = typeof(World).Assembly.GetManifestResourceStream($"Fabrik.Sandbox.Worlds.{nameOrPath}.yaml");
        if (builtIn is not null)
        {
            using var reader = new StreamReader(builtIn);
            return WorldReader.Read(reader.ReadToEnd(), nameOrPath);
        }

        const int Limit = 4 << 20;
        try
        {
            var length = new FileInfo(nameOrPath).Length;
            if (length > Limit) throw new WorldException($"{nameOrPath} has {length} bytes; a world file has at most {Limit}");
            return WorldReader.Read(File.ReadAllText(nameOrPath), Path.GetFileName(nameOrPath));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new WorldException($"The world {nameOrPath} cannot be read: {error.Message}. Give the path of a world file, or \"demo\" for the one built in", error);
        }
    }
}

public sealed record WorldNamespace(string Name, IReadOnlyDictionary<string, string> Labels, IReadOnlyDictionary<string, string> Annotations);

/// <param name="After">From the start, or from when <paramref name="Once"/> holds.</param>
/// <param name="Once">Not null: a phase that some OptimizationChange has to reach first; without it by the last Job, the object never comes.</param>
public sealed record LaterObject(TimeSpan After, string? Once, JsonObject Object);

/// <summary>Jobs of one kind and how they arrive: a number of them over time, or a CronJob.</summary>
public sealed record Workload
{
    public required string Name { get; init; }
    public required string Namespace { get; init; }
    public int Count { get; init; } = 1;

    /// <summary>Mean time between two Jobs; the times vary as independent arrivals do. Zero: all at once.</summary>
    public TimeSpan Every { get; init; }

    /// <summary>Time before the first.</summary>
    public TimeSpan After { get; init; }

    /// <summary>Not null: a CronJob with this schedule, instead of single Jobs.</summary>
    public string? Schedule { get; init; }
    public string? TimeZone { get; init; }

    /// <summary>A Job without its name and namespace: labels and annotations under metadata, and a spec.</summary>
    public required JsonObject Job { get; init; }

    internal CronSchedule? Cron => Schedule is null ? null : CronSchedule.Parse(Schedule);
}

/// <summary>The file is wrong; the message lists everything.</summary>
public sealed class WorldException : Exception
{
    public WorldException() : this("The world cannot be read")
    {
    }

    public WorldException(string message) : base(message)
    {
    }

    public WorldException(string message, Exception? inner) : base(message, inner)
    {
    }
}
