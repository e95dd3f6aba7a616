using System.Text.Json.Serialization;

namespace Fabrik.Reports;

/// <summary>How the control database and the process that answers for it stand.</summary>
/// <param name="Version">Of the process.</param>
/// <param name="Now">Its time.</param>
/// <param name="Schema">Number of the last migration that the file has had.</param>
/// <param name="KnownSchema">The last that this process knows.</param>
/// <param name="Integrity">What SQLite's quick_check says: "ok", else what is damaged.</param>
/// <param name="FileSystem">Type of the file system it lies on, as the kernel names it; null where that is not known.</param>
/// <param name="FreeBytes">That this user may still write there.</param>
/// <param name="TotalBytes">Of the file system.</param>
/// <param name="Bytes">Of the file with its write-ahead log.</param>
public sealed record DatabaseReport(string Version, DateTimeOffset Now, int Schema, int KnownSchema, string Integrity, string? FileSystem, long FreeBytes, long TotalBytes, long Bytes);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DatabaseReport))]
public sealed partial class DatabaseJson : JsonSerializerContext;
