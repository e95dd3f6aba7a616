using System.Text.Json.Serialization;

namespace Fabrik.Experiments;

/// <summary>An enum whose wire form is its words alone: a number in its place is an error, as it is for an API server.</summary>
public sealed class WordConverter<T>() : JsonStringEnumConverter<T>(namingPolicy: null, allowIntegerValues: false) where T : struct, Enum;
