#pragma once

class FDefaultModuleImpl
{
};

#define IMPLEMENT_MODULE(Class, Name) \
    Class* InitializeModule##Name() { static Class Module; return &Module; }
