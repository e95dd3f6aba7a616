global using Fabrik.Tests.Support;
global using Shouldly;
global using Xunit;
