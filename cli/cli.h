/* cli.h: what the commands share: the table, options, exit codes, progress. Commands parse and
 * print; everything they do is the library's. */
#ifndef GENBA_CLI_H
#define GENBA_CLI_H

#include "genba/base.h"
#include "genba/store.h"
#include "genba/train.h"

#include <stdio.h>

/* Documented in `genba help`. */
enum {
    EXIT_DONE = 0,
    EXIT_USAGE = 2,   /* the command line is wrong */
    EXIT_INPUT = 3,   /* what a file, recipe, model or option says is wrong */
    EXIT_MACHINE = 4, /* a file cannot be read or written, memory, or a feature that is missing */
    EXIT_STOPPED = 130
};

typedef struct cli_command {
    const char *name, *summary;
    const char *help; /* usage, options, an example */
    int (*run)(int argc, char **argv);
} cli_command;

/* a command a line: additions do not meet */
/* clang-format off */
#define COMMAND_LIST(X) \
    X(demo) \
    X(train) \
    X(eval) \
    X(forecast) \
    X(run) \
    X(replay) \
    X(machine) \
    X(inspect) \
    X(ingest) \
    X(recover) \
    X(record) \
    X(store) \
    X(anonymise) \
    X(audit) \
    X(key) \
    X(doctor)
/* clang-format on */
#define COMMAND_DECLARE(name) extern const cli_command command_##name;
COMMAND_LIST(COMMAND_DECLARE)
#undef COMMAND_DECLARE

/* ---- options: one table a command ---------------------------------------------------------------
 */
typedef enum option_kind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_COUNT,
    OPTION_NUMBER
} option_kind;

typedef struct option_spec {
    const char *name; /* without the dashes */
    option_kind kind;
    void *value;        /* bool *, const char **, int64_t *, double * */
    double least, most; /* OPTION_COUNT, OPTION_NUMBER */
} option_spec;

/* Reads options and at most places_most words that are none; --name value or --name=value. A
 * mistake is printed with the nearest option and EXIT_USAGE returned, else -1. */
int options_parse(const cli_command *command,
                  int argc,
                  char **argv,
                  const option_spec *specs,
                  int count,
                  const char **places,
                  int places_least,
                  int places_most);

/* "s" but for one. */
static inline const char *plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

/* Prints "genba: message" and gives the exit code of a failure. */
int fail_with(gb_status status);

/* ---- places
 * -------------------------------------------------------------------------------------- */

#define PLACE_MAX 4096 /* bytes of a path, the closing 0 too */

/* True for a folder that genba train made: it holds run.json, recipe.yaml and, in the end, model.
 */
bool is_run(const char *folder);
/* Where the model is: `given` itself, or the model inside when `given` is a run folder.
 * GB_ERR_NOT_FOUND: a run whose training has not ended. */
gb_status model_place(const char *given, char *out, size_t size);

/* ---- a store to fill
 * ------------------------------------------------------------------------------- */

typedef struct filled {
    gb_store *store; /* NULL: not open */
    const char *path;
    char made[PLACE_MAX]; /* the topmost folder that was made for it; "" it was there before */
} filled;

/* Opens the store at `path`; makes it when nothing is there. Close it also when this failed. */
gb_status filled_open(filled *f, const char *path, const gb_store_options *options);
/* done: the work was. Otherwise a store that was made here is taken back when it is still empty,
 * and what is said to stay is whole. A zeroed one is fine. */
void filled_close(filled *f, bool done);

/* ---- progress
 * ------------------------------------------------------------------------------------ */
typedef struct progress {
    bool terminal, quiet;
    bool open;        /* a bar stands on the current line */
    int64_t shown_ns; /* when it was last drawn */
    int64_t since_ns; /* when `what` began */
    int tenths;       /* plain lines: last tenth said */
    char what[160];   /* a copy: what was under way may be gone when the next thing begins */
} progress;

progress progress_start(bool json);
/* A gb_train_callback; context is a progress. */
void progress_train(void *context, const gb_train_progress *p);
/* A gb_progress_fn; context is a progress. */
void progress_work(void *context, const char *what, double fraction);
/* Ends the line a bar stands on. */
void progress_close(progress *p);
/* "1 h 03 min", "2 min 10 s", "8.4 s" */
const char *duration_text(double seconds, char *text, size_t size);

/* Set by Ctrl-C (SIGINT, SIGTERM); a second Ctrl-C ends the program at once. */
extern const volatile int *stop_flag(void);

/* --threads: 0 means all; NULL pool for 1. */
gb_status pool_for(int64_t threads, gb_pool **out);

#endif
