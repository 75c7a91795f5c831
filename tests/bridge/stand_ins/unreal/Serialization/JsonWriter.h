#pragma once

#include "CoreMinimal.h"

template <class CharType>
struct TPrettyJsonPrintPolicy;

// As strict as the engine's: a member of an object needs its name, and nothing else has one.
template <class CharType = TCHAR, class PrintPolicy = TPrettyJsonPrintPolicy<CharType>>
class TJsonWriter
{
public:
    explicit TJsonWriter(FString* InStream) : Stream(InStream), Policy(sizeof(PrintPolicy)) {}

    void WriteObjectStart() { Open(TEXT("{"), true); }
    void WriteObjectEnd() { Shut(TEXT("}"), true); }
    void WriteArrayStart() { Open(TEXT("["), false); }
    void WriteArrayEnd() { Shut(TEXT("]"), false); }
    void WriteIdentifierPrefix(const FString& Identifier)
    {
        check(!Stack.empty() && Stack.back() && !bIsNamed);
        Separate();
        *Stream += Quoted(Identifier);
        *Stream += TEXT(":");
        bIsNamed = true;
    }
    void WriteValue(const FString& Value) { Put(Quoted(Value)); }
    void WriteValue(int64 Value) { Put(FString(UTF8_TO_TCHAR(std::to_string(Value).c_str()))); }
    void WriteValue(double Value)
    {
        char Digits[32];
        std::snprintf(Digits, sizeof Digits, "%.17g", Value);
        Put(FString(UTF8_TO_TCHAR(Digits)));
    }
    void WriteValue(bool bValue) { Put(bValue ? TEXT("true") : TEXT("false")); }
    void WriteNull() { Put(TEXT("null")); }
    bool Close() { return Stack.empty(); }

private:
    void Separate()
    {
        if (bIsAfterValue && !bIsNamed) *Stream += TEXT(",");
        bIsAfterValue = bIsNamed = false;
    }
    void Put(const FString& Written)
    {
        check(Stack.empty() || !Stack.back() || bIsNamed);
        Separate();
        *Stream += Written;
        bIsAfterValue = true;
    }
    void Open(const TCHAR* Bracket, bool bIsObject)
    {
        Put(Bracket);
        Stack.push_back(bIsObject);
        bIsAfterValue = false;
    }
    void Shut(const TCHAR* Bracket, bool bIsObject)
    {
        check(!Stack.empty() && Stack.back() == bIsObject && !bIsNamed);
        Stack.pop_back();
        *Stream += Bracket;
        bIsAfterValue = true;
    }
    static FString Quoted(const FString& Text)
    {
        FString Written = TEXT("\"");
        for (const TCHAR* Unit = *Text; *Unit != TCHAR(0); ++Unit)
        {
            const TCHAR Escaped[] = {TCHAR('\\'), *Unit, TCHAR(0)};
            Written += *Unit == TCHAR('"') || *Unit == TCHAR('\\') ? Escaped : Escaped + 1;
        }
        return Written += TEXT("\"");
    }

    FString* Stream;
    std::size_t Policy;  // a policy that is not included is incomplete here
    std::vector<bool> Stack;
    bool bIsAfterValue = false, bIsNamed = false;
};

template <class CharType = TCHAR, class PrintPolicy = TPrettyJsonPrintPolicy<CharType>>
class TJsonWriterFactory
{
public:
    static TSharedRef<TJsonWriter<CharType, PrintPolicy>> Create(FString* const Stream)
    {
        return TSharedRef<TJsonWriter<CharType, PrintPolicy>>(
            std::make_shared<TJsonWriter<CharType, PrintPolicy>>(Stream));
    }
};
