/* control/view_server.c: the viewer's page, its data and its button over HTTP, on 127.0.0.1 only.
 * GET / is the page, GET /live what happened since, POST /stop presses the button; everything else
 * is refused. One thread polls all connections; a slow reader waits in its own buffer. */
#include "control/view.h"

#ifndef GENBA_WITH_MICROHTTPD

gb_status gb_view_server_start(gb_view *view, int port, gb_view_server **out, int *out_port)
{
    (void)view, (void)port, (void)out, (void)out_port;
    return gb_fail(GB_ERR_UNSUPPORTED,
                   "view: this build serves no page: install libmicrohttpd-dev and build again");
}

void gb_view_server_stop(gb_view_server *server)
{
    (void)server;
}

#else

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 24
#define TIMEOUT_S 10
#define CONNECTION_BYTES 32768
#define BODY_MAX 1024

struct gb_view_server {
    gb_view *view;
    struct MHD_Daemon *daemon;
    char *page;
    size_t page_size;
};

/* ---- answers ------------------------------------------------------------------------------------
 */

static enum MHD_Result
reply(struct MHD_Connection *connection, unsigned status, const char *type, struct MHD_Response *r)
{
    if (!r)
        return MHD_NO;
    static const char *const headers[][2] = {
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Content-Security-Policy",
         "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src "
         "data:; "
         "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    };
    MHD_add_response_header(r, "Content-Type", type);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        MHD_add_response_header(r, headers[i][0], headers[i][1]);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, "Allow", "GET, HEAD, POST");
    enum MHD_Result result = MHD_queue_response(connection, status, r);
    MHD_destroy_response(r);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *text)
{
    return reply(connection, status, "text/plain; charset=utf-8",
                 MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                                 MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result answer_page(gb_view_server *server, struct MHD_Connection *connection)
{
    return reply(
        connection, MHD_HTTP_OK, "text/html; charset=utf-8",
        MHD_create_response_from_buffer(server->page_size, server->page, MHD_RESPMEM_PERSISTENT));
}

/* A number of the query, 0 when it is none. */
static uint64_t asked(struct MHD_Connection *connection, const char *name)
{
    const char *text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
    return text ? strtoull(text, NULL, 10) : 0;
}

static enum MHD_Result answer_live(gb_view_server *server, struct MHD_Connection *connection)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory\n");
    gb_view_json_live(to, server->view, asked(connection, "after"), asked(connection, "more") != 0);
    bool whole = !ferror(to);
    whole = fclose(to) == 0 && whole;
    if (!whole) {
        free(text);
        return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory\n");
    }
    struct MHD_Response *r = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
    if (!r)
        free(text);
    return reply(connection, MHD_HTTP_OK, "application/json", r);
}

static enum MHD_Result answer_stop(gb_view_server *server, struct MHD_Connection *connection)
{
    static const char pressed[] = "{\"stop\":true}";
    atomic_store(&server->view->emergency_stop, true);
    return reply(connection, MHD_HTTP_OK, "application/json",
                 MHD_create_response_from_buffer(sizeof pressed - 1, (void *)(uintptr_t)pressed,
                                                 MHD_RESPMEM_PERSISTENT));
}

/* ---- who may ask
 * ----------------------------------------------------------------------------------
 */

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* A page of another site reaches this server too, under its own name when that name's address is
 * changed to 127.0.0.1 (DNS rebinding): then Host is that name. Any port: it may be forwarded. */
static bool host_is_ours(struct MHD_Connection *connection)
{
    static const char *const names[] = {"127.0.0.1", "localhost"};
    const char *host = header(connection, "Host");
    for (int i = 0; host && i < 2; i++) {
        size_t size = strlen(names[i]);
        if (strncmp(host, names[i], size) != 0)
            continue;
        const char *port = host + size;
        if (!*port || (*port == ':' && strlen(port) <= 6 &&
                       strspn(port + 1, "0123456789") == strlen(port + 1)))
            return true;
    }
    return false;
}

/* Browsers name the page that asks: it must be this server's own. */
static bool origin_is_ours(struct MHD_Connection *connection)
{
    static const char scheme[] = "http://";
    const char *origin = header(connection, "Origin"), *host = header(connection, "Host");
    return !origin || (host && strncmp(origin, scheme, sizeof scheme - 1) == 0 &&
                       strcmp(origin + sizeof scheme - 1, host) == 0);
}

static bool may_press(const gb_view_server *server, struct MHD_Connection *connection)
{
    const char *token = header(connection, "X-Genba-Token");
    const char *wanted = server->view->token;
    if (!origin_is_ours(connection) || !token || strlen(token) != strlen(wanted))
        return false;
    unsigned different = 0; /* takes the same time wherever they differ */
    for (size_t i = 0; wanted[i]; i++)
        different |= (unsigned)(unsigned char)(token[i] ^ wanted[i]);
    return different == 0;
}

static bool body_is_small(struct MHD_Connection *connection)
{
    const char *length = header(connection, "Content-Length");
    return !header(connection, "Transfer-Encoding") &&
           (!length || strtoull(length, NULL, 10) <= BODY_MAX);
}

/* 0 when a request is fine, else the status to refuse it with and a text. */
static unsigned judge(const gb_view_server *server,
                      struct MHD_Connection *connection,
                      const char *url,
                      const char *method,
                      const char **out_text)
{
    bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    bool post = strcmp(method, "POST") == 0, stop = strcmp(url, "/stop") == 0;
    if (!host_is_ours(connection)) {
        *out_text = "This server answers only to 127.0.0.1 and localhost.\n";
        return MHD_HTTP_FORBIDDEN;
    }
    if (!stop && strcmp(url, "/") != 0 && strcmp(url, "/live") != 0) {
        *out_text = "There is nothing here. The page is at /.\n";
        return MHD_HTTP_NOT_FOUND;
    }
    if (stop ? !post : !get) {
        *out_text = "Not with this method.\n";
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    }
    if (!body_is_small(connection)) {
        *out_text = "Nothing is expected in the body.\n";
        return MHD_HTTP_CONTENT_TOO_LARGE;
    }
    if (stop && !may_press(server, connection)) {
        *out_text = "Only the page of this server may press the button.\n";
        return MHD_HTTP_FORBIDDEN;
    }
    return 0;
}

/* Called when the headers are in, for each piece of a body, and when the request is complete. */
static enum MHD_Result answer(void *context,
                              struct MHD_Connection *connection,
                              const char *url,
                              const char *method,
                              const char *version,
                              const char *upload,
                              size_t *upload_size,
                              void **seen)
{
    gb_view_server *server = context;
    const char *text = NULL;
    (void)version, (void)upload;
    if (!*seen) {
        unsigned wrong = judge(server, connection, url, method, &text);
        *seen = server;
        return wrong ? refuse(connection, wrong, text) : MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    if (strcmp(url, "/stop") == 0)
        return answer_stop(server, connection);
    if (strcmp(url, "/live") == 0)
        return answer_live(server, connection);
    return answer_page(server, connection);
}

/* ---- life
 * -----------------------------------------------------------------------------------------
 */

/* A listening socket of 127.0.0.1; out_port: the one it got. -1: see errno. */
static int listen_here(int port, int *out_port)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof here;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) != 0 || listen(fd, CONNECTIONS_MAX) != 0 ||
        getsockname(fd, (struct sockaddr *)&here, &size) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    *out_port = ntohs(here.sin_port);
    return fd;
}

static struct MHD_Daemon *serve(gb_view_server *server, int fd)
{
    return MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, answer,
                            server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)CONNECTION_BYTES, MHD_OPTION_END);
}

gb_status gb_view_server_start(gb_view *view, int port, gb_view_server **out, int *out_port)
{
    gb_status status;
    gb_view_server *server = calloc(1, sizeof *server);
    if (!server)
        return gb_fail(GB_ERR_MEMORY, "view: no memory for the server");
    server->view = view;
    GB_TRY_OR(failed, gb_view_page(view, gb_view_put_live, &server->page, &server->page_size));
    int bound = 0, fd = listen_here(port, &bound);
    if (fd < 0) {
        status = gb_fail(GB_ERR_IO,
                         "view: cannot serve on port %d of 127.0.0.1: %s: choose another port, or "
                         "0 for any free one",
                         port, strerror(errno));
        goto failed;
    }
    server->daemon = serve(server, fd);
    if (!server->daemon) {
        close(fd);
        status = gb_fail(GB_ERR_MEMORY, "view: the server's thread did not start");
        goto failed;
    }
    *out_port = bound;
    *out = server;
    return GB_OK;
failed:
    gb_view_server_stop(server);
    return status;
}

void gb_view_server_stop(gb_view_server *server)
{
    if (!server)
        return;
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    free(server->page);
    free(server);
}

#endif
