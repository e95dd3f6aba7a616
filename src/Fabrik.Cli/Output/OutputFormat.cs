namespace Fabrik.Cli.Output;

public enum OutputFormat
{
    Table,
    Wide,
    Json,
    Yaml,
    Name,
}
