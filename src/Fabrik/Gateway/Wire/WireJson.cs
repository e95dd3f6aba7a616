using System.Text.Json.Serialization;

namespace Fabrik.Gateway.Wire;

[JsonSerializable(typeof(string))]
internal sealed partial class WireJson : JsonSerializerContext;
