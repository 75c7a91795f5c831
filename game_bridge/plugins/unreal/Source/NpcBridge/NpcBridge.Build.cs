// The module, and where it finds the headers of the C++ client (see README.md).
using System.IO;
using UnrealBuildTool;

public class NpcBridge : ModuleRules
{
    public NpcBridge(ReadOnlyTargetRules Target) : base(Target)
    {
        PCHUsage = PCHUsageMode.UseExplicitOrSharedPCHs;
        PublicDependencyModuleNames.AddRange(new[] { "Core", "CoreUObject", "Engine" });
        PrivateDependencyModuleNames.Add("Json");
        PrivateIncludePaths.Add(Path.Combine(ModuleDirectory, "..", "ThirdParty"));
        if (Target.Platform == UnrealTargetPlatform.Win64)
        {
            PublicSystemLibraries.Add("ws2_32.lib");
        }
    }
}
