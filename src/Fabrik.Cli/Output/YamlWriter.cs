using System.Text.Json;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Fabrik.Cli.Output;

/// <summary>JSON as block YAML; strings that YAML would read as something else are quoted.</summary>
public static class YamlWriter
{
    public static void Write(TextWriter target, JsonElement json)
    {
        var emitter = new Emitter(target, new EmitterSettings(bestIndent: 2, bestWidth: int.MaxValue, isCanonical: false, maxSimpleKeyLength: 1024, skipAnchorName: true, indentSequences: false));
        emitter.Emit(new StreamStart());
        emitter.Emit(new DocumentStart(null, null, isImplicit: true));
        Node(emitter, json);
        emitter.Emit(new DocumentEnd(isImplicit: true));
        emitter.Emit(new StreamEnd());
    }

    private static void Node(Emitter emitter, JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.Object:
                emitter.Emit(new MappingStart(AnchorName.Empty, TagName.Empty, isImplicit: true, json.EnumerateObject().Any() ? MappingStyle.Block : MappingStyle.Flow));
                foreach (var property in json.EnumerateObject())
                {
                    emitter.Emit(new Scalar(property.Name));
                    Node(emitter, property.Value);
                }

                emitter.Emit(new MappingEnd());
                break;
            case JsonValueKind.Array:
                emitter.Emit(new SequenceStart(AnchorName.Empty, TagName.Empty, isImplicit: true, json.GetArrayLength() > 0 ? SequenceStyle.Block : SequenceStyle.Flow));
                foreach (var item in json.EnumerateArray()) Node(emitter, item);
                emitter.Emit(new SequenceEnd());
                break;
            case JsonValueKind.String:
                var text = json.GetString()!;
                var style = text.Contains('\n') ? ScalarStyle.Literal : LooksLikeAnotherType(text) ? ScalarStyle.DoubleQuoted : ScalarStyle.Any;
                emitter.Emit(new Scalar(AnchorName.Empty, TagName.Empty, text, style, isPlainImplicit: true, isQuotedImplicit: true));
                break;
            default:
                emitter.Emit(new Scalar(json.GetRawText()));
                break;
        }
    }

    private static bool LooksLikeAnotherType(string text) =>
        text.Length == 0 || text is "~" || text.ToUpperInvariant() is "NULL" or "TRUE" or "FALSE" or "YES" or "NO" or "ON" or "OFF" or "Y" or "N"
        || char.IsAsciiDigit(text[0]) || (text[0] is '-' or '+' or '.' && text.Length > 1 && (char.IsAsciiDigit(text[1]) || text[1] == '.'))
        || text.ToUpperInvariant() is ".INF" or "-.INF" or ".NAN";
}
