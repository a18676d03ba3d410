/* genba record: what a broker publishes, or a plant's teacher does, into a store. */
#include "cli.h"

#include "genba/ingest.h"
#include "genba/plant.h"

#include <string.h>

typedef struct record_view {
    bool json, terminal, open;
    int64_t shown_ns;
} record_view;

static void show_progress(void *context, const gb_record_counts *c, double seconds)
{
    record_view *view = context;
    char text[32];
    int64_t now = gb_clock_monotonic_ns();
    if (view->json || !view->terminal || now - view->shown_ns < 500000000)
        return;
    view->shown_ns = now;
    fprintf(stderr, "\r\033[K%s  %lld messages, %lld samples in %lld recordings  Ctrl-C ends",
            duration_text(seconds, text, sizeof text), (long long)c->messages,
            (long long)c->samples, (long long)c->recordings);
    view->open = true;
}

static void show_note(void *context, const char *message)
{
    record_view *view = context;
    fprintf(stderr, "%snote: %s\n", view->open ? "\r\033[K" : "", message);
    view->open = false;
}

static void print_counts(const gb_record_counts *c, const char *store, bool json)
{
    if (json) {
        printf("{\"messages\": %lld, \"samples\": %lld, \"duplicates\": %lld, \"reordered\": %lld, "
               "\"late\": %lld, \"rejected\": %lld, \"lost\": %lld, \"unknown\": %lld, "
               "\"connections\": %lld, \"recordings\": %lld}\n",
               (long long)c->messages, (long long)c->samples, (long long)c->duplicates,
               (long long)c->reordered, (long long)c->late, (long long)c->rejected,
               (long long)c->lost, (long long)c->unknown, (long long)c->connections,
               (long long)c->recordings);
        return;
    }
    printf("%lld message%s: %lld sample%s in %lld recording%s\n", (long long)c->messages,
           plural(c->messages), (long long)c->samples, plural(c->samples), (long long)c->recordings,
           plural(c->recordings));
    if (c->duplicates + c->reordered + c->late + c->lost > 0)
        printf("%lld delivered twice (left out), %lld put in order, %lld too late for that, %lld "
               "messages lost\n",
               (long long)c->duplicates, (long long)c->reordered, (long long)c->late,
               (long long)c->lost);
    if (c->rejected > 0)
        printf("%lld messages rejected: %s/rejects\n", (long long)c->rejected, store);
    if (c->unknown > 0)
        printf("%lld values of Sparkplug aliases that no birth declared (it will be sent when the "
               "node starts anew)\n",
               (long long)c->unknown);
    printf("look at it:  genba inspect %s\n", store);
}

/* ---- a plant's teacher
 * -------------------------------------------------------------------------- */

static void print_demonstrations(const gb_demonstrate_options *options,
                                 const gb_demonstrate_counts *c,
                                 const char *store,
                                 double wall_s,
                                 bool json)
{
    double speed = c->simulated_s / (wall_s > 0.0 ? wall_s : 1e-9);
    long long failed = (long long)(c->tried - c->succeeded);
    char text[32];
    if (json) {
        printf("{\"plant\": \"%s\", \"episodes\": %lld, \"tried\": %lld, \"succeeded\": %lld, "
               "\"steps\": %lld, \"simulated_s\": %.3f, \"wall_s\": %.3f, "
               "\"times_real_time\": %.1f}\n",
               options->plant, (long long)c->kept, (long long)c->tried, (long long)c->succeeded,
               (long long)c->steps, c->simulated_s, wall_s, speed);
        return;
    }
    printf("%lld episode%s kept of %lld tried; the teacher succeeded in %lld and failed in %lld "
           "(%s)\n",
           (long long)c->kept, plural(c->kept), (long long)c->tried, (long long)c->succeeded,
           failed, options->keep_failures ? "kept, too" : "refused");
    if (c->kept < options->episodes)
        printf("stopped before the %d that were asked for; what was kept is whole\n",
               options->episodes);
    printf("%lld steps, %.0f s of work, recorded in %s (%.0f times real time)\n",
           (long long)c->steps, c->simulated_s, duration_text(wall_s, text, sizeof text), speed);
    printf("in %s; look at it:  genba inspect %s\n", store, store);
}

static gb_status
record_teacher(gb_demonstrate_options *options, const char *store_path, const char *key, bool json)
{
    const gb_store_options store_options = {.key_path = key};
    filled to = {0};
    gb_demonstrate_counts counts = {0};
    progress bar = progress_start(json);
    options->progress = progress_work;
    options->progress_context = &bar;
    options->stop = stop_flag();
    GB_TRY(gb_plant_demonstrate_check(options)); /* before a store is made */
    gb_status status = filled_open(&to, store_path, &store_options);
    int64_t start_ns = gb_clock_monotonic_ns();
    if (status == GB_OK)
        status = gb_plant_demonstrate_into_store(options, to.store, &counts);
    double wall_s = (double)(gb_clock_monotonic_ns() - start_ns) * 1e-9;
    progress_close(&bar);
    filled_close(&to, status == GB_OK && counts.kept > 0);
    if (status == GB_OK && counts.kept == 0) /* Ctrl-C came before the first whole one */
        return gb_fail(GB_ERR_INTERRUPTED, "stopped before an episode was whole; nothing was kept");
    if (status == GB_OK)
        print_demonstrations(options, &counts, store_path, wall_s, json);
    return status;
}

/* ---- a broker
 * ------------------------------------------------------------------------------------ */

static int record_broker(gb_record_options *record,
                         const char *map_path,
                         const char *store_path,
                         const char *key,
                         bool json)
{
    record_view view = {.json = json, .terminal = progress_start(json).terminal};
    gb_record_listener listener = {&view, show_progress, show_note, stop_flag()};
    gb_stream_map *map = NULL;
    const gb_store_options store_options = {.key_path = key};
    filled to = {0};
    gb_record_counts counts = {0};
    gb_status status = map_path ? gb_stream_map_load(map_path, &map) : GB_OK;
    if (status == GB_OK)
        status = filled_open(&to, store_path, &store_options);
    if (status == GB_OK)
        status = gb_record_mqtt(record, map, &listener, to.store, &counts);
    if (view.open)
        fputs("\r\033[K", stderr);
    filled_close(&to, status == GB_OK);
    gb_stream_map_destroy(map);
    if (status != GB_OK)
        return fail_with(status);
    print_counts(&counts, store_path, json);
    return counts.rejected > 0 ? EXIT_INPUT : EXIT_DONE;
}

static int run_record(int argc, char **argv)
{
    const char *map_path = NULL, *store_path = NULL, *key = NULL;
    bool json = false, teacher = false;
    int64_t episodes = 100, seed = 0, picture = 0;
    gb_record_options record = gb_record_options_defaults();
    gb_demonstrate_options work = gb_demonstrate_options_defaults();
    const option_spec options[] = {
        {"to", OPTION_TEXT, &store_path, 0, 0},
        {"map", OPTION_TEXT, &map_path, 0, 0},
        {"key", OPTION_TEXT, &key, 0, 0},
        {"name", OPTION_TEXT, &record.name, 0, 0},
        {"password-file", OPTION_TEXT, &record.password_file, 0, 0},
        {"ca-file", OPTION_TEXT, &record.ca_file, 0, 0},
        {"segment", OPTION_NUMBER, &record.segment_s, 0.1, 1e6},
        {"hold", OPTION_NUMBER, &record.hold_s, 0, 3600},
        {"seconds", OPTION_NUMBER, &record.seconds, 0, 1e9},
        {"teacher", OPTION_FLAG, &teacher, 0, 0},
        {"episodes", OPTION_COUNT, &episodes, 1, 1e6},
        {"seed", OPTION_COUNT, &seed, 0, 4e9},
        {"noise", OPTION_NUMBER, &work.action_noise, 0, 1},
        {"keep-failures", OPTION_FLAG, &work.keep_failures, 0, 0},
        {"camera", OPTION_COUNT, &picture, 16, 1024},
        {"json", OPTION_FLAG, &json, 0, 0},
    };
    int code = options_parse(&command_record, argc, argv, options, sizeof options / sizeof *options,
                             &record.url, 1, 1);
    if (code >= 0)
        return code;
    if (!store_path) {
        fprintf(stderr, "genba record: needs --to STORE\n");
        return EXIT_USAGE;
    }
    if (!teacher && !strstr(record.url, "://")) {
        fprintf(stderr,
                "genba record: %s is no address such as mqtt://HOST; a simulated machine needs "
                "--teacher\n",
                record.url);
        return EXIT_USAGE;
    }
    if (!teacher)
        return record_broker(&record, map_path, store_path, key, json);
    work.plant = record.url;
    work.episodes = (int)episodes;
    work.first_seed = (uint64_t)seed;
    work.picture_size = (int)picture;
    gb_status status = record_teacher(&work, store_path, key, json);
    return status == GB_OK ? (*stop_flag() ? EXIT_STOPPED : EXIT_DONE) : fail_with(status);
}

const cli_command command_record = {
    "record", "record an MQTT broker, or a simulated machine's teacher, into a store",
    "usage: genba record mqtt://[USER@]HOST[:PORT][/FILTER] --to STORE [options]\n"
    "       genba record PLANT --teacher [--episodes N] --to STORE [options]\n\n"
    "Numbers, JSON and Sparkplug B become streams named after their topics; a map chooses and "
    "names\n"
    "them. Ctrl-C ends the recording; a lost broker is looked for again.\n\n"
    "  --map MAP.yaml         which topics become which streams\n"
    "  --name NAME            beginning of the recordings' names (default: the host's)\n"
    "  --segment S            a recording ends every S seconds (default 60)\n"
    "  --hold S               samples wait S seconds for earlier ones (default 2)\n"
    "  --seconds S            stop after S seconds\n"
    "  --password-file FILE   of USER\n"
    "  --ca-file FILE         certificates to trust with mqtts://\n"
    "\n"
    "  --teacher              a simulated machine (genba eval lists them) worked by its teacher\n"
    "  --episodes N           that are kept (default 100)\n"
    "  --seed S               of the first episode (default 0); the next are S + 1, ...\n"
    "  --noise P              noise on what is done, as a part of each action's range; what is\n"
    "                         recorded stays what the teacher meant\n"
    "  --keep-failures        keep episodes in which the teacher failed, too\n"
    "  --camera PIXELS        a picture each step, so many pixels square\n\n"
    "  --key FILE             of an encrypted store (or GENBA_KEY)\n"
    "  --json                 one JSON object at the end\n\n"
    "examples: genba record mqtt://localhost/plant/# --to plant.store\n"
    "          genba record grasp --teacher --episodes 200 --to grasp.store\n",
    run_record};
