#undef TEXT
#define TEXT(Literal) L##Literal
#undef GetEnvironmentVariable
