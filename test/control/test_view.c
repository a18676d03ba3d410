/* The viewer: what a page is served, what it is refused, the button, and that nobody who looks can
 * hold up the servo. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <sys/stat.h>
#include <time.h>

#include "control/view.h"
#include "view_http.h"

#define OBSERVED 5
#define ACTED 2

typedef struct record {
    gb_tick head;
    double numbers[OBSERVED + 2 * ACTED];
} record;

static const gb_plant_info *pusht(void)
{
    const gb_plant_info *info;
    assert_int_equal(gb_plant_describe("pusht", &info), GB_OK);
    return info;
}

static gb_view *open_view(int port, const char *report)
{
    gb_view_options options = {.machine = pusht(),
                               .title = "A </script> of a \"title\"",
                               .port = port,
                               .tick_ns = 10000000,
                               .report_path = report,
                               .model_name = "none",
                               .compute = GB_BF16};
    gb_view *view = NULL;
#ifndef GENBA_WITH_MICROHTTPD
    if (port >= 0)
        skip(); /* this build serves nothing */
#endif
    assert_int_equal(gb_view_open(&options, &view), GB_OK);
    return view;
}

/* Tick number i of a made-up run at 100 Hz: an intervention at each 50th. */
static record made_up(uint64_t i)
{
    record r = {.head = {.tick = i,
                         .due_ns = (int64_t)i * 10000000,
                         .chunk = 1 + i / 10,
                         .observation_sequence = i + 1,
                         .late = i % 100 == 99}};
    r.head.woke_ns = r.head.due_ns + 20000;
    r.head.done_ns = r.head.due_ns + 50000;
    r.head.wall_ns = INT64_C(1700000000000000000) + r.head.due_ns;
    r.head.observation_ns = r.head.due_ns - 4000000;
    r.head.verdict =
        (gb_verdict){.margin = 0.5, .margin_limit = GB_LIMIT_VELOCITY, .margin_index = 1};
    if (i % 50 == 49)
        r.head.verdict = (gb_verdict){.mode = GB_MODE_CLAMP,
                                      .reasons = 1u << GB_LIMIT_VELOCITY,
                                      .margin_limit = GB_LIMIT_VELOCITY};
    const double numbers[] = {100.0 + (double)(i % 7), 200, 250, 250, 1.0, 300, 310, 301, 311};
    memcpy(r.numbers, numbers, sizeof numbers);
    return r;
}

static void feed(gb_view *view, uint64_t from, uint64_t until)
{
    for (uint64_t i = from; i < until; i++) {
        record r = made_up(i);
        gb_view_tick(view, &r.head);
    }
}

/* Until the viewer has taken so many ticks from its ring; there is no other way to see it. */
static void await(gb_view *view, int64_t ticks)
{
    for (int tries = 0; tries < 20000; tries++) {
        pthread_mutex_lock(&view->lock);
        int64_t taken = view->sums.ticks;
        pthread_mutex_unlock(&view->lock);
        if (taken >= ticks)
            return;
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    fail_msg("the viewer did not take %lld ticks", (long long)ticks);
}

static json_t *live(int port, const char *query)
{
    char path[100], *answer;
    snprintf(path, sizeof path, "/live%s", query);
    assert_int_equal(http_ask(port, "GET", path, "", &answer), 200);
    const char *body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    json_error_t error;
    json_t *value = json_loads(body + 4, 0, &error);
    if (!value)
        fail_msg("line %d column %d: %s", error.line, error.column, error.text);
    free(answer);
    return value;
}

/* ---- what is served
 * ------------------------------------------------------------------------------
 */

static void page_is_served(void **state)
{
    (void)state;
    gb_view *view = open_view(0, NULL);
    char *answer;
    assert_true(gb_view_port(view) > 0);
    assert_int_equal(http_ask(gb_view_port(view), "GET", "/", "", &answer), 200);
    assert_non_null(strstr(answer, "text/html"));
    assert_non_null(strstr(answer, "frame-ancestors 'none'"));
    assert_non_null(strstr(answer, view->token));
    assert_non_null(strstr(answer, "agent.position"));
    assert_null(strstr(answer, "@DATA@"));
    assert_null(strstr(answer, "</script> of a")); /* a title cannot leave its element */
    assert_null(strstr(answer, "src=\"http"));
    free(answer);
    assert_int_equal(http_ask(gb_view_port(view), "HEAD", "/", "", NULL), 200);
    assert_int_equal(gb_view_close(view), GB_OK);
}

static void ticks_arrive(void **state)
{
    (void)state;
    gb_view *view = open_view(0, NULL);
    int port = gb_view_port(view);
    json_t *answer = live(port, "?after=0&more=1");
    assert_true(json_is_null(json_object_get(answer, "now")));
    json_decref(answer);
    feed(view, 0, 1000);
    await(view, 1000);
    feed(view, 1000, 1001);
    await(view, 1001);
    answer = live(port, "?after=0&more=1");
    json_t *rows = json_object_get(answer, "rows"), *sums = json_object_get(answer, "sums");
    assert_int_equal(json_array_size(rows), 200); /* an answer is bounded */
    assert_int_equal(json_integer_value(json_object_get(answer, "end")), 251);
    assert_int_equal(json_integer_value(json_object_get(sums, "ticks")), 1001);
    assert_int_equal(json_integer_value(json_object_get(sums, "late")), 10);
    assert_int_equal(json_integer_value(json_object_get(sums, "interventions")), 20);
    assert_int_equal(json_array_size(json_object_get(answer, "events")), 20);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(sums, "modes"), 1)), 20);
    json_t *now = json_object_get(answer, "now"), *row = json_array_get(rows, 12);
    assert_int_equal(json_integer_value(json_object_get(now, "tick")), 1000);
    assert_int_equal(json_array_size(json_object_get(now, "values")), OBSERVED + 2 * ACTED);
    assert_int_equal(json_integer_value(json_array_get(row, 2)), 48); /* its first tick */
    assert_int_equal(json_integer_value(json_array_get(row, 3)), 4);  /* ticks in it */
    assert_int_equal(json_integer_value(json_array_get(row, 4)), GB_MODE_CLAMP);
    assert_int_equal(json_array_size(json_array_get(row, 19)), OBSERVED + 2 * ACTED);
    json_decref(answer);
    answer = live(port, "?after=240");
    assert_int_equal(json_array_size(json_object_get(answer, "rows")), 11);
    assert_null(json_object_get(answer, "sums"));
    assert_true(json_array_size(json_object_get(answer, "scene")) > 4); /* the table is drawn */
    json_decref(answer);
    json_decref(live(port, "?after=99999999999999999999&more=-3")); /* nonsense */
    assert_int_equal(gb_view_close(view), GB_OK);
}

/* ---- the button
 * ------------------------------------------------------------------------------------
 */

static void button_stops(void **state)
{
    (void)state;
    gb_view *view = open_view(0, NULL);
    int port = gb_view_port(view);
    char token[100], origin[200];
    snprintf(token, sizeof token, "X-Genba-Token: %s\r\n", view->token);
    assert_int_equal(http_ask(port, "POST", "/stop", "", NULL), 403);
    assert_int_equal(http_ask(port, "POST", "/stop", "X-Genba-Token: 00\r\n", NULL), 403);
    assert_int_equal(http_ask(port, "POST", "/stop",
                              "X-Genba-Token: 00000000000000000000000000000000\r\n", NULL),
                     403);
    snprintf(origin, sizeof origin, "%sOrigin: http://example.com\r\n", token);
    assert_int_equal(http_ask(port, "POST", "/stop", origin, NULL), 403);
    snprintf(origin, sizeof origin, "%sOrigin: http://127.0.0.1:1\r\n", token);
    assert_int_equal(http_ask(port, "POST", "/stop", origin, NULL), 403);
    assert_int_equal(http_ask(port, "GET", "/stop", token, NULL), 405);
    assert_false(gb_view_emergency_stop(view));
    snprintf(origin, sizeof origin, "%sOrigin: http://127.0.0.1:%d\r\nContent-Length: 0\r\n", token,
             port);
    assert_int_equal(http_ask(port, "POST", "/stop", origin, NULL), 200);
    assert_true(gb_view_emergency_stop(view));
    json_t *answer = live(port, "");
    assert_true(json_is_true(json_object_get(answer, "stop")));
    json_decref(answer);
    assert_int_equal(gb_view_close(view), GB_OK);
}

/* ---- who is refused
 * --------------------------------------------------------------------------------
 */

static int ask_as(int port, const char *host)
{
    char request[400];
    int status = 0;
    snprintf(request, sizeof request, "GET / HTTP/1.1\r\n%sConnection: close\r\n\r\n", host);
    char *answer = http_raw(port, request);
    if (answer)
        sscanf(answer, "HTTP/1.1 %d", &status);
    free(answer);
    return status;
}

static void others_are_refused(void **state)
{
    (void)state;
    gb_view *view = open_view(0, NULL);
    int port = gb_view_port(view);
    char host[100];
    assert_int_equal(ask_as(port, "Host: evil.example\r\n"), 403);
    assert_int_equal(ask_as(port, "Host: 127.0.0.1.evil.example\r\n"), 403);
    assert_int_equal(ask_as(port, "Host: localhost:80.evil.example\r\n"), 403);
    assert_int_equal(ask_as(port, "Host: localhost:1234567\r\n"), 403);
    assert_int_equal(ask_as(port, "Host: localhost:8080\r\n"), 200); /* a forwarded port */
    assert_int_not_equal(ask_as(port, ""), 200);
    snprintf(host, sizeof host, "Host: evil.example:%d\r\n", port);
    assert_int_equal(ask_as(port, host), 403);
    snprintf(host, sizeof host, "Host: localhost:%d\r\n", port);
    assert_int_equal(ask_as(port, host), 200);
    assert_int_equal(http_ask(port, "GET", "/etc/passwd", "", NULL), 404);
    assert_int_equal(http_ask(port, "GET", "/../../etc/passwd", "", NULL), 404);
    assert_int_equal(http_ask(port, "GET", "/live/", "", NULL), 404);
    assert_int_equal(http_ask(port, "POST", "/", "Content-Length: 0\r\n", NULL), 405);
    assert_int_equal(http_ask(port, "DELETE", "/live", "", NULL), 405);
    assert_int_equal(http_ask(port, "OPTIONS", "/stop", "", NULL), 405);
    assert_int_equal(http_ask(port, "GET", "/", "Content-Length: 99999999\r\n", NULL), 413);
    assert_int_equal(gb_view_close(view), GB_OK);
}

static void garbage_is_survived(void **state)
{
    (void)state;
    gb_view *view = open_view(0, NULL);
    int port = gb_view_port(view);
    char bytes[3001];
    for (uint64_t k = 0; k < 40; k++) {
        for (uint64_t i = 0; i < 3000; i++)
            bytes[i] = (char)(1 + gb_random_below(5, k, i, 255));
        memcpy(bytes, "GET / HTTP/1.1\r\n", k % 2 ? 16 : 4);
        memcpy(bytes + 2996, "\r\n\r\n", 5);
        free(http_raw(port, bytes));
    }
    assert_int_equal(http_ask(port, "GET", "/", "", NULL), 200);
    assert_int_equal(gb_view_close(view), GB_OK);
}

/* ---- nobody who looks holds up the servo
 * --------------------------------------------------------------
 */

static void stalled_readers_cost_nothing(void **state)
{
    (void)state;
    gb_view *view = open_view(0, NULL);
    int port = gb_view_port(view), readers[60];
    char request[200];
    snprintf(request, sizeof request,
             "GET /live?after=0&more=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", port);
    feed(view, 0, 3000);
    await(view, 3000);
    for (int i = 0; i < 60; i++) { /* more than there is room for; none of them ever reads */
        readers[i] = http_connect(port, 2048);
        for (int k = 0; readers[i] >= 0 && k < 20; k++)
            (void)!send(readers[i], request, strlen(request), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    feed(view, 3000, 9000); /* every tick still finds room and is taken */
    await(view, 9000);
    assert_int_equal(gb_ring_lost(view->ring), 0);
    /* Closing does not wait for them. */
    assert_int_equal(gb_view_close(view), GB_OK);
    for (int i = 0; i < 60; i++)
        if (readers[i] >= 0)
            close(readers[i]);
}

/* The drain stands still: the ring fills, and what does not fit is counted. */
static void full_ring_is_counted(void **state)
{
    (void)state;
    gb_view *view = open_view(-1, NULL);
    pthread_mutex_lock(&view->lock);
    feed(view, 0, 40000);
    int64_t lost = gb_ring_lost(view->ring);
    assert_true(lost > 0 && lost < 40000);
    assert_int_equal(gb_ring_waiting(view->ring), 40000 - lost);
    pthread_mutex_unlock(&view->lock);
    await(view, 40000 - lost);
    assert_int_equal(gb_view_close(view), GB_OK);
}

/* ---- the report
 * --------------------------------------------------------------------------------------
 */

/* The data inside a page. */
static json_t *report_data(const char *path)
{
    gb_file_view file;
    json_error_t error;
    assert_int_equal(gb_file_map(path, &file), GB_OK);
    static const char begin[] = "id=\"data\">";
    const char *from = memmem(file.data, file.size, begin, sizeof begin - 1);
    assert_non_null(from);
    from += sizeof begin - 1;
    const char *until =
        memmem(from, file.size - (size_t)(from - (const char *)file.data), "</script>", 9);
    assert_non_null(until);
    json_t *data = json_loadb(from, (size_t)(until - from), 0, &error);
    if (!data)
        fail_msg("line %d column %d: %s", error.line, error.column, error.text);
    gb_file_unmap(&file);
    return data;
}

static void temporary(char path[64])
{
    strcpy(path, "/tmp/genba_view_XXXXXX");
    assert_non_null(mkdtemp(path));
}

static void report_keeps_spikes(void **state)
{
    (void)state;
    char folder[64], path[100];
    temporary(folder);
    snprintf(path, sizeof path, "%s/report.html", folder);
    gb_view *view = open_view(-1, path);
    assert_int_equal(gb_view_port(view), -1);
    for (uint64_t i = 0; i < 9000; i++) {
        record r = made_up(i);
        if (i == 5001)
            r.numbers[2] = 777.5; /* for one tick */
        if (i == 7000)
            r.numbers[3] = NAN;
        gb_view_tick(view, &r.head);
    }
    assert_int_equal(gb_view_close(view), GB_OK);
    json_t *data = report_data(path), *rows = json_object_get(data, "rows"), *row;
    size_t i;
    int spikes = 0;
    int64_t ticks = 0;
    assert_true(json_array_size(rows) > 500 && json_array_size(rows) <= 2000);
    json_array_foreach(rows, i, row)
    {
        ticks += json_integer_value(json_array_get(row, 3));
        spikes += json_number_value(json_array_get(json_array_get(row, 20), 2)) == 777.5;
    }
    assert_int_equal(ticks, 9000);
    assert_int_equal(spikes, 1);
    assert_int_equal(json_array_size(json_object_get(data, "events")), 180);
    size_t scenes = json_array_size(json_object_get(data, "scenes"));
    assert_true(scenes > 100 && scenes <= 600);
    assert_true(json_is_false(json_object_get(data, "live")));
    assert_null(json_object_get(data, "token"));
    assert_string_equal(json_string_value(json_object_get(data, "title")),
                        "A </script> of a \"title\"");
    assert_string_equal(json_string_value(json_object_get(data, "precision")), "bf16");
    json_decref(data);
    unlink(path);
    rmdir(folder);
}

/* More episodes than buckets, which cannot be united: the oldest go, and the length of a bucket has
 * nothing to do with it. */
static void report_of_many_episodes(void **state)
{
    (void)state;
    char folder[64], path[100];
    temporary(folder);
    snprintf(path, sizeof path, "%s/report.html", folder);
    gb_view *view = open_view(-1, path);
    for (uint64_t i = 0; i < 2500; i++) {
        record r = made_up(i);
        r.head.episode = (uint32_t)i;
        gb_view_tick(view, &r.head);
    }
    assert_int_equal(gb_view_close(view), GB_OK);
    json_t *data = report_data(path);
    assert_int_equal(json_array_size(json_object_get(data, "rows")), 2000);
    assert_true(json_number_value(json_object_get(data, "kept")) == 0.01);
    json_decref(data);
    unlink(path);
    rmdir(folder);
}

static void report_is_whole_or_absent(void **state)
{
    (void)state;
    char folder[64], path[100];
    temporary(folder);
    snprintf(path, sizeof path, "%s/empty.html", folder);
    gb_view *view = open_view(-1, path); /* not one tick */
    assert_int_equal(gb_view_close(view), GB_OK);
    json_t *data = report_data(path);
    assert_int_equal(json_array_size(json_object_get(data, "rows")), 0);
    json_decref(data);
    unlink(path);
    char inner[80];
    snprintf(inner, sizeof inner, "%s/absent", folder);
    snprintf(path, sizeof path, "%s/report.html", inner);
    assert_int_equal(mkdir(inner, 0700), 0);
    view = open_view(-1, path);
    feed(view, 0, 100);
    assert_int_equal(rmdir(inner), 0); /* while it ran */
    assert_int_equal(gb_view_close(view), GB_ERR_IO);
    assert_false(gb_file_exists(path));
    assert_int_equal(rmdir(folder), 0); /* nothing was left there */
}

/* A machine that no plant of this program draws, with a stream as wide as a LiDAR's and one that is
 * too wide to be shown. */
static void other_machines_are_shown(void **state)
{
    (void)state;
    enum {
        BEAMS = 360,
        PIXELS = 5000,
        NUMBERS = BEAMS + PIXELS + 3
    };
    static const char *const labels[] = {"</script><b>", "\\\"\n"};
    gb_plant_stream seen[3] = {0}, done[1] = {0};
    seen[0].spec = gb_stream_spec_defaults("lidar");
    seen[0].size = BEAMS;
    seen[1].spec = gb_stream_spec_defaults("camera");
    seen[1].size = PIXELS;
    seen[2].spec = gb_stream_spec_defaults("wheel.speed");
    seen[2].spec.labels = labels;
    seen[2].size = 2;
    done[0].spec = gb_stream_spec_defaults("motor");
    done[0].size = 1;
    gb_plant_info info = {.name = "pusht",
                          .summary = "",
                          .source = "",
                          .observation_streams = seen,
                          .observation_stream_count = 3,
                          .action_streams = done,
                          .action_stream_count = 1,
                          .observation_size = NUMBERS - 1,
                          .action_size = 1};
    char folder[64], path[100];
    temporary(folder);
    snprintf(path, sizeof path, "%s/report.html", folder);
    gb_view_options options = {
        .machine = &info, .port = -1, .tick_ns = 1000000, .report_path = path};
    gb_view *view = NULL;
    gb_tick *tick = calloc(1, sizeof *tick + (NUMBERS + 1) * sizeof(double));
    assert_non_null(tick);
    assert_int_equal(gb_view_open(&options, &view), GB_OK);
    assert_null(view->plant);
    double *numbers = (double *)(tick + 1);
    numbers[7] = 1.5;
    numbers[BEAMS + PIXELS] = INFINITY;
    for (uint64_t i = 0; i < 20; i++) {
        tick->tick = i;
        tick->observation_ns = INT64_MIN;
        tick->verdict.margin_limit = -1;
        gb_view_tick(view, tick);
    }
    assert_int_equal(gb_view_close(view), GB_OK);
    json_t *data = report_data(path);
    json_t *streams = json_object_get(data, "observations");
    json_t *row = json_array_get(json_object_get(data, "rows"), 0);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(streams, 1), "column")), -1);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(json_array_get(streams, 2), "labels"), 0)),
        labels[0]);
    assert_int_equal(json_array_size(json_array_get(row, 21)), 2 + 2); /* narrow ones, action */
    assert_true(json_is_null(json_array_get(json_array_get(row, 21), 0)));
    assert_int_equal(json_array_size(json_array_get(row, 22)), BEAMS);
    assert_true(json_number_value(json_array_get(json_array_get(row, 22), 7)) == 1.5);
    assert_false(json_is_true(json_object_get(data, "drawn")));
    json_decref(data);
    free(tick);
    unlink(path);
    rmdir(folder);
}

static void a_report_without_a_place_is_refused_at_once(void **state)
{
    (void)state;
    char folder[64], path[100];
    temporary(folder);
    snprintf(path, sizeof path, "%s/no_such_folder/report.html", folder);
    gb_view_options options = {
        .machine = pusht(), .port = -1, .tick_ns = 10000000, .report_path = path};
    gb_view *view = NULL;
    assert_int_equal(gb_view_open(&options, &view), GB_ERR_IO);
    assert_null(view);
    assert_non_null(strstr(gb_error_message(), "check the path"));
    rmdir(folder);
}

/* A report replaces an older one, and nothing else: least of all the black box of the same run. */
static void a_report_replaces_only_reports(void **state)
{
    (void)state;
    char folder[64], path[100], part[108];
    temporary(folder);
    snprintf(path, sizeof path, "%s/run.mcap", folder);
    snprintf(part, sizeof part, "%s.part", path);
    gb_view_options options = {
        .machine = pusht(), .port = -1, .tick_ns = 10000000, .report_path = path};
    gb_view *view = NULL;
    assert_int_equal(gb_file_replace(part, "record", 6), GB_OK); /* a black box under way */
    assert_int_equal(gb_view_open(&options, &view), GB_ERR_ARGUMENT);
    assert_non_null(strstr(gb_error_message(), "another name"));
    unlink(part);
    assert_int_equal(gb_file_replace(path, "commands:\n  - stream: arm\n", 25), GB_OK);
    assert_int_equal(gb_view_open(&options, &view), GB_ERR_ARGUMENT);
    assert_non_null(strstr(gb_error_message(), "is there and is no report"));
    assert_null(view);
    assert_int_equal(gb_file_replace(path, "", 0), GB_OK);
    for (int i = 0; i < 2; i++) { /* over nothing, over a report */
        assert_int_equal(gb_view_open(&options, &view), GB_OK);
        assert_int_equal(gb_view_close(view), GB_OK);
    }
    unlink(path);
    rmdir(folder);
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    gb_view_options options = {.machine = pusht(), .tick_ns = 10000000, .port = -2};
    gb_view *view = NULL, *first = open_view(0, NULL);
    assert_int_equal(gb_view_open(&options, &view), GB_ERR_ARGUMENT);
    options.port = gb_view_port(first); /* in use */
    assert_int_equal(gb_view_open(&options, &view), GB_ERR_IO);
    assert_non_null(strstr(gb_error_message(), "choose another port"));
    options.port = 0;
    options.tick_ns = 0;
    assert_int_equal(gb_view_open(&options, &view), GB_ERR_ARGUMENT);
    options.machine = NULL;
    assert_int_equal(gb_view_open(&options, &view), GB_ERR_ARGUMENT);
    assert_null(view);
    assert_int_equal(gb_view_close(first), GB_OK);
    assert_int_equal(gb_view_close(NULL), GB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_is_served),
        cmocka_unit_test(ticks_arrive),
        cmocka_unit_test(button_stops),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(garbage_is_survived),
        cmocka_unit_test(stalled_readers_cost_nothing),
        cmocka_unit_test(full_ring_is_counted),
        cmocka_unit_test(report_keeps_spikes),
        cmocka_unit_test(report_of_many_episodes),
        cmocka_unit_test(report_is_whole_or_absent),
        cmocka_unit_test(other_machines_are_shown),
        cmocka_unit_test(a_report_without_a_place_is_refused_at_once),
        cmocka_unit_test(a_report_replaces_only_reports),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
