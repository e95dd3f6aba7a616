global using Shouldly;
global using Xunit;
global using Fabrik.Tests.Support;
