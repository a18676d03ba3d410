/* control/link_udp.c: packets as UDP datagrams between two fixed addresses. Only what comes from
 * the peer's address and port is seen; what a packet says is link_packet.c's. */
#include "control/link_wire.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DATAGRAM_MOST = 65507,
    HOST_BYTES = 256,
    RECEIVE_BUFFER = 1 << 20,
    EARLY_MOST = 1 << 20 /* more than the buffer holds */
};

typedef struct udp_address {
    char host[HOST_BYTES], port[8], listen[8];
} udp_address;

typedef struct udp_wire {
    gb_wire wire;
    int socket;
} udp_wire;

/* ---- the address --------------------------------------------------------------------------------
 */

static gb_status wrong_address(const char *address)
{
    return gb_fail(GB_ERR_ARGUMENT,
                   "link \"udp://%.200s\": expected udp://HOST:PORT?listen=PORT, where HOST:PORT "
                   "is the machine's and listen the port here that it sends to",
                   address);
}

static bool copy_port(const char *text, size_t length, char out[8])
{
    long value = 0;
    if (length < 1 || length > 5)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    if (value < 1 || value > 65535)
        return false;
    snprintf(out, 8, "%ld", value);
    return true;
}

/* HOST:PORT, [IPV6]:PORT, with ?listen=PORT; without it the same port on both sides. */
static gb_status parse(const char *address, udp_address *out)
{
    static const char option[] = "listen=";
    size_t length = strcspn(address, "?");
    const char *host = address, *end = address + length, *colon = end;
    while (colon > address && *colon != ':')
        colon--;
    const char *host_end = colon;
    if (*host == '[' && host_end > host && host_end[-1] == ']') {
        host++;
        host_end--;
    }
    if (colon == address || host_end <= host || host_end - host >= HOST_BYTES ||
        !copy_port(colon + 1, (size_t)(end - colon - 1), out->port))
        return wrong_address(address);
    snprintf(out->host, sizeof out->host, "%.*s", (int)(host_end - host), host);
    memcpy(out->listen, out->port, sizeof out->listen);
    if (*end == 0)
        return GB_OK;
    end++;
    if (strncmp(end, option, strlen(option)) != 0 ||
        !copy_port(end + strlen(option), strlen(end + strlen(option)), out->listen))
        return wrong_address(address);
    return GB_OK;
}

/* ---- the socket ---------------------------------------------------------------------------------
 */

/* What came between bind and connect may be from anybody. After connect only the peer is let in. */
static void forget_strangers(int s)
{
    char byte;
    for (int i = 0; i < EARLY_MOST && recv(s, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0; i++)
        ;
}

/* Listens where the machine's packets come in: on loopback only when it is on this computer. */
static int bound_socket(const struct addrinfo *peer, const char *port)
{
    struct addrinfo want = {.ai_family = peer->ai_family,
                            .ai_socktype = SOCK_DGRAM,
                            .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *here = NULL;
    const char *host = NULL;
    if (peer->ai_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)peer->ai_addr;
        if (ntohl(in->sin_addr.s_addr) >> 24 == 127)
            host = "127.0.0.1";
    }
    if (getaddrinfo(host, port, &want, &here) != 0)
        return -1;
    int s = socket(peer->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int room = RECEIVE_BUFFER;
    if (s >= 0)
        (void)setsockopt(s, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (s >= 0 && (bind(s, here->ai_addr, here->ai_addrlen) != 0 ||
                   connect(s, peer->ai_addr, peer->ai_addrlen) != 0)) {
        int why = errno;
        close(s);
        errno = why;
        s = -1;
    }
    if (s >= 0)
        forget_strangers(s);
    freeaddrinfo(here);
    return s;
}

static gb_status open_socket(const char *address, const udp_address *at, int *out)
{
    struct addrinfo want = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV}, *peer = NULL;
    want.ai_family = AF_INET; /* "localhost" shall mean the same on both sides */
    int code = getaddrinfo(at->host, at->port, &want, &peer);
    if (code != 0) {
        want.ai_family = AF_UNSPEC;
        code = getaddrinfo(at->host, at->port, &want, &peer);
    }
    if (code != 0)
        return gb_fail(GB_ERR_IO, "link \"udp://%s\": no such host as %s: %s", address, at->host,
                       gai_strerror(code));
    int s = bound_socket(peer, at->listen);
    int why = errno;
    freeaddrinfo(peer);
    if (s < 0)
        return gb_fail(GB_ERR_IO,
                       "link \"udp://%s\": cannot listen on port %s: %s; another program may have "
                       "it: choose another with ?listen=PORT",
                       address, at->listen, strerror(why));
    *out = s;
    return GB_OK;
}

/* ---- the wire -----------------------------------------------------------------------------------
 */

static ssize_t udp_receive(gb_wire *wire, void *buffer, size_t room)
{
    const udp_wire *u = (const udp_wire *)wire;
    /* An error here is an answer to what we sent ("nobody listens"), told once: look again. */
    ssize_t size = recv(u->socket, buffer, room, MSG_DONTWAIT | MSG_TRUNC);
    return size >= 0 ? size : recv(u->socket, buffer, room, MSG_DONTWAIT | MSG_TRUNC);
}

static bool udp_send(gb_wire *wire, const void *bytes, size_t size)
{
    const udp_wire *u = (const udp_wire *)wire;
    ssize_t sent = send(u->socket, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == ECONNREFUSED)
        sent = send(u->socket, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent == (ssize_t)size;
}

static void udp_close(gb_wire *wire)
{
    udp_wire *u = (udp_wire *)wire;
    close(u->socket);
    free(u);
}

static const gb_wire_ops udp_ops = {udp_receive, udp_send, udp_close};

gb_status gb_wire_open_udp(const char *address,
                           const gb_link_map *map,
                           gb_wire_side side,
                           size_t observation_bytes,
                           size_t command_bytes,
                           gb_wire **out)
{
    (void)side; /* both sides do the same */
    udp_address at;
    GB_TRY(parse(address, &at));
    size_t bytes = observation_bytes > command_bytes ? observation_bytes : command_bytes;
    if (bytes > DATAGRAM_MOST)
        return gb_fail(GB_ERR_SCHEMA,
                       "%s: %zu bytes do not fit a UDP packet, which holds %d; leave streams out, "
                       "or use shm:// or dds://",
                       map->path, bytes, DATAGRAM_MOST);
    udp_wire *u = calloc(1, sizeof *u);
    if (!u)
        return gb_fail(GB_ERR_MEMORY, "link \"udp://%s\": no memory", address);
    gb_status status = open_socket(address, &at, &u->socket);
    if (status != GB_OK) {
        free(u);
        return status;
    }
    u->wire.ops = &udp_ops;
    *out = &u->wire;
    return GB_OK;
}
