/* test/control/view_http.h: HTTP with plain sockets, for tests of the viewer's server. */
#ifndef GENBA_TEST_VIEW_HTTP_H
#define GENBA_TEST_VIEW_HTTP_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* A connection to 127.0.0.1; -1: refused. receive_bytes not 0: with so small a buffer, and without
 * waiting until the server has room for it. */
static inline int http_connect(int port, int receive_bytes)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {20, 0};
    int fd = socket(AF_INET, SOCK_STREAM | (receive_bytes ? SOCK_NONBLOCK : 0), 0);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (receive_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&there, sizeof there) != 0 && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Sends a request as it is; the whole answer until the other side closes, the caller frees it. */
static inline char *http_raw(int port, const char *request)
{
    size_t size = 0, room = 1 << 16;
    char *answer = malloc(room + 1);
    int fd = http_connect(port, 0);
    if (fd < 0 || !answer || send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
        free(answer);
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    for (;;) {
        ssize_t got = recv(fd, answer + size, room - size, 0);
        if (got <= 0)
            break;
        size += (size_t)got;
        if (room - size < 1 << 15) {
            char *more = realloc(answer, 2 * room + 1);
            if (!more)
                break;
            answer = more;
            room *= 2;
        }
    }
    answer[size] = 0;
    close(fd);
    return answer;
}

/* headers: further ones, each with its line end. The status, and the answer if wanted. */
static inline int
http_ask(int port, const char *method, const char *path, const char *headers, char **out_answer)
{
    char request[2048];
    int status = 0;
    snprintf(request, sizeof request,
             "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n%s\r\n", method, path,
             port, headers);
    char *answer = http_raw(port, request);
    if (answer)
        sscanf(answer, "HTTP/1.1 %d", &status);
    if (out_answer)
        *out_answer = answer;
    else
        free(answer);
    return status;
}

#endif
