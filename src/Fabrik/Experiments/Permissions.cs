namespace Fabrik.Experiments;

/// <summary>
/// Kinds of change a namespace may permit or forbid with the label permit.fabrik.dev/KIND = "true" | "false".
/// KIND is memory, cpu, ephemeral-storage, ttl, parallelism, scheduling, runtime-class, environment or model.
/// Without the label, resources and the clean-up time are permitted and everything that moves a Job or alters what it runs is not.
/// </summary>
[Flags]
public enum Permissions
{
    None = 0,
    Memory = 1,
    Cpu = 2,
    EphemeralStorage = 4,
    Ttl = 8,
    Parallelism = 16,
    Scheduling = 32,
    RuntimeClass = 64,
    Environment = 128,
    Model = 256,
    Default = Memory | Cpu | EphemeralStorage | Ttl,
}
