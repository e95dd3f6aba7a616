namespace Fabrik.Storage;

/// <summary>The database cannot be used. The message says what is wrong and what to do.</summary>
public sealed class StorageException(string message, Exception? inner = null) : Exception(message, inner);
