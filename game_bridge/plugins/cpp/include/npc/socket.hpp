// One TCP socket that never waits, on BSD sockets and on Winsock. The only file that knows the operating system.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#if defined(_WIN32)
#ifndef NOMINMAX
#define NOMINMAX
#endif
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <winsock2.h>
#include <ws2tcpip.h>
#if defined(_MSC_VER)
#pragma comment(lib, "ws2_32.lib")
#endif
#else
#include <cerrno>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#endif

namespace npc {

namespace os {
#if defined(_WIN32)
using Handle = SOCKET;
constexpr Handle kNoHandle = INVALID_SOCKET;
inline bool start_up() {
    static const bool is_up = [] { WSADATA data; return WSAStartup(MAKEWORD(2, 2), &data) == 0; }();
    return is_up;
}
inline int last_error() { return WSAGetLastError(); }
inline bool is_wait(int error) { return error == WSAEWOULDBLOCK; }
inline bool is_interrupt(int) { return false; }
inline void shut(Handle handle) { closesocket(handle); }
inline bool unblock(Handle handle) { u_long on = 1; return ioctlsocket(handle, FIONBIO, &on) == 0; }
// Winsock tells a failed connect only through select's third set.
inline bool is_settled(Handle handle) {
    fd_set writable, failed;
    FD_ZERO(&writable);
    FD_ZERO(&failed);
    FD_SET(handle, &writable);
    FD_SET(handle, &failed);
    timeval none = {0, 0};
    return select(0, nullptr, &writable, &failed, &none) > 0;
}
#else
using Handle = int;
constexpr Handle kNoHandle = -1;
inline bool start_up() { return true; }
inline int last_error() { return errno; }
inline bool is_wait(int error) { return error == EWOULDBLOCK || error == EAGAIN || error == EINPROGRESS; }
inline bool is_interrupt(int error) { return error == EINTR; }
inline void shut(Handle handle) { ::close(handle); }
inline bool unblock(Handle handle) {
    fcntl(handle, F_SETFD, FD_CLOEXEC);
    return fcntl(handle, F_SETFL, fcntl(handle, F_GETFL) | O_NONBLOCK) == 0;
}
inline bool is_settled(Handle handle) {
    pollfd entry = {handle, POLLOUT, 0};
    return ::poll(&entry, 1, 0) > 0;
}
#endif
}  // namespace os

class Socket {
public:
    enum class Progress { pending, done, failed };

    Socket() = default;
    ~Socket() { close(); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    bool is_open() const { return handle_ != os::kNoHandle; }

    // Begin to connect. Only numeric addresses and "localhost": looking up a name would make the game wait.
    Progress begin(const std::string& host, std::uint16_t port) {
        close();
        addrinfo hints = {};
        hints.ai_socktype = SOCK_STREAM;
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
        addrinfo* found = nullptr;
        const std::string numeric = host == "localhost" ? "127.0.0.1" : host;
        if (!os::start_up() || getaddrinfo(numeric.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
            return Progress::failed;
        handle_ = ::socket(found->ai_family, found->ai_socktype, found->ai_protocol);
        Progress progress = Progress::failed;
        if (is_open() && os::unblock(handle_)) {
            set_options();
            const int result = ::connect(handle_, found->ai_addr, static_cast<socklen_t>(found->ai_addrlen));
            if (result == 0) progress = Progress::done;
            else if (os::is_wait(os::last_error())) progress = Progress::pending;
        }
        freeaddrinfo(found);
        return progress;
    }

    // How the connect that was begun is getting on.
    Progress progress() const {
        if (!os::is_settled(handle_)) return Progress::pending;
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(handle_, SOL_SOCKET, SO_ERROR, reinterpret_cast<char*>(&error), &size);
        return error == 0 && !is_self() ? Progress::done : Progress::failed;
    }

    // Bytes read into data; 0 where there are none yet; -1 where the connection is closed or broken.
    long read(char* data, std::size_t size) {
        for (;;) {
            const auto count = ::recv(handle_, data, static_cast<Size>(size), 0);
            if (count > 0) return static_cast<long>(count);
            if (count == 0) return -1;
            if (!os::is_interrupt(os::last_error())) return os::is_wait(os::last_error()) ? 0 : -1;
        }
    }

    // Bytes taken from data; 0 where the other side is slow; -1 where the connection is broken.
    long write(const char* data, std::size_t size) {
        for (;;) {
            const auto count = ::send(handle_, data, static_cast<Size>(size), kSendFlags);
            if (count >= 0) return static_cast<long>(count);
            if (!os::is_interrupt(os::last_error())) return os::is_wait(os::last_error()) ? 0 : -1;
        }
    }

    void close() {
        if (is_open()) os::shut(handle_);
        handle_ = os::kNoHandle;
    }

private:
#if defined(_WIN32)
    using Size = int;
#else
    using Size = std::size_t;
#endif
#if defined(MSG_NOSIGNAL)
    static constexpr int kSendFlags = MSG_NOSIGNAL;
#else
    static constexpr int kSendFlags = 0;
#endif

    // On loopback a socket can reach itself while the server is down, and would then keep its port.
    bool is_self() const {
        sockaddr_storage mine = {}, theirs = {};
        socklen_t size = sizeof mine, their_size = sizeof theirs;
        return getsockname(handle_, reinterpret_cast<sockaddr*>(&mine), &size) == 0 &&
               getpeername(handle_, reinterpret_cast<sockaddr*>(&theirs), &their_size) == 0 &&
               size == their_size && std::memcmp(&mine, &theirs, static_cast<std::size_t>(size)) == 0;
    }

    // Small messages at once; a broken connection is an error code and no signal.
    void set_options() {
        const int on = 1;
        setsockopt(handle_, IPPROTO_TCP, TCP_NODELAY, reinterpret_cast<const char*>(&on), sizeof on);
#if defined(SO_NOSIGPIPE)
        setsockopt(handle_, SOL_SOCKET, SO_NOSIGPIPE, reinterpret_cast<const char*>(&on), sizeof on);
#endif
    }

    os::Handle handle_ = os::kNoHandle;
};

}  // namespace npc
