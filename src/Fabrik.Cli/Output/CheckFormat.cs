namespace Fabrik.Cli.Output;

public enum CheckFormat
{
    Table,

    /// <summary>What is not as it should be, a line each.</summary>
    Short,
    Json,
    Junit,
}
