namespace Fabrik.Quantities;

/// <summary>How a quantity is written: 1Gi, 1G or 1e9.</summary>
public enum QuantityFormat
{
    DecimalSI,
    BinarySI,
    DecimalExponent,
}
