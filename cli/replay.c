/* genba replay: is a black box whole, and does a model decide again what it decided then? */
#include "cli.h"

#include "genba/control.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct outcome {
    gb_replay_result result;
    bool asked;         /* a model was given */
    bool broken;        /* the chain is */
    bool other_head;    /* the last hash is not the expected one */
    const char *reason; /* of `broken` */
} outcome;

static bool differs(const outcome *o)
{
    const gb_replay_result *r = &o->result;
    return o->broken || o->other_head || r->decisions_different > 0 || r->proposals_different > 0;
}

/* Something of the run could not be compared, because it is not in the recording. */
static bool lacks(const outcome *o)
{
    const gb_replay_result *r = &o->result;
    return !o->broken && (!r->closed || r->file_cut || r->ticks_lost > 0 || r->decisions_lost > 0 ||
                          r->proposals_unchecked > 0);
}

static gb_status replay(const char *path, const char *folder, outcome *o)
{
    gb_model *model = NULL;
    char hash[2 * GB_HASH_BYTES + 1] = "", place[PLACE_MAX] = "";
    gb_dtype compute = GB_F32;
    gb_status status = GB_OK;
    o->asked = folder != NULL;
    o->result.first_different_tick = UINT64_MAX;
    char part[PLACE_MAX + 8];
    snprintf(part, sizeof part, "%s.part", path);
    if (!gb_file_exists(path) && gb_file_exists(part))
        return gb_fail(GB_ERR_IO,
                       "there is no %s, but %s, of a run that was cut or is still going: give that "
                       "name",
                       path, part);
    if (folder) {
        status = model_place(folder, place, sizeof place);
        folder = place;
    }
    if (status == GB_OK && folder)
        status = gb_model_load(folder, &model);
    if (status == GB_OK && folder)
        status = gb_model_folder_hash(folder, hash);
    if (status == GB_OK && folder)
        status = gb_blackbox_precision(path, &compute);
    if (status == GB_OK)
        status = gb_replay(path, folder ? gb_policy_model_maker(compute) : NULL, model, hash,
                           &o->result);
    gb_model_destroy(model);
    if (status == GB_ERR_CORRUPT && o->result.records > 0) {
        o->broken = true;
        o->reason = gb_error_message();
        return GB_OK;
    }
    return status;
}

static void print_json(const outcome *o)
{
    const gb_replay_result *r = &o->result;
    json_t *all = json_pack(
        "{s:s, s:s*, s:b, s:b, s:b, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, "
        "s:s, "
        "s:s, s:s, s:b}",
        "chain", o->broken ? "broken" : "whole", "error", o->broken ? o->reason : NULL, "closed",
        r->closed, "file_cut", r->file_cut, "head_expected", !o->other_head, "records",
        (json_int_t)r->records, "head", r->last_hash, "ticks", (json_int_t)r->ticks, "ticks_lost",
        (json_int_t)r->ticks_lost, "decisions", (json_int_t)r->decisions, "decisions_lost",
        (json_int_t)r->decisions_lost, "decisions_checked", (json_int_t)r->decisions_checked,
        "decisions_different", (json_int_t)r->decisions_different, "proposals_checked",
        (json_int_t)r->proposals_checked, "proposals_different", (json_int_t)r->proposals_different,
        "proposals_unchecked", (json_int_t)r->proposals_unchecked, "machine", r->machine_name,
        "model", r->model_name, "model_hash", r->model_hash, "precision",
        gb_precision_name(r->compute), "same_model", r->same_model);
    if (all && r->first_different_tick != UINT64_MAX)
        json_object_set_new(all, "first_different_tick",
                            json_integer((json_int_t)r->first_different_tick));
    if (all)
        json_object_set_new(all, "complete", json_boolean(!o->broken && !lacks(o)));
    char *text = all ? json_dumps(all, 0) : NULL;
    puts(text ? text : "{}");
    free(text);
    json_decref(all);
}

static void print_chain(const outcome *o)
{
    const gb_replay_result *r = &o->result;
    if (o->broken)
        printf("chain      BROKEN: %s\n           %llu records before that are as they were "
               "written\n",
               o->reason, (unsigned long long)r->records);
    else
        printf("chain      whole: %llu records%s\nhead       %s%s\n",
               (unsigned long long)r->records, r->closed ? "" : ", but its END IS MISSING",
               r->last_hash, o->other_head ? "  NOT the expected one" : "");
    printf("machine    %s\n", r->machine_name);
    if (r->model_name[0] || r->model_hash[0])
        printf("model      %s (%.12s...) in %s%s\n", r->model_name, r->model_hash,
               gb_precision_name(r->compute),
               !o->asked       ? ""
               : r->same_model ? ", the one given"
                               : ", NOT the one given");
    printf("ticks      %lld, %lld lost\ndecisions  %lld, %lld lost\n", (long long)r->ticks,
           (long long)r->ticks_lost, (long long)r->decisions, (long long)r->decisions_lost);
}

/* What of the run is not in the recording, so that nobody takes a part for the whole. */
static void print_lacks(const outcome *o)
{
    const gb_replay_result *r = &o->result;
    printf("\nNOT COMPLETE:");
    if (!r->closed)
        printf(" the recording ends after %lld tick%s without the record that closes it: killed, "
               "out of disk, or shortened. What came after could not be compared.",
               (long long)r->ticks, plural(r->ticks));
    else if (r->file_cut)
        printf(
            " the run is there to its end, but the file was cut after that: its other streams or "
            "its index are not all there (genba recover).");
    if (r->ticks_lost > 0 || r->decisions_lost > 0)
        printf(" %lld tick%s and %lld decision%s were lost while it was written.",
               (long long)r->ticks_lost, plural(r->ticks_lost), (long long)r->decisions_lost,
               plural(r->decisions_lost));
    if (r->proposals_unchecked > 0)
        printf(" The decisions behind %lld proposal%s are not there.",
               (long long)r->proposals_unchecked, plural(r->proposals_unchecked));
    printf("\n");
}

static void print_verdict(const outcome *o)
{
    if (differs(o))
        printf("%s\n", o->broken       ? "The recording was changed, or is damaged."
                       : o->other_head ? "The recording is not the one whose head was noted."
                                       : "This model does not do what was recorded.");
    else if (o->asked)
        printf("%s is what this model proposes, bit for bit.\n",
               lacks(o) ? "Of what is there, every proposal" : "Every proposal");
    else
        printf("No model was asked; --model MODEL lets one decide again.\n");
    if (lacks(o))
        print_lacks(o);
}

static void print_text(const outcome *o)
{
    const gb_replay_result *r = &o->result;
    print_chain(o);
    if (o->asked)
        printf("decided    %lld again, %lld different\n", (long long)r->decisions_checked,
               (long long)r->decisions_different);
    printf("proposals  %lld drawn again, %lld different", (long long)r->proposals_checked,
           (long long)r->proposals_different);
    if (r->first_different_tick != UINT64_MAX)
        printf(", the first at tick %llu", (unsigned long long)r->first_different_tick);
    if (r->proposals_unchecked > 0)
        printf("; %lld stand on decisions that are not recorded",
               (long long)r->proposals_unchecked);
    printf("\n");
    print_verdict(o);
}

static int run_replay(int argc, char **argv)
{
    const char *path = NULL, *folder = NULL, *head = NULL;
    bool json = false;
    const option_spec options[] = {{"model", OPTION_TEXT, &folder, 0, 0},
                                   {"head", OPTION_TEXT, &head, 0, 0},
                                   {"json", OPTION_FLAG, &json, 0, 0}};
    int code = options_parse(&command_replay, argc, argv, options, 3, &path, 1, 1);
    if (code >= 0)
        return code;
    outcome o = {0};
    gb_status status = replay(path, folder, &o);
    if (status != GB_OK)
        return fail_with(status);
    o.other_head = head && strcmp(head, o.result.last_hash) != 0;
    if (json)
        print_json(&o);
    else
        print_text(&o);
    bool fine = !differs(&o) && !lacks(&o);
    if (!fine && (json || !isatty(STDOUT_FILENO))) /* where a person looks */
        fprintf(stderr, "genba: %s %s\n", path,
                o.broken       ? "is BROKEN"
                : o.other_head ? "is NOT the expected one"
                : differs(&o)  ? "is NOT what this model does"
                               : "is NOT COMPLETE");
    return fine ? EXIT_DONE : EXIT_INPUT;
}

const cli_command command_replay = {
    "replay", "check a black box and let a model decide again what it decided",
    "usage: genba replay RECORDING [options]\n\n"
    "  --model MODEL   the model's or the run's folder: every decision again, compared bit for "
    "bit\n"
    "  --head HASH     the head that was noted when the run ended must be this recording's\n"
    "  --json          one JSON object\n\n"
    "Exits with 0 when all is there and the same; 3 when something differs, the chain is broken, "
    "or\npart of the run is missing, also when all that is there is the same.\n\n"
    "example: genba replay monday.mcap --model runs/grasp/model\n",
    run_replay};
