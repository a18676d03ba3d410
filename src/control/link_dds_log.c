/* control/link_dds_log.c: counts the packets that Cyclone could not read and keeps the error that
 * an opening met. A log sink, hence the only state here that is not a link's own. */
#ifdef GENBA_WITH_CYCLONEDDS
#include "control/link_dds_log.h"

#include <dds/dds.h>
#include <dds/ddsrt/log.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static _Atomic int64_t corrupt;
static _Thread_local char error[256];

static void take(void *context, const dds_log_data_t *data)
{
    (void)context;
    const char *text = data->message;
    if (data->priority & DDS_LC_WARNING) {
        if (strstr(text, "malformed packet") || strstr(text, "deserialization") ||
            strstr(text, "invalid inline qos"))
            atomic_fetch_add_explicit(&corrupt, 1, memory_order_relaxed);
    } else if (data->priority & (DDS_LC_ERROR | DDS_LC_FATAL)) {
        snprintf(error, sizeof error, "%s", text);
        error[strcspn(error, "\n")] = 0;
    }
}

void gb_dds_log_begin(void)
{
    *error = 0;
    dds_set_log_sink(take, NULL);
}

int64_t gb_dds_log_corrupt(void)
{
    return atomic_load_explicit(&corrupt, memory_order_relaxed);
}

const char *gb_dds_log_error(void)
{
    return error;
}
#else
typedef int gb_dds_log_off; /* a file may not be empty */
#endif
