/* plant/mujoco.c: loading, stepping and asking a MuJoCo model so that nothing prints, writes a log
 * or exits. Pictures are in mujoco_camera.c; no plant's numbers are here. */
#include "plant/mujoco.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors -----------------------------------------------------------------------------------
 * mju_error() must not return. The hooks for one thread are what MuJoCo's own Python bindings use;
 * the public mju_user_error is one for the whole process and would be taken from its other users.
 */

typedef void (*message_fn)(const char *message);
extern message_fn _mjPRIVATE__get_tls_error_fn(void);
extern void _mjPRIVATE__set_tls_error_fn(message_fn handler);
extern message_fn _mjPRIVATE__get_tls_warning_fn(void);
extern void _mjPRIVATE__set_tls_warning_fn(message_fn handler);

typedef struct guard {
    jmp_buf escape;
    char message[200]; /* of the error or, when there was none, of the first warning */
    message_fn error_before, warning_before;
    struct guard *outer;
} guard;

/* The hooks take no context: the innermost guard of this thread, NULL outside of any. */
static _Thread_local guard *innermost;

static void keep_error(const char *message)
{
    guard *here = innermost;
    snprintf(here->message, sizeof here->message, "%s", message);
    longjmp(here->escape, 1);
}

static void keep_warning(const char *message)
{
    guard *here = innermost;
    if (here && here->message[0] == 0)
        snprintf(here->message, sizeof here->message, "%s", message);
}

static void guard_enter(guard *here)
{
    here->message[0] = 0;
    here->error_before = _mjPRIVATE__get_tls_error_fn();
    here->warning_before = _mjPRIVATE__get_tls_warning_fn();
    here->outer = innermost;
    innermost = here;
    _mjPRIVATE__set_tls_error_fn(keep_error);
    _mjPRIVATE__set_tls_warning_fn(keep_warning);
}

static void guard_leave(guard *here)
{
    innermost = here->outer;
    _mjPRIVATE__set_tls_error_fn(here->error_before);
    _mjPRIVATE__set_tls_warning_fn(here->warning_before);
}

typedef void (*work_fn)(gb_mujoco *machine, void *context);

static bool run_guarded(guard *here, gb_mujoco *machine, work_fn work, void *context)
{
    volatile bool whole = false;
    guard_enter(here);
    if (setjmp(here->escape) == 0) {
        work(machine, context);
        whole = true;
    }
    guard_leave(here);
    return whole;
}

gb_status gb_mujoco_guard(gb_mujoco *machine, work_fn work, void *context)
{
    guard here;
    if (run_guarded(&here, machine, work, context))
        return GB_OK;
    return gb_fail(GB_ERR_NUMERIC, "plant %s: MuJoCo says: %s", machine->plant, here.message);
}

/* ---- life ------------------------------------------------------------------------------------
 */

typedef struct loading {
    char file[64];
    mjVFS *vfs;
    char error[400];
} loading;

static void load(gb_mujoco *machine, void *context)
{
    loading *what = context;
    machine->model = mj_loadXML(what->file, what->vfs, what->error, (int)sizeof what->error);
    if (machine->model)
        machine->data = mj_makeData(machine->model);
}

/* mj_loadXML keeps its last model in a static variable. */
static pthread_mutex_t one_load = PTHREAD_MUTEX_INITIALIZER;

static gb_status compile(gb_mujoco *machine, loading *what)
{
    guard here;
    pthread_mutex_lock(&one_load);
    bool whole = run_guarded(&here, machine, load, what);
    pthread_mutex_unlock(&one_load);
    if (whole && machine->data)
        return GB_OK;
    if (whole && machine->model)
        return gb_fail(GB_ERR_MEMORY, "plant %s: no memory for the state of its model",
                       machine->plant);
    char *line = whole ? what->error : here.message;
    for (char *c = line; *c; c++) /* one line, as all our messages */
        *c = *c == '\n' ? ' ' : *c;
    return gb_fail(GB_ERR_PARSE, "plant %s: its MJCF model does not compile: %s", machine->plant,
                   line);
}

gb_status gb_mujoco_load(const char *plant, const unsigned char *xml, size_t bytes, gb_mujoco *out)
{
    gb_mujoco machine = {.plant = plant};
    loading what = {.vfs = malloc(sizeof *what.vfs)}; /* two megabytes of names */
    if (!what.vfs)
        return gb_fail(GB_ERR_MEMORY, "plant %s: no memory to load its model", plant);
    mj_defaultVFS(what.vfs);
    snprintf(what.file, sizeof what.file, "%s.xml", plant);
    gb_status status;
    if (bytes == 0 || bytes > 1 << 24) {
        status = gb_fail(GB_ERR_PARSE, "plant %s: an MJCF model of %zu bytes, expected 1 to 16 MiB",
                         plant, bytes);
    } else if (mj_makeEmptyFileVFS(what.vfs, what.file, (int)bytes) != 0) {
        status = gb_fail(GB_ERR_MEMORY, "plant %s: no memory to load its model", plant);
    } else {
        memcpy(what.vfs->filedata[0], xml, bytes);
        status = compile(&machine, &what);
    }
    mj_deleteVFS(what.vfs);
    free(what.vfs);
    if (status != GB_OK) {
        gb_mujoco_free(&machine);
        return status;
    }
    *out = machine;
    return GB_OK;
}

void gb_mujoco_free(gb_mujoco *machine)
{
    if (!machine)
        return;
    gb_mujoco_camera_free(machine->camera);
    if (machine->data)
        mj_deleteData(machine->data);
    if (machine->model)
        mj_deleteModel(machine->model);
    memset(machine, 0, sizeof *machine);
}

/* ---- names ------------------------------------------------------------------------------------
 */

gb_status gb_mujoco_find(const gb_mujoco *machine, mjtObj type, const char *name, int *out)
{
    int id = mj_name2id(machine->model, type, name);
    if (id < 0)
        return gb_fail(GB_ERR_NOT_FOUND,
                       "plant %s: its model has no %s called \"%s\"; name one in its MJCF file",
                       machine->plant, mju_type2Str(type), name);
    *out = id;
    return GB_OK;
}

gb_status gb_mujoco_find_sensor(const gb_mujoco *machine, const char *name, int size, int *out)
{
    int id = 0;
    GB_TRY(gb_mujoco_find(machine, mjOBJ_SENSOR, name, &id));
    if (machine->model->sensor_dim[id] != size)
        return gb_fail(GB_ERR_SHAPE, "plant %s: sensor \"%s\" has %d numbers, expected %d",
                       machine->plant, name, machine->model->sensor_dim[id], size);
    *out = machine->model->sensor_adr[id];
    return GB_OK;
}

/* ---- motion ---------------------------------------------------------------------------------- */

void gb_mujoco_reset(gb_mujoco *machine)
{
    mj_resetData(machine->model, machine->data);
    machine->broken = false;
    machine->why[0] = 0;
}

static void do_set_const(gb_mujoco *machine, void *context)
{
    (void)context;
    mj_setConst(machine->model, machine->data);
}

gb_status gb_mujoco_set_const(gb_mujoco *machine)
{
    gb_mujoco_reset(machine);
    GB_TRY(gb_mujoco_guard(machine, do_set_const, NULL));
    gb_mujoco_reset(machine);
    return GB_OK;
}

static void do_forward(gb_mujoco *machine, void *context)
{
    (void)context;
    mj_forward(machine->model, machine->data);
}

static void do_step(gb_mujoco *machine, void *context)
{
    (void)context;
    mj_step(machine->model, machine->data);
}

/* MuJoCo answers an unstable state by resetting it and counting a warning. */
static bool has_warned(const mjData *data)
{
    for (int i = 0; i < mjNWARNING; i++) {
        if (i != mjWARN_VGEOMFULL && data->warning[i].number > 0)
            return true;
    }
    return false;
}

static bool move(gb_mujoco *machine, work_fn work)
{
    if (machine->broken)
        return false;
    guard here;
    bool whole = run_guarded(&here, machine, work, NULL);
    if (whole && !has_warned(machine->data))
        return true;
    machine->broken = true;
    memcpy(machine->why, here.message, sizeof machine->why);
    return false;
}

bool gb_mujoco_forward(gb_mujoco *machine)
{
    return move(machine, do_forward);
}

bool gb_mujoco_step(gb_mujoco *machine)
{
    return move(machine, do_step);
}
