// The system's header without its macros, included once: a winsock2.h that comes later brings them no more.
#pragma once

#include "Windows/PreWindowsApi.h"
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#include "Windows/PostWindowsApi.h"
