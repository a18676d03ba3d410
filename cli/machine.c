/* genba machine: a simulated plant behind a link, to try control on two terminals, and to see what
 * a bad network does to it. */
#include "cli.h"

#include "control/link_peer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1e9

static void say_ready(void *context)
{
    const gb_link_serve_options *options = context;
    fprintf(stderr, "%s is behind %s; nothing moves before the first command (Ctrl-C ends it)\n",
            options->plant, options->url);
}

static void say_episode(void *context, int episode, const gb_plant_result *result)
{
    (void)context;
    fprintf(stderr, "episode %d: %s, score %.3f after %d actions%s%s\n", episode + 1,
            result->success ? "success" : "no success", result->score, result->steps,
            result->verdict && *result->verdict ? ", " : "",
            result->verdict ? result->verdict : "");
}

/* "2,1.5": from second 2 on for 1.5 seconds. */
static int parse_cut(const char *text, gb_link_faults *faults)
{
    char *end = NULL;
    double from = strtod(text, &end), seconds = -1;
    bool good = end != text && *end == ',';
    const char *after = good ? end + 1 : end;
    if (good)
        seconds = strtod(after, &end);
    if (!good || end == after || *end != 0 || !(from >= 0 && from <= 1e6) ||
        !(seconds > 0 && seconds <= 1e6)) {
        fprintf(stderr, "genba machine: --cut must be FROM,SECONDS such as 2,1.5, not %s\n", text);
        return EXIT_USAGE;
    }
    faults->cut_from_ns = (int64_t)(from * SECOND_NS);
    faults->cut_ns = (int64_t)(seconds * SECOND_NS);
    return -1;
}

static void print_counts(const gb_link_serve_counts *c, bool json)
{
    const char *format =
        json ? "{\"ticks\": %" PRId64 ", \"waited\": %" PRId64 ", \"episodes\": %" PRId64
               ", \"successes\": %" PRId64 ", \"messages\": %" PRId64 ", \"dropped\": %" PRId64
               ", \"duplicated\": %" PRId64 ", \"reordered\": %" PRId64 ", \"corrupted\": %" PRId64
               ", \"cut\": %" PRId64 ", \"unsent\": %" PRId64 ", \"commands\": %" PRId64
               ", \"commands_lost\": %" PRId64 ", \"commands_refused\": %" PRId64
               ", \"commands_cut\": %" PRId64 "}\n"
             : "%" PRId64 " ticks (%" PRId64 " before the first command), %" PRId64
               " episodes, %" PRId64 " successes\n"
               "observations: %" PRId64 " messages, %" PRId64 " dropped, %" PRId64
               " duplicated, %" PRId64 " reordered, %" PRId64 " corrupted, %" PRId64
               " cut off, %" PRId64 " not taken by the transport\n"
               "commands: %" PRId64 " received, %" PRId64 " lost, %" PRId64 " refused, %" PRId64
               " cut off\n";
    printf(format, c->ticks, c->waited, c->episodes, c->successes, c->faults.messages,
           c->faults.dropped, c->faults.duplicated, c->faults.reordered, c->faults.corrupted,
           c->faults.cut, c->link.unsent, c->link.received, c->link.lost,
           c->link.corrupt + c->link.misshapen, c->commands_cut);
}

static int print_layout(const char *map_path)
{
    gb_link_map *map = NULL;
    char hash[2 * GB_HASH_BYTES + 1];
    gb_status status = gb_link_map_load(map_path, &map);
    if (status != GB_OK)
        return fail_with(status);
    const gb_plant_info *info = &map->info;
    gb_hash_hex(map->hash, hash);
    printf("machine %s, hash %.16s (the first 8 bytes stand in every packet)\n", info->name, hash);
    printf("%g commands a second, %g actions a second\n", 1e9 / (double)info->tick_ns,
           1e9 / (double)info->period_ns);
    for (int side = 0; side < 2; side++) {
        int count = side ? info->action_stream_count : info->observation_stream_count;
        const gb_plant_stream *streams = side ? info->action_streams : info->observation_streams;
        printf("%s:\n", side ? "command" : "observation");
        for (int i = 0, at = 0; i < count; at += streams[i++].size)
            printf("  values %d to %d: %s, %s\n", at, at + streams[i].size - 1,
                   streams[i].spec.name, streams[i].spec.unit);
    }
    gb_link_map_destroy(map);
    return EXIT_DONE;
}

static int run_machine(int argc, char **argv)
{
    const char *places[1] = {NULL}, *cut = NULL;
    gb_link_serve_options serve = {.ready = say_ready, .episode = say_episode};
    gb_link_serve_counts counts;
    double delay_ms = 0, jitter_ms = 0, seconds = 0;
    int64_t seed = 0, fault_seed = 0, episodes = 0;
    bool json = false, layout = false;
    const option_spec options[] = {
        {"link", OPTION_TEXT, &serve.url, 0, 0},
        {"map", OPTION_TEXT, &serve.map_path, 0, 0},
        {"seed", OPTION_COUNT, &seed, 0, 9e15},
        {"episodes", OPTION_COUNT, &episodes, 1, 1e6},
        {"seconds", OPTION_NUMBER, &seconds, 0, 1e6},
        {"drop", OPTION_NUMBER, &serve.faults.drop, 0, 1},
        {"duplicate", OPTION_NUMBER, &serve.faults.duplicate, 0, 1},
        {"reorder", OPTION_NUMBER, &serve.faults.reorder, 0, 1},
        {"corrupt", OPTION_NUMBER, &serve.faults.corrupt, 0, 1},
        {"delay", OPTION_NUMBER, &delay_ms, 0, 60000},
        {"jitter", OPTION_NUMBER, &jitter_ms, 0, 60000},
        {"cut", OPTION_TEXT, &cut, 0, 0},
        {"fault-seed", OPTION_COUNT, &fault_seed, 0, 9e15},
        {"json", OPTION_FLAG, &json, 0, 0},
        {"layout", OPTION_FLAG, &layout, 0, 0},
    };
    int code = options_parse(&command_machine, argc, argv, options,
                             sizeof options / sizeof *options, places, 0, 1);
    if (code >= 0)
        return code;
    if (!serve.map_path || (!layout && (!places[0] || !serve.url))) {
        fprintf(stderr, "genba machine: a plant, --link URL and --map FILE are needed; see genba "
                        "machine --help\n");
        return EXIT_USAGE;
    }
    if (layout)
        return print_layout(serve.map_path);
    if (cut && (code = parse_cut(cut, &serve.faults)) >= 0)
        return code;
    serve.plant = places[0];
    serve.first_seed = (uint64_t)seed;
    serve.episodes = (int)episodes;
    serve.duration_ns = (int64_t)(seconds * SECOND_NS);
    serve.faults.delay_ns = (int64_t)(delay_ms * 1e6);
    serve.faults.jitter_ns = (int64_t)(jitter_ms * 1e6);
    serve.faults.seed = (uint64_t)fault_seed;
    serve.stop = stop_flag();
    serve.context = &serve;
    gb_status status = gb_link_serve(&serve, &counts);
    if (status != GB_OK)
        return fail_with(status);
    print_counts(&counts, json);
    return EXIT_DONE;
}

const cli_command command_machine = {
    "machine", "play a simulated machine behind a link, with a network as bad as asked for",
    "usage: genba machine PLANT --link URL --map FILE [options]\n"
    "       genba machine --map FILE --layout\n\n"
    "  PLANT             pusht, ...: the plant that answers\n"
    "  --link URL        udp://HOST:PORT?listen=PORT (HOST:PORT is where genba run listens),\n"
    "                    shm://NAME, mqtt://HOST:PORT/TOPIC, dds://DOMAIN\n"
    "  --map FILE        the machine's streams, the same as for genba run (docs/link.md)\n"
    "  --seed N          of the first episode; each further one has the next\n"
    "  --episodes N      stop after so many;  --seconds S: after so long\n"
    "  --drop P          chance that an observation is lost, 0 to 1\n"
    "  --duplicate P     ... comes twice;  --reorder P: is overtaken by the next\n"
    "  --corrupt P       ... has a bit flipped\n"
    "  --delay MS        every observation comes later;  --jitter MS: up to so much more\n"
    "  --cut FROM,S      nothing passes either way from second FROM on for S seconds\n"
    "  --fault-seed N    of these chances: the same seed, the same faults\n"
    "  --layout          print what packets of this map hold, and its hash, and leave\n"
    "  --json            the counts at the end as one JSON object\n\n"
    "example: genba machine pusht --link udp://127.0.0.1:7001?listen=7002 \\\n"
    "             --map examples/links/pusht.yaml --drop 0.05 --delay 20\n"
    "   then: genba run MODEL --link udp://127.0.0.1:7002?listen=7001 \\\n"
    "             --map examples/links/pusht.yaml --no-envelope\n",
    run_machine};
